"""A batch of ten thousand lines, EUR → IDR, sent to the API as one file: until every line's funds are held, and until all are paid out."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.bench.journey import settled
from tests.bench.rig import Rig
from tests.support.waiting import until

LINES = 10_000
_WITHIN_S = 900.0
_LOOK_EVERY_S = 0.5
_BEFORE = frozenset({"WAITING", "CREATED"})


async def batch_file(rig: Rig, lines: int = LINES) -> dict[str, Any]:
    """Wall time and lines a second, from sending the file: to FUNDS_HELD (no line waits, or has yet to hear of the ledger), to COMPLETED."""
    await settled(rig)
    partner, listen = rig.partner, rig.origin.spec.settings.api
    line = {
        "recipient_id": partner.recipient_id, "payer_id": partner.payer_id, "target_currency": "IDR",
        "source": {"value": "10.00", "currency": "EUR"}, "reference": "Invoice 4711",
    }  # fmt: skip
    body = {"source_wallet_id": partner.wallet_id, "lines": [line] * lines}
    headers = {"Authorization": f"Bearer {partner.key}"}
    async with httpx.AsyncClient(
        base_url=f"http://{listen.host}:{listen.port}", headers=headers, timeout=120
    ) as client:
        started = time.perf_counter()
        answer = await client.post("/v1/batches", json=body, headers={"Idempotency-Key": f"bench-{started}"})
        assert answer.status_code == 201, answer.text
        batch_id = answer.json()["id"]
        taken_s = time.perf_counter() - started
        held = await _when(client, batch_id, lambda batch: not _BEFORE & {one["status"] for one in batch["progress"]})
        held_s = time.perf_counter() - started
        done = await _when(
            client, batch_id, lambda batch: batch["status"] not in ("VALIDATING", "FUNDED", "PROCESSING")
        )
        done_s = time.perf_counter() - started
    assert done["status"] == "COMPLETED", (held, done)
    return {
        "batch_taken_s": round(taken_s, 2),
        "batch_held_s": round(held_s, 1),
        "batch_held_lines_per_s": round(lines / held_s),
        "batch_completed_s": round(done_s, 1),
        "batch_completed_lines_per_s": round(lines / done_s),
    }


async def _when(client: httpx.AsyncClient, batch_id: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The batch as it is when that holds of it."""
    batch: dict[str, Any] = {}

    async def looks_so() -> bool:
        nonlocal batch
        # A look reads every line: it shall not be what is measured.
        await asyncio.sleep(_LOOK_EVERY_S)
        batch = (await client.get(f"/v1/batches/{batch_id}")).json()
        return reached(batch)

    await until(looks_so, timeout_s=_WITHIN_S)
    return batch
