"""How a batch ends: its last state, the entry that its partner is told of, and the end of what the vault kept for lines never sent."""

from collections import Counter
from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.batches import store, store_status
from cells.batches.batch import Batch, Fault, LineState, State
from cells.batches.store_status import Standing
from cells.journal import store as journal
from cells.journal.entry import Draft, component
from cells.parties.store_subjects import erase
from cells.payments.machine import State as PaymentState
from cells.payments.machine import public

_BY = component("batches")


async def end(
    connection: Connection,
    region: str,
    batch: Batch,
    state: State,
    fault: Fault | None = None,
    missing_minor: int | None = None,
) -> None:
    """Bring a batch, which the caller has locked, to its last state, and record how. What still waits of it is given up. `missing_minor`:
    what its wallet lacked, where that is why."""
    await store.give_up(connection, region, batch.batch_id)
    await store.move(connection, region, batch.batch_id, state, fault=fault)
    await erase(connection, region, await store.unsent(connection, region, batch.batch_id))
    if state is not State.CANCELLED:
        progress = await store_status.progress(connection, region, batch.batch_id)
        await journal.write(connection, region, [_ended(batch, state, fault or batch.fault, missing_minor, progress)])


def _ended(
    batch: Batch, state: State, fault: Fault | None, missing_minor: int | None, progress: Sequence[Standing]
) -> Draft:
    spent = 0 if batch.remainder_minor is None else (batch.funding_minor or 0) - batch.remainder_minor
    lines = Counter[str]()
    for one in progress:
        lines[_shown(one.state)] += one.count
    facts = {
        "state": str(state),
        "wallet_id": batch.wallet_id,
        "currency": batch.source_currency,
        "spent": spent,
        "lines": [{"status": status, "count": count} for status, count in sorted(lines.items())],
    }
    if fault is not None:
        facts |= {"reason_code": fault.code, "missing": missing_minor}
    return Draft(batch.batch_id, 1, f"batch.{str(state).lower()}.1", batch.tenant_id, _BY, facts)


def _shown(state: str) -> str:
    """How a line that has ended is shown: what became a payment by the payment's status."""
    return state if state in set(LineState) else str(public(PaymentState(state)))
