"""The way of a payment through the API of one cell, over its real actors, ledger and rail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_cell import ApiCell, open_api_cell


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def wish(cell: ApiCell, **more: Any) -> dict[str, Any]:
    quote, recipient, payer = await cell.quote(), await cell.recipient(), await cell.payer()
    return {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer, **more}


async def until_final(cell: ApiCell, transfer_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = (await cell.client.get(f"/v1/transfers/{transfer_id}")).json()
            if found["status"] in ("COMPLETED", "REFUNDED"):
                return found
            await asyncio.sleep(0.02)


async def test_money_arrives_is_quoted_and_paid(cell: ApiCell) -> None:
    await cell.fund()
    asked = await wish(cell, reference="Invoice 4711", metadata={"order": "A-1"})
    answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "pay-1"})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert made["metadata"] == {"order": "A-1"}
    assert made["source"] == {"value": "100.00", "currency": "EUR"}
    assert made["target"] == {"value": "99.80", "currency": "EUR"}
    done = await until_final(cell, made["id"])
    assert done["status"] == "COMPLETED"
    assert [line["status"] for line in done["timeline"]][:2] == ["CREATED", "FUNDS_HELD"]
    wallet = (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")).json()
    assert (wallet["available"]["value"], wallet["held"]["value"]) == ("4900.00", "0.00")
