"""A return, as the scheme sends it and as the partner sees it: over the rails' door, the API, and the partner's events."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from cells.rails.connection import sign
from cells.rails.rail import end_to_end_id, transaction_id
from infra.schemes.messages import read_report
from infra.schemes.messages_returns import return_message
from tests.integration.api.test_api_payment import pay, until_final, wish
from tests.support.api_cell import RAIL_SECRETS, ApiCell, open_api_cell
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def send(cell: ApiCell, body: bytes) -> httpx.Response:
    headers = sign(RAIL_SECRETS["sepa_instant"].encode(), body, datetime.now(UTC))
    answer = await cell.anyone.post("/rails/sepa_instant/inbound", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_partner_sees_what_came_back(cell: ApiCell) -> None:
    await cell.fund()
    made = (await pay(cell, await wish(cell))).json()
    done = await until_final(cell, made["id"])
    assert (done["status"], done["returned"]) == ("COMPLETED", None)
    paid = round(float(done["target"]["value"]) * 100)
    e2e = end_to_end_id(made["id"])

    async def back(amount: int, reference: str) -> tuple[str, str]:
        body = return_message(reference, e2e, transaction_id(e2e), (paid, amount), "EUR", "AC04")
        [said] = read_report((await send(cell, body)).content).values()
        return said

    for _ in range(2):
        assert (await back(paid - 100, f"RTR-{made['id'][-8:]}-1"))[0] == "ACCP"

    async def shown(status: str) -> bool:
        return (await cell.client.get(f"/v1/transfers/{made['id']}")).json()["status"] == status

    await until(lambda: shown("PARTIALLY_RETURNED"))
    assert await back(101, f"RTR-{made['id'][-8:]}-2") == ("RJCT", "AM02")
    assert (await back(100, f"RTR-{made['id'][-8:]}-3"))[0] == "ACCP"
    await until(lambda: shown("RETURNED"))
    found = (await cell.client.get(f"/v1/transfers/{made['id']}")).json()
    assert found["returned"]["amount"] == done["target"] == found["returned"]["credited"]
    assert [one["number"] for one in found["returned"]["returns"]] == [1, 2]
    assert [line["event"] for line in found["timeline"]][-2:] == ["partially_returned", "returned"]
    events = (await cell.client.get("/v1/events")).json()["data"]
    told = {one["type"]: one["data"] for one in events}
    assert told["transfer.returned"]["returned"]["amount"] == done["target"]
    assert told["transfer.partially_returned"]["returned"]["amount"]["value"] == f"{(paid - 100) / 100:.2f}"
