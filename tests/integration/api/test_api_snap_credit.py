"""Money that a bank reports by SNAP: only what the bank has signed, once, on the same path as any credit."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from cells.backends.postgres import transaction
from cells.rails.console import ConsoleRefused, SchemeConsole
from cells.rails.rail import Account, Party
from cells.rails.snap.signatures import private_key, sign_notification, timestamp
from residency.ids import mint
from router.api import inbound
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.snap_keys import BANK_PRIVATE_KEY, BANK_PUBLIC_KEY, PRIVATE_KEY, SNAP_ACCESS
from tests.support.waiting import until

RAIL = "bi_fast"
PATH = f"/rails/{RAIL}/v1.0/transfer-va/payment"


@pytest.fixture
async def cell(cell_database, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    """id-1, whose BI-FAST goes through a bank, where that bank expects it."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    ours, theirs = tmp_path / "ours.pem", tmp_path / "bank.pem"
    ours.write_bytes(PRIVATE_KEY)
    theirs.write_text(BANK_PUBLIC_KEY)
    snap = {
        "client_key": SNAP_ACCESS.client_key,
        "partner_id": SNAP_ACCESS.partner_id,
        "channel_id": SNAP_ACCESS.channel_id,
        "source_account": SNAP_ACCESS.source_account,
        "private_key_path": str(ours),
        "bank_key_path": str(theirs),
    }
    settings = {RAIL: {"wire": "snap", "snap": snap}}
    async with open_api_cell(tmp_path, cell_database("ID"), schemes, "id-1", settings) as opened:
        server = uvicorn.Server(
            uvicorn.Config(opened.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        yield opened
        server.should_exit = True
        await serving


def notice(account: str, **more: Any) -> dict[str, Any]:
    told = {
        "partnerServiceId": account[:4].rjust(8),
        "customerNo": account[4:],
        "virtualAccountNo": account[:4].rjust(8) + account[4:],
        "virtualAccountName": "Budi Santoso",
        "paymentRequestId": "PAY-1",
        "paidAmount": {"value": "1250000.00", "currency": "IDR"},
    }
    return told | more


async def told(
    cell: ApiCell, body: dict[str, Any] | bytes, *, at: datetime | None = None, key: bytes = b"", **headers: str
) -> tuple[int, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
    stamp = timestamp(at or datetime.now(UTC))
    signature = sign_notification(private_key(key or BANK_PRIVATE_KEY.encode()), "POST", PATH, raw, stamp)
    given = {"X-TIMESTAMP": stamp, "X-SIGNATURE": signature, "X-PARTNER-ID": SNAP_ACCESS.partner_id, **headers}
    answer: httpx.Response = await cell.anyone.post(PATH, content=raw, headers=given)
    await inbound.told()
    return answer.status_code, answer.json()["responseCode"]


async def available(cell: ApiCell) -> str:
    shown = (await cell.client.get(f"/v1/wallets/{cell.wallets['IDR'].wallet_id}")).json()
    return str(shown["available"]["value"])


async def test_a_notice_is_credited_once_however_often_it_comes(cell: ApiCell) -> None:
    account = cell.wallets["IDR"].account_number
    for _ in range(3):
        assert await told(cell, notice(account)) == (200, "2002500")
    assert await available(cell) == "1250000.00"
    changed = notice(account, paidAmount={"value": "9.00", "currency": "IDR"})
    assert await told(cell, changed) == (404, "4042518")
    assert await told(cell, notice("9999000011112222", paymentRequestId="PAY-2")) == (404, "4042512")
    assert await available(cell) == "1250000.00"
    async with transaction(cell.parts.writer) as connection:
        # The schemes are the session's: an answer that an earlier test's payment waited for may come to this cell.
        kept = await connection.fetch(
            "select direction from rail_messages where message_type = 'snap.transfer-va.payment' order by position"
        )
        states = await connection.fetch("select state from collections order by collection_id")
    assert [row["direction"] for row in kept] == ["received", "sent"] * 5
    assert [row["state"] for row in states] == ["credited", "refused"]


async def test_only_the_bank_is_believed(cell: ApiCell) -> None:
    good = notice(cell.wallets["IDR"].account_number)
    late = datetime.now(UTC) - timedelta(minutes=6)
    assert await told(cell, good, key=PRIVATE_KEY) == (401, "4012500")
    assert await told(cell, good, at=late) == (401, "4012500")
    stamp = {"X-TIMESTAMP": timestamp(datetime.now(UTC) + timedelta(seconds=9))}
    assert await told(cell, good, **stamp) == (401, "4012500")
    assert await told(cell, good, **{"X-TIMESTAMP": "yesterday"}) == (401, "4012500")
    assert await told(cell, good, **{"X-PARTNER-ID": "SOMEBODY"}) == (404, "4042516")
    assert (await cell.anyone.post("/rails/bi_rtgs/v1.0/transfer-va/payment", json=good)).status_code == 404
    assert await available(cell) == "0.00"


@pytest.mark.parametrize(
    "change",
    [
        {"paidAmount": {"value": "10.5", "currency": "IDR"}},
        {"paidAmount": {"value": "10.00", "currency": "EUR"}},
        {"paidAmount": {"value": "-1.00", "currency": "IDR"}},
        {"paidAmount": {"value": "0.00", "currency": "IDR"}},
        {"paymentRequestId": ""},
        {"virtualAccountNo": None},
    ],
)
async def test_what_cannot_be_booked_exactly_is_not_read(cell: ApiCell, change: dict[str, Any]) -> None:
    account = cell.wallets["IDR"].account_number
    assert await told(cell, notice(account, **change)) == (400, "4002500")
    assert await available(cell) == "0.00"


async def test_no_json_is_no_notice(cell: ApiCell) -> None:
    assert await told(cell, b"<Document/>") == (400, "4002500")


async def test_the_simulated_bank_tells_of_a_deposit(cell: ApiCell, schemes: RunningSchemes) -> None:
    reference, wallet = mint("req", "id-1")[-20:], cell.wallets["IDR"]
    payer = Party("Budi Santoso", Account("id", "1234567890", "014"))
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        account = Account("id", wallet.account_number, "014")
        await console.collect(
            125_000_000, "IDR", account, payer, scheme_reference=reference, deliveries=2, by_snap=True
        )

        async def delivered() -> bool:
            return (await console.collection(reference))["deliveries"] == 2

        await until(delivered)
        assert (await console.collection(reference))["status"] == "accepted"
        lost = mint("req", "id-1")[-20:]
        nobody = Account("id", "9999000011112222", "014")
        await console.collect(100_00, "IDR", nobody, payer, scheme_reference=lost, by_snap=True)

        async def refused() -> bool:
            return (await console.collection(lost))["status"] == "refused"

        await until(refused)

    async def booked() -> bool:
        return await available(cell) == "1250000.00"

    await until(booked)
    async with SchemeConsole(schemes.connection("sepa_instant")) as console:
        with pytest.raises(ConsoleRefused):
            await console.collect(100, "EUR", nobody, payer, by_snap=True)
