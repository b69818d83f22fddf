"""What partners are told of a batch, written in the commit that ends it; and the end of what the vault kept for lines never sent."""

from dataclasses import replace

from cells.backends.postgres import Connection
from cells.batches import store, store_status
from cells.batches.batch import Batch, Fault, State
from cells.kit.money import money
from cells.parties.store_subjects import erase
from cells.webhooks.events import NewEvent
from cells.webhooks.store import append_events


async def end(connection: Connection, region: str, batch: Batch, state: State, fault: Fault | None = None) -> None:
    """Bring a batch, which the caller has locked, to its last state, and tell of it. What still waits of it is given up."""
    await store.give_up(connection, region, batch.batch_id)
    await store.move(connection, region, batch.batch_id, state, fault=fault)
    await erase(connection, region, await store.unsent(connection, region, batch.batch_id))
    if state is not State.CANCELLED:
        ended = replace(batch, state=state, fault=fault or batch.fault)
        await append_events(connection, region, [await _event(connection, region, ended)])


async def _event(connection: Connection, region: str, batch: Batch) -> NewEvent:
    counts = await store_status.progress(connection, region, batch.batch_id)
    spent = 0 if batch.remainder_minor is None else (batch.funding_minor or 0) - batch.remainder_minor
    data = {
        "batch_id": batch.batch_id,
        "wallet_id": batch.wallet_id,
        "state": str(batch.state),
        "amount": money(spent, batch.source_currency),
        "lines": {one.state: one.count for one in counts},
        "reason_code": None if batch.fault is None else batch.fault.code,
        "reason": None if batch.fault is None else batch.fault.detail,
    }
    kind = f"batch.{str(batch.state).lower()}"
    return NewEvent.about(batch.tenant_id, kind, batch.batch_id, data)
