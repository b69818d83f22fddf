"""A wallet's statement: the balance after each entry, the balances at both ends, and pages that together are the whole."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cells.backends.postgres import transaction
from cells.journal.entry import component
from cells.rails import store_collections
from residency.ids import mint
from tests.support.api_cell import ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def statement(cell: ApiCell, **asked: Any) -> dict[str, Any]:
    answer = await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}/statement", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def moved(cell: ApiCell) -> None:
    """Money in, a payment held and let go of for want of funds, money in again."""
    await cell.fund(amount_minor=20_000)
    quote, recipient, payer = await cell.quote("100.00"), await cell.recipient(), await cell.payer()
    asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer}
    made = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "k"})
    assert made.status_code == 202
    await cell.fund(amount_minor=1)


def cents(amount: dict[str, str]) -> int:
    return int(amount["value"].replace(".", ""))


async def test_the_balance_runs_and_ends_where_the_wallet_stands(cell: ApiCell) -> None:
    assert (await statement(cell))["data"] == []
    await moved(cell)
    found = await statement(cell)
    balance = available = 0
    for entry in found["data"]:
        amount = cents(entry["amount"])
        if entry["entry"] == "credit":
            balance, available = balance + amount, available + amount
        elif entry["entry"] == "hold":
            available -= amount
        else:
            assert entry["entry"] == "debit"
            balance -= amount
        assert (cents(entry["balance"]), cents(entry["available"])) == (balance, available), entry
    assert (cents(found["opening_balance"]), cents(found["closing_balance"])) == (0, balance)
    assert {entry["entry"] for entry in found["data"]} >= {"credit", "hold"}


async def test_pages_together_are_the_whole(cell: ApiCell) -> None:
    await moved(cell)
    whole = (await statement(cell))["data"]
    pages: list[dict[str, Any]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        page = await statement(cell, limit=1, **({"cursor": cursor} if cursor else {}))
        pages += page["data"]
        cursor = page["next_cursor"]
    assert pages[: len(whole)] == whole
    exactly = await statement(cell, limit=len(whole), to=pages[len(whole) - 1]["at"])
    assert exactly["next_cursor"] is None


async def test_a_span_begins_where_the_one_before_it_ended(cell: ApiCell) -> None:
    await moved(cell)
    whole = await statement(cell)
    middle = datetime.fromisoformat(whole["data"][0]["at"]) + timedelta(microseconds=1)
    first, second = await statement(cell, to=middle.isoformat()), await statement(cell, **{"from": middle.isoformat()})
    assert [entry["entry"] for entry in first["data"]] == ["credit"]
    assert first["closing_balance"] == second["opening_balance"] == {"value": "200.00", "currency": "EUR"}
    assert [*first["data"], *second["data"]][: len(whole["data"])] == whole["data"]
    before = await statement(cell, to="0001-01-01T00:00:01Z")
    assert (before["data"], before["closing_balance"]["value"]) == ([], "0.00")
    after = await statement(cell, **{"from": "9999-12-31T23:59:59Z"})
    assert (after["data"], after["opening_balance"]) == ([], after["closing_balance"])


async def test_what_has_come_and_is_not_credited_yet_is_shown(cell: ApiCell) -> None:
    await cell.fund(amount_minor=700)
    async with transaction(cell.parts.writer) as connection:
        known = await connection.fetchval("select collection_id from collections")
        first = (await store_collections.find(connection, "EU", [known]))[known]
        other = replace(first, collection_id=mint("col", "eu-1"), scheme_reference="other", amount=55, state="received")
        await store_collections.receive(connection, "EU", [other], component("test"))
    wallet = cell.wallets["EUR"].wallet_id
    alone = (await cell.client.get(f"/v1/wallets/{wallet}")).json()
    assert (alone["available"]["value"], alone["pending_inbound"]["value"]) == ("7.00", "0.55")
    listed = {one["id"]: one for one in (await cell.client.get("/v1/wallets")).json()["data"]}
    assert listed[wallet] == alone
    assert listed[cell.wallets["SEK"].wallet_id]["pending_inbound"]["value"] == "0.00"
