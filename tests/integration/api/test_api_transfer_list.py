"""The list of transfers: every filter, pages that neither repeat nor skip, and a cost that is bounded however few are found."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from cells.backends.postgres import tenant_transaction
from cells.payments.store_list import Wanted, page
from tests.support.api_cell import ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def pay(cell: ApiCell, value: str, **more: Any) -> dict[str, Any]:
    quote, recipient, payer = await cell.quote(value), await cell.recipient(), await cell.payer()
    asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer, **more}
    answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": quote["id"]})
    made: dict[str, Any] = answer.json()
    return made


async def listed(cell: ApiCell, **asked: Any) -> list[str]:
    answer = await cell.client.get("/v1/transfers", params=asked)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


async def test_every_filter_finds_its_own(cell: ApiCell) -> None:
    await cell.fund()
    first = await pay(cell, "10.00", metadata={"reference": "order 7"})
    second = await pay(cell, "11.00")
    # Its quote is more than is left in the wallet.
    await pay(cell, "4990.00")
    [rejected] = await listed(cell, status="REJECTED")
    made_at = datetime.fromisoformat(second["created_at"])
    all_three = [rejected, second["id"], first["id"]]
    for asked, found in (
        ({}, all_three),
        ({"recipient_id": first["recipient_id"]}, [first["id"]]),
        ({"payer_id": second["payer_id"]}, [second["id"]]),
        ({"reference": "order 7"}, [first["id"]]),
        ({"reference": "order"}, []),
        ({"wallet_id": first["source_wallet_id"]}, all_three),
        ({"wallet_id": cell.wallets["SEK"].wallet_id}, []),
        ({"source_currency": "EUR", "target_currency": "EUR"}, all_three),
        ({"target_currency": "IDR"}, []),
        ({"batch_id": "bat_eu1_00000000000000000000000000"}, []),
        ({"status": ["REJECTED", "CANCELLED"]}, [rejected]),
        ({"status": ["IN_REVIEW"]}, []),
        ({"created_to": made_at.isoformat()}, [first["id"]]),
        ({"created_from": made_at.isoformat()}, [rejected, second["id"]]),
        ({"created_from": made_at.isoformat(), "created_to": made_at.isoformat()}, []),
        ({"created_from": (made_at + timedelta(days=1)).isoformat()}, []),
        ({"created_from": "0001-01-01T00:00:01Z", "created_to": "9999-12-31T23:59:59Z"}, all_three),
    ):
        assert await listed(cell, **asked) == found, asked


async def test_a_page_is_full_or_the_last_one(cell: ApiCell) -> None:
    await cell.fund()
    made = [(await pay(cell, "1.00"))["id"] for _ in range(2)]
    whole = (await cell.client.get("/v1/transfers", params={"limit": 2})).json()
    assert ([one["id"] for one in whole["data"]], whole["next_cursor"]) == (made[::-1], None)
    one = (await cell.client.get("/v1/transfers", params={"limit": 1})).json()
    assert one["next_cursor"] == made[1]


async def test_a_search_that_finds_little_stops_and_goes_on_where_it_stopped(cell: ApiCell) -> None:
    await cell.fund()
    made = [(await pay(cell, "1.00", metadata={"reference": str(place)}))["id"] for place in range(5)]
    found: list[str] = []
    pages, cursor = 0, None
    wanted = Wanted(reference="0")
    async with tenant_transaction(cell.parts.pool, cell.tenant.tenant_id) as connection:
        while pages == 0 or cursor is not None:
            rows, cursor = await page(
                connection, "eu-1", "EU", cell.tenant.tenant_id, wanted, before_id=cursor, limit=10, scanned_max=2
            )
            found += [one.transfer_id for one in rows]
            pages += 1
    assert (found, pages) == ([made[0]], 3)


async def test_what_is_no_filter_is_refused(cell: ApiCell) -> None:
    for asked in (
        {"state": "COMPLETED"},
        {"status": "DONE"},
        {"status": "ADMITTED"},
        {"created_from": "yesterday"},
        {"limit": 0},
        {"cursor": "7"},
    ):
        answer = await cell.client.get("/v1/transfers", params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), asked


async def test_the_timeline_alone_is_that_of_the_transfer(cell: ApiCell) -> None:
    await cell.fund()
    transfer = (await pay(cell, "1.00"))["id"]
    answer = (await cell.client.get(f"/v1/transfers/{transfer}/timeline")).json()
    whole = (await cell.client.get(f"/v1/transfers/{transfer}")).json()["timeline"]
    assert answer["transfer_id"] == transfer
    assert answer["data"] == whole[: len(answer["data"])]
    assert [step["event"] for step in whole[:3]] == ["accepted", "held", "instruct"]
