"""A sandbox tenant's own time: what it waits for comes nearer by as much as it lets go by, and nobody else's does.

No clock is set forward: whoever reads a deadline (a wallet, a rail, the sweep, the door) reads it as ever, by the machine's time, and it is
there sooner. So nothing on the path of a payment knows that there is sandbox time, and production cannot have it. Every deadline of a
tenant's is in DEADLINES (tests/architecture/test_deadlines.py); a deadline that has passed stays as it was. What has a journal gets an entry.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from cells.backends.postgres import Connection
from cells.batches.batch import BATCH
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Change, Life
from cells.payments.stream import TRANSFER
from cells.rails.store_collections import CREDIT
from cells.returns.returned import RETURN
from cells.sub_wallets.internal_transfer import SUB_WALLET
from residency.errors import UnexpectedAnswer

# As far as a tenant's time may be ahead of the machine's, so that every moment of it can be written.
AHEAD_MAX: Final = timedelta(days=3_660)
# A deadline stays behind what it began with.
_LEAST: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Deadline:
    """`column`: the moment that rows of `table` wait for, of those in which `waits` holds. It is later than `begins` whatever is let go by.
    `life`, `event`: of what has a journal."""

    table: str
    key: str
    column: str
    begins: str
    waits: str
    life: Life[Any] | None = None
    event: str = ""


DEADLINES: Final = (
    Deadline("quotes", "quote_id", "expires_at", "created_at", "used_at is null"),
    Deadline("transfers", "transfer_id", "review_until", "created_at", "state = 'IN_REVIEW'", TRANSFER, "review_moved"),
    Deadline("collections", "collection_id", "available_at", "received_at", "state = 'received'", CREDIT, "date_moved"),
    Deadline("returns", "return_id", "available_at", "received_at", "state = 'received'", RETURN, "date_moved"),
    Deadline("sub_wallets", "wallet_id", "locked_until", "created_at", "state <> 'closed'", SUB_WALLET, "lock_moved"),
    Deadline(
        "batches",
        "batch_id",
        "scheduled_for",
        "created_at",
        "state in ('VALIDATING', 'SCHEDULED')",
        BATCH,
        "schedule_moved",
    ),
)


async def let_go_by(
    connection: Connection, region: str, tenant_id: str, reference: str, by: timedelta, author: Author
) -> timedelta | None:
    """Bring everything that the tenant waits for here nearer by `by`, in whole seconds; once for each reference. The writer's connection.

    How far the tenant's time is ahead then; None, and nothing moved, where that would be more than AHEAD_MAX. Raises UnexpectedAnswer for
    a tenant that is not the sandbox's.
    """
    # One at a time, so that two together do not go beyond what each may.
    found = await connection.fetchval(
        "SELECT environment FROM tenants WHERE compliance_region = $1 AND tenant_id = $2 FOR NO KEY UPDATE",
        region, tenant_id,
    )  # fmt: skip
    if found != "sandbox":
        raise UnexpectedAnswer("time goes by for a tenant of the sandbox alone")
    ahead = timedelta(
        seconds=await connection.fetchval(
            "SELECT coalesce(sum(seconds), 0)::bigint FROM sandbox_advances WHERE compliance_region = $1 AND tenant_id = $2",
            region, tenant_id,
        )
    )  # fmt: skip
    known = await connection.fetchval(
        "SELECT true FROM sandbox_advances WHERE compliance_region = $1 AND tenant_id = $2 AND reference = $3",
        region, tenant_id, reference,
    )  # fmt: skip
    if known:
        return ahead
    if ahead + by > AHEAD_MAX:
        return None
    await connection.execute(
        "INSERT INTO sandbox_advances (compliance_region, tenant_id, reference, seconds) VALUES ($1, $2, $3, $4)",
        region, tenant_id, reference, int(by.total_seconds()),
    )  # fmt: skip
    for one in DEADLINES:
        if one.life is None:
            await connection.execute(_nearer(one), region, tenant_id, by)
        else:
            await _entries_nearer(connection, region, one, one.life, tenant_id, by, author)
    return ahead + by


async def _entries_nearer(
    connection: Connection, region: str, one: Deadline, life: Life[Any], tenant_id: str, by: timedelta, author: Author
) -> None:
    """A life's row changes with an entry of its stream alone (L11)."""
    due = await store_lives.fetch(
        connection, region, life, f"tenant_id = $2 AND {one.column} > now() AND {one.waits} ORDER BY {one.key} FOR UPDATE", tenant_id
    )  # fmt: skip
    changes = []
    for row in due:
        waits, began = (getattr(row, name) for name in (one.column, one.begins))
        nearer = replace(row, **{one.column: max(waits - by, began + _LEAST)})
        changes.append(Change(row, nearer, life.kind(one.event), author))
    await store_lives.append(connection, region, life, changes)


def _nearer(one: Deadline) -> str:
    """In the order of the keys, as every other statement that locks several rows of these tables."""
    return f"""
        UPDATE {one.table} t SET {one.column} = greatest(t.{one.column} - $3::interval, t.{one.begins} + interval '1 microsecond')
        FROM (
            SELECT {one.key} FROM {one.table} WHERE compliance_region = $1 AND tenant_id = $2 AND {one.column} > now() AND {one.waits}
            ORDER BY {one.key} FOR UPDATE
        ) due
        WHERE t.compliance_region = $1 AND t.{one.key} = due.{one.key}
    """
