"""What tests of batches ask of the API, and their worker beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from actors.workers.batches import Batches
from cells.cell import open_institution
from cells.fx.ecb import EcbHistory
from tests.support.api_cell import ApiCell
from tests.support.waiting import until


@asynccontextmanager
async def open_worker(cell: ApiCell) -> AsyncIterator[Batches]:
    institution = await open_institution(cell.spec, "writer", name="test-batches", connections_max=2)
    yield Batches(institution, cell.parts.wallets.ask_many, EcbHistory())
    await institution.close()


async def submit(cell: ApiCell, lines: list[Any], key: str = "batch-1", **more: Any) -> httpx.Response:
    body = {"source_wallet_id": cell.wallets["EUR"].wallet_id, "lines": lines, **more}
    return await cell.client.post("/v1/batches", json=body, headers={"Idempotency-Key": key})


async def send(cell: ApiCell, content: str, kind: str, key: str = "file-1", **parameters: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key, "Content-Type": kind}
    return await cell.client.post("/v1/batches", content=content.encode(), headers=headers, params=parameters)


def of(recipient: str, payer: str | None, value: str = "10.00", **more: Any) -> dict[str, Any]:
    line = {"recipient_id": recipient, "source": {"value": value, "currency": "EUR"}, "target_currency": "EUR", **more}
    return line if payer is None else {**line, "payer_id": payer}


async def get(cell: ApiCell, batch_id: str) -> dict[str, Any]:
    return (await cell.client.get(f"/v1/batches/{batch_id}")).json()


async def lines_of(cell: ApiCell, batch_id: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = await cell.client.get(f"/v1/batches/{batch_id}/lines", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def run(cell: ApiCell, worker: Batches, batch_id: str) -> dict[str, Any]:
    """Drive the worker until the batch rests."""

    async def rests() -> bool:
        await worker.round()
        return (await get(cell, batch_id))["status"] in ("COMPLETED", "PARTIALLY_COMPLETED", "FAILED")

    await until(rests)
    return await get(cell, batch_id)


async def available(cell: ApiCell) -> str:
    return (await cell.client.get(f"/v1/wallets/{cell.wallets['EUR'].wallet_id}")).json()["available"]["value"]
