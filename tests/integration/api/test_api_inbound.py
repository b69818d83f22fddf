"""The rails' door: money is on record once, for whom it is meant, whoever sends it and however often."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import uvicorn

from actors.workers.sweep import Sweep
from cells.backends.postgres import transaction
from infra.schemes.messages import read_report
from infra.schemes.signing import PARTICIPANT
from tests.support.api_cell import ApiCell, credit_to, open_api_cell
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def available(cell: ApiCell) -> str:
    answer = await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")
    return str(answer.json()["available"]["value"])


async def states(cell: ApiCell) -> list[tuple[str, str | None]]:
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch("select state, reason_code from collections order by collection_id")
    return [(row["state"], row["reason_code"]) for row in rows]


def own(cell: ApiCell, amount: int = 500_000, reference: str = "IN-1", **more: Any):
    return credit_to({"iban": cell.wallets["EUR"].account_number}, amount, scheme_reference=reference, **more)


async def test_a_credit_is_accepted_booked_and_told(cell: ApiCell) -> None:
    answer = await cell.inbound("sepa_instant", own(cell))
    assert answer.headers["content-type"] == "application/xml"
    assert read_report(answer.content)["IN-1"][0] == "ACCP"
    assert await available(cell) == "5000.00"
    assert await states(cell) == [("credited", None)]
    [event] = (await cell.client.get("/v1/events")).json()["data"]
    assert (event["type"], event["data"]["amount"]["value"]) == ("wallet.credited", "5000.00")


async def test_a_duplicate_is_answered_as_the_first_and_books_nothing(cell: ApiCell) -> None:
    for _ in range(3):
        answer = await cell.inbound("sepa_instant", own(cell))
        assert read_report(answer.content)["IN-1"][0] == "ACCP"
    assert await available(cell) == "5000.00"
    assert await states(cell) == [("credited", None)]


async def test_a_known_reference_with_another_content_is_refused(cell: ApiCell) -> None:
    await cell.inbound("sepa_instant", own(cell))
    for changed in (own(cell, 900_000), own(cell, end_to_end_id="another")):
        answer = await cell.inbound("sepa_instant", changed)
        assert read_report(answer.content)["IN-1"] == ("RJCT", "AM05")
    assert await available(cell) == "5000.00"


async def test_money_for_nobody_is_refused_on_record_and_its_sender_not_kept(cell: ApiCell) -> None:
    async with transaction(cell.parts.writer) as connection:
        peers = await connection.fetch(
            "select account_number from wallets where tenant_id like 'cell:%' and currency = 'EUR'"
        )
    for place, number in enumerate(
        ["DE89370400440532013000", peers[0]["account_number"], cell.wallets["SEK"].account_number]
    ):
        for _ in range(2):
            credit = credit_to({"iban": number}, 100, scheme_reference=f"IN-{place}")
            answer = await cell.inbound("sepa_instant", credit)
            assert read_report(answer.content)[f"IN-{place}"] == ("RJCT", "AC01")
    assert await states(cell) == [("refused", "AC01")] * 3
    async with transaction(cell.parts.writer) as connection:
        assert await connection.fetchval("select count(*) from subjects") == 0


async def test_money_for_another_account_that_names_one_wallet_is_credited_to_it(cell: ApiCell) -> None:
    wallet, other = cell.wallets["EUR"].wallet_id, cell.wallets["SEK"].wallet_id
    elsewhere = {"iban": "DE89370400440532013000"}
    both = credit_to(elsewhere, 100, scheme_reference="IN-1", remittance=f"{wallet} {other}")
    assert read_report((await cell.inbound("sepa_instant", both)).content)["IN-1"] == ("RJCT", "AC01")
    wrong = credit_to(elsewhere, 100, scheme_reference="IN-2", remittance=other)
    assert read_report((await cell.inbound("sepa_instant", wrong)).content)["IN-2"] == ("RJCT", "AC01")
    named = credit_to(
        elsewhere, 500_000, scheme_reference="IN-3", remittance=f"Invoice 4711 {wallet.replace('_', '-')}"
    )
    assert read_report((await cell.inbound("sepa_instant", named)).content)["IN-3"][0] == "ACCP"
    assert await available(cell) == "5000.00"


async def test_only_the_scheme_may_bring_money(cell: ApiCell) -> None:
    answer = await cell.inbound("sepa_instant", own(cell), secret="another secret")
    assert (answer.status_code, answer.json()["code"]) == (401, "scheme-signature-invalid")
    answer = await cell.inbound("bi_fast", own(cell))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-rail")
    unsigned = await cell.client.post("/rails/sepa_instant/inbound", content=b"<x/>", headers={PARTICIPANT: "x"})
    assert unsigned.status_code == 401
    assert await states(cell) == []


@pytest.fixture
async def served(cell: ApiCell, schemes: RunningSchemes) -> AsyncIterator[ApiCell]:
    """The cell where the scheme expects it."""
    config = uvicorn.Config(cell.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    yield cell
    server.should_exit = True
    await serving


async def test_a_sandbox_deposit_arrives_by_the_rail_once(served: ApiCell) -> None:
    wallet = served.wallets["EUR"]
    body = {"wallet_id": wallet.wallet_id, "amount": {"value": "5000.00", "currency": "EUR"}}
    key = {"Idempotency-Key": "deposit-1"}
    first = await served.client.post("/v1/sandbox/deposits", json=body, headers=key)
    assert first.status_code == 202, first.text
    again = await served.client.post("/v1/sandbox/deposits", json=body, headers=key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")

    async def arrived() -> bool:
        return await available(served) == "5000.00"

    await until(arrived)
    other = await served.client.post(
        "/v1/sandbox/deposits", json={**body, "amount": {"value": "1.00", "currency": "EUR"}}, headers=key
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")

    async def closed() -> bool:
        # The ledger has the money a moment before the row says so.
        return await states(served) == [("credited", None)]

    await until(closed)


async def test_a_deposit_that_cannot_arrive_is_refused(cell: ApiCell) -> None:
    async def deposit(currency: str, value: str, wallet_currency: str) -> tuple[int, str]:
        body = {"wallet_id": cell.wallets[wallet_currency].wallet_id, "amount": {"value": value, "currency": currency}}
        answer = await cell.client.post("/v1/sandbox/deposits", json=body, headers={"Idempotency-Key": "k"})
        return answer.status_code, answer.json()["code"]

    assert await deposit("GBP", "1.00", "EUR") == (422, "invalid-amount")
    assert await deposit("SEK", "1.00", "SEK") == (422, "no-rail")
    assert await deposit("EUR", "0", "EUR") == (422, "invalid-amount")


class ElevenDaysOn(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(days=11)


async def test_a_credit_that_settles_later_is_told_and_held_until_its_day(
    cell: ApiCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(ZoneInfo("Europe/Berlin")).date() + timedelta(days=10)
    for _ in range(2):
        answer = await cell.inbound("sepa_instant", own(cell, settlement_date=later))
        assert read_report(answer.content)["IN-1"][0] == "ACCP"
    wallet = (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")).json()
    assert (wallet["available"]["value"], wallet["pending_inbound"]["value"]) == ("0.00", "5000.00")
    assert await states(cell) == [("received", None)]
    [event] = (await cell.client.get("/v1/events")).json()["data"]
    assert (event["type"], event["data"]["settlement_date"]) == ("wallet.credit_pending", later.isoformat())
    assert datetime.fromisoformat(event["data"]["available_at"]).astimezone(ZoneInfo("Europe/Berlin")).date() == later

    sweep = Sweep(replace(cell.parts.institution, pool=cell.parts.writer), cell.parts.wallets)
    assert await sweep._collections() == 0
    assert await available(cell) == "0.00"
    monkeypatch.setattr("actors.workers.sweep.datetime", ElevenDaysOn)
    assert await sweep._collections() == 1
    assert await available(cell) == "5000.00"
    assert await states(cell) == [("credited", None)]
    told = [one["type"] for one in (await cell.client.get("/v1/events")).json()["data"]]
    assert sorted(told) == ["wallet.credit_pending", "wallet.credited"]


@pytest.mark.parametrize("rail", ["sepa_instant", "sepa_credit_transfer"])
async def test_a_settlement_date_that_cannot_be_is_refused_and_stops_no_other(cell: ApiCell, rail: str) -> None:
    far = datetime.now(UTC).date() + timedelta(days=400)
    for place, day in enumerate((far, far - timedelta(days=800), date(9999, 12, 31))):
        answer = await cell.inbound(rail, own(cell, reference=f"IN-{place}", settlement_date=day))
        assert read_report(answer.content)[f"IN-{place}"] == ("RJCT", "DT01")
    assert await states(cell) == [("refused", "DT01")] * 3
    assert (await cell.client.get("/v1/events")).json()["data"] == []
    assert await available(cell) == "0.00"
