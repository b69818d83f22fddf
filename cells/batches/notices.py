"""How a batch ends: its last state, with all that its partner is told of it, and the end of what the vault kept for lines never sent."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cells.backends.postgres import Connection
from cells.batches import store, store_status
from cells.batches.batch import Batch, Fault, LineState, State
from cells.batches.store_status import Standing
from cells.journal.entry import Author
from cells.parties.store_subjects import erase
from cells.payments.machine import State as PaymentState
from cells.payments.machine import public


async def end(
    connection: Connection, region: str, batch: Batch, state: State, by: Author, fault: Fault | None = None
) -> None:
    """Bring a batch, which the caller has locked, to its last state. What still waits of it is given up."""
    await store.give_up(connection, region, batch.batch_id)
    progress = await store_status.progress(connection, region, batch.batch_id)
    await store.move(connection, region, batch, state, state.lower(), by, fault=fault, beside=_told(batch, progress))
    await erase(connection, region, await store.unsent(connection, region, batch.batch_id))


def _told(batch: Batch, progress: Sequence[Standing]) -> dict[str, Any]:
    """What the entry says beside the batch itself: what its payments took of the wallet, and how many lines ended how."""
    spent = 0 if batch.remainder_minor is None else (batch.funding_minor or 0) - batch.remainder_minor
    lines = Counter[str]()
    for one in progress:
        lines[_shown(one.state)] += one.count
    return {"spent": spent, "lines": [{"status": one, "count": count} for one, count in sorted(lines.items())]}


def _shown(state: str) -> str:
    """How a line that has ended is shown: what became a payment by the payment's status."""
    return state if state in set(LineState) else str(public(PaymentState(state)))
