"""The list of a tenant's transfers: newest first, filtered, at a cost that is bounded whatever the filters are. Reads only.

Ids are ordered by time, so the range of creation is a range of the index `transfers_by_tenant`, and a page goes on where the one
before it stopped looking. A page looks at `SCANNED_MAX` rows at most: filters that few transfers meet give pages that are not full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cells.backends.postgres import Connection
from cells.payments.store import COLUMNS, transfer_of
from cells.payments.transfer import Transfer
from residency.ids import compact, encode

SCANNED_MAX = 5_000
# An id is minted by a process before the row has the database's time: their clocks are less apart than this.
_CLOCKS_APART_MS = 3_600_000
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a transfer must be to be listed; empty or None lets all through. `created_to` is exclusive."""

    states: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    recipient_id: str | None = None
    payer_id: str | None = None
    wallet_id: str | None = None
    source_currency: str | None = None
    target_currency: str | None = None
    reference: str | None = None
    batch_id: str | None = None


async def page(
    connection: Connection,
    cell: str,
    region: str,
    tenant_id: str,
    wanted: Wanted,
    *,
    before_id: str | None,
    limit: int,
    scanned_max: int = SCANNED_MAX,
) -> tuple[list[Transfer], str | None]:
    """A tenant's own transfers before an id, `limit` at most, and the cursor that leads on (None: that was all). Destination legs
    belong to the paying cell's list, not here."""
    since, until = _within(wanted.created_from, _EARLIEST), _within(wanted.created_to, _LATEST)
    first = _first_id(cell, since, -_CLOCKS_APART_MS)
    last = min(before_id or "tr_zzz", _first_id(cell, until, _CLOCKS_APART_MS))
    rows = await connection.fetch(
        f"""
        with scanned as (
            select {COLUMNS} from transfers
            where compliance_region = $1 and tenant_id = $2 and transfer_id >= $3 and transfer_id < $4
            order by transfer_id desc limit $5
        )
        select {COLUMNS} from scanned
        where leg <> 'destination' and created_at >= $7 and created_at < $8
          and ($9::text[] = '{{}}' or state = any ($9)) and ($10::text is null or recipient_id = $10)
          and ($11::text is null or payer_id = $11) and ($12::text is null or wallet_id = $12)
          and ($13::text is null or source_currency = $13) and ($14::text is null or target_currency = $14)
          and ($15::text is null or metadata->>'reference' = $15) and ($16::text is null or batch_id = $16)
        order by transfer_id desc limit $6
        """,
        region, tenant_id, first, last, scanned_max, limit + 1, since, until, list(wanted.states), wanted.recipient_id,
        wanted.payer_id, wanted.wallet_id, wanted.source_currency, wanted.target_currency, wanted.reference,
        wanted.batch_id,
    )  # fmt: skip
    found = [transfer_of(row) for row in rows[:limit]]
    if len(rows) > limit:
        return found, found[-1].transfer_id
    stopped_at: str | None = await connection.fetchval(
        "select transfer_id from transfers where compliance_region = $1 and tenant_id = $2 and transfer_id >= $3"
        " and transfer_id < $4 order by transfer_id desc offset $5 limit 1",
        region, tenant_id, first, last, scanned_max - 1,
    )  # fmt: skip
    return found, stopped_at


def _within(at: datetime | None, otherwise: datetime) -> datetime:
    """An instant that the database can hold."""
    return otherwise if at is None else min(max(at, _EARLIEST), _LATEST)


def _first_id(cell: str, at: datetime, add_ms: int) -> str:
    """The least id that a transfer of that instant can have."""
    milliseconds = max(int(at.timestamp() * 1000) + add_ms, 0)
    return f"tr_{compact(cell)}_{encode(UUID(int=milliseconds << 80))}"
