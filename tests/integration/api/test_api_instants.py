"""Times at the edge of what can be held, at every door of the API: refused by name, and nothing of it on record."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from cells.backends.postgres import transaction
from tests.integration.api.test_api_batch_files import OURS, pain
from tests.integration.api.test_api_payment import refusal
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import send
from tests.unit.cells.rails.test_uploads import line as xml_line

UNREADABLE = "9999-12-31T23:59:59-01:00"
FAR_OFF = (datetime.now(UTC) + timedelta(days=400)).isoformat()
NEXT_WEEK = (datetime.now(UTC) + timedelta(days=7)).isoformat()
BAD = pytest.mark.parametrize(
    "bad",
    [UNREADABLE, "0001-01-01T00:00:00+01:00", FAR_OFF, "9999-12-31T23:59:59Z"],
    # Several processes run the tests, and must name them alike.
    ids=["unreadable", "first-day", "more-than-a-year", "last-second"],
)


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        await opened.fund()
        yield opened


async def rows(cell: ApiCell) -> list[int]:
    async with transaction(cell.parts.writer) as connection:
        return [
            await connection.fetchval(f"select count(*) from {table}")
            for table in ("quotes", "transfers", "batches", "sub_wallets")
        ]


async def line(cell: ApiCell, **more: Any) -> dict[str, Any]:
    return {
        "recipient_id": await cell.recipient(),
        "payer_id": await cell.payer(),
        "target": {"value": "1.00", "currency": "EUR"},
        **more,
    }


def dated(cell: ApiCell, date: str) -> str:
    return pain(cell, xml_line("A", creditor=OURS)).replace("<Dt>2020-01-01</Dt>", date)


@BAD
async def test_the_date_of_a_payment_is_refused_in_every_form_in_which_it_comes(cell: ApiCell, bad: str) -> None:
    wallet, payer = cell.wallets["EUR"].wallet_id, await cell.payer()
    wanted = {"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR", "payer_id": payer}
    for number, (path, body, pointer) in enumerate([
        ("/v1/intents", {**wanted, "recipient_id": await cell.recipient(), "deadline": bad}, "/deadline"),
        ("/v1/transfers", {"quote_id": "qt_1", "recipient_id": "rcp_1", "payer_id": payer, "deadline": bad}, "/deadline"),
        ("/v1/batches", {"source_wallet_id": wallet, "scheduled_for": bad, "lines": [await line(cell)]}, "/scheduled_for"),
    ]):  # fmt: skip
        answer = await cell.client.post(path, json=body, headers={"Idempotency-Key": f"{number}"})
        await refusal(answer, 422, "invalid-request", pointer)
    csv = f"recipient_id,target_amount,target_currency\r\n{await cell.recipient()},1.00,EUR\r\n"
    at = {"source_wallet_id": wallet, "payer_id": payer, "scheduled_for": bad}
    await refusal(await send(cell, csv, "text/csv", **at), 422, "invalid-request")
    past = bad.startswith("0001")
    for given in (f"<DtTm>{bad}</DtTm>", "" if past else f"<Dt>{bad[:10]}</Dt>"):
        if given:
            answer = await send(cell, dated(cell, given), "application/xml", payer_id=payer)
            await refusal(answer, 422, "batch-file-invalid")
    soon = await send(cell, dated(cell, f"<DtTm>{NEXT_WEEK}</DtTm>"), "application/xml", payer_id="pyr_1")
    assert soon.json()["status"] == "VALIDATING", soon.text
    assert await rows(cell) == [0, 0, 1, 0]


@BAD
async def test_a_line_of_a_batch_with_such_a_deadline_is_at_fault_and_the_others_are_taken(
    cell: ApiCell, bad: str
) -> None:
    wallet = cell.wallets["EUR"].wallet_id
    body = {"source_wallet_id": wallet, "lines": [await line(cell, deadline=bad), await line(cell, deadline=NEXT_WEEK)]}
    made = await cell.client.post("/v1/batches", json=body, headers={"Idempotency-Key": "json"})
    recipient = await cell.recipient()
    csv = f"recipient_id,target_amount,target_currency,deadline\r\n{recipient},1.00,EUR,{bad}\r\n{recipient},1.00,EUR,{NEXT_WEEK}\r\n"
    named = await send(cell, csv, "text/csv", source_wallet_id=wallet, payer_id=await cell.payer())
    for answer in (made, named):
        assert answer.status_code == 201, answer.text
        listed = await cell.client.get(f"/v1/batches/{answer.json()['id']}/lines")
        first, second = listed.json()["data"]
        assert (first["status"], first["error"]["pointer"], second["error"]) == ("INVALID", "/deadline", None)


@pytest.mark.parametrize("bad", [UNREADABLE, "0001-01-01T00:00:00+01:00"])
async def test_other_times_are_refused_where_they_cannot_be_held_and_taken_up_to_the_last_that_can(
    cell: ApiCell, bad: str
) -> None:
    wallet = cell.wallets["EUR"].wallet_id
    for path, name in [
        ("/v1/transfers", "created_from"), ("/v1/transfers", "created_to"), ("/v1/events", "since"),
        (f"/v1/wallets/{wallet}/statement", "from"), (f"/v1/wallets/{wallet}/statement", "to"),
    ]:  # fmt: skip
        await refusal(await cell.client.get(path, params={name: bad}), 422, "invalid-request")
        for edge in ("9999-12-31T23:59:59.999998Z", "0001-01-01T00:00:00.000001Z"):
            answer = await cell.client.get(path, params={name: edge})
            assert answer.status_code == 200, answer.text
    path = f"/v1/wallets/{wallet}/sub-wallets"
    answer = await cell.client.post(path, json={"name": "a", "locked_until": bad}, headers={"Idempotency-Key": "a"})
    await refusal(answer, 422, "invalid-request", "/locked_until")
    assert await rows(cell) == [0, 0, 0, 0]
    last = {"name": "a", "locked_until": "9999-12-31T23:59:59Z"}
    made = await cell.client.post(path, json=last, headers={"Idempotency-Key": "b"})
    assert made.json()["locked_until"] == "9999-12-31T23:59:59Z"
    assert (await cell.client.get(path)).json()["data"][0]["locked_until"] == "9999-12-31T23:59:59Z"


async def test_the_database_holds_none_either(cell: ApiCell) -> None:
    for text in (UNREADABLE, "0001-01-01T00:00:00+01:00", "infinity", "-infinity"):
        async with transaction(cell.parts.writer) as connection:
            with pytest.raises(asyncpg.CheckViolationError, match="instant"):
                await connection.execute(
                    "insert into journal (compliance_region, born, stream, version, kind, tenant_id, actor, request_id, at, facts)"
                    f" values ('EU', '2026-11-01', 'tr_1', 1, 'a', 'ten_1', 'b', 'c', '{text}', '{{}}')"
                )
