"""Entries that partners are told of as events, as rows: in the order of commits, and by time. Reads only, in the caller's transaction.

The order is that of `store.read_on`: a reader stops below the oldest transaction that is still open, so whatever commits late comes later,
and who goes on from the last entry that it saw has missed none.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from cells.backends.postgres import Connection, Record
from cells.journal.entry import Entry, Position, born_of
from cells.journal.store import READ, entry_of

BEGINNING: Final = Position(0, "", 0)
# Which entries those are: the condition of two indexes of the journal, by a function of migrations/cell/0006_journal.sql. A test holds it against
# what the rooms make events of.
PUBLIC: Final = "is_public(kind, facts, tenant_id)"
_AFTER = "recorded_in >= $3::text::xid8 and (recorded_in, stream, version) > ($3::text::xid8, $4::text, $5::integer)"
_SETTLED = "recorded_in < pg_snapshot_xmin(pg_current_snapshot())"
_IN_ORDER = "order by journal.recorded_in, stream, version"


class Onward(NamedTuple):
    """What a reader of all tenants finds next. `end`: where to read on; `held_back`: more is committed, and waits for an older transaction."""

    entries: list[Entry]
    end: Position
    held_back: bool


def position_of(entry: Entry) -> Position:
    """The place behind an entry."""
    return Position(entry.recorded_in, entry.stream, entry.version)


async def read_tenant(
    connection: Connection, region: str, tenant_id: str, after: Position, limit: int, before: str | None = None
) -> list[Entry]:
    """A tenant's next entries. `before`: none of that transaction or a later one."""
    rows = await connection.fetch(
        f"""
        select {READ} from journal
        where compliance_region = $1 and tenant_id = $2 and {PUBLIC} and {_AFTER} and {_SETTLED}
          and ($7::text is null or recorded_in < $7::text::xid8)
        {_IN_ORDER} limit $6
        """,
        region, tenant_id, str(after.recorded_in), after.stream, after.version, limit, before,
    )  # fmt: skip
    return [entry_of(row) for row in rows]


async def read_streams(
    connection: Connection, region: str, streams: Sequence[str], after: Position = BEGINNING
) -> list[Entry]:
    """What there is of these streams after a place, a handful for each."""
    rows = await connection.fetch(
        f"""
        select {READ} from journal
        where compliance_region = $1 and born = any ($6::date[]) and stream = any ($2::text[]) and {PUBLIC} and {_AFTER} and {_SETTLED}
        {_IN_ORDER}
        """,
        region, list(streams), str(after.recorded_in), after.stream, after.version, _months(streams),
    )  # fmt: skip
    return [entry_of(row) for row in rows]


async def read_recent(
    connection: Connection, region: str, streams: Sequence[str], since: int
) -> tuple[list[Entry], int]:
    """What was written of these streams in the transactions from `since` on, and from where to ask on."""
    rows: list[Record] = await connection.fetch(
        f"""
        select now.bound::text, e.* from (select pg_snapshot_xmin(pg_current_snapshot()) as bound) as now
        left join lateral (
            select {READ} from journal
            where compliance_region = $1 and born = any ($4::date[]) and stream = any ($2::text[]) and {PUBLIC}
              and recorded_in >= $3::text::xid8 and recorded_in < now.bound
            {_IN_ORDER}
        ) e on true
        """,
        region, list(streams), str(since), _months(streams),
    )  # fmt: skip
    return [entry_of(row) for row in rows if row["stream"] is not None], int(rows[0]["bound"])


async def read_all(connection: Connection, region: str, after: Position, limit: int, tenants: str) -> Onward:
    """The next entries of those tenants that the query `tenants` names."""
    rows: list[Record] = await connection.fetch(
        f"""
        with now as materialized (
            select pg_snapshot_xmin(pg_current_snapshot()) as bound, exists (
                select from journal where compliance_region = $1 and {PUBLIC} and tenant_id in ({tenants})
                  and recorded_in >= pg_snapshot_xmin(pg_current_snapshot())
            ) as held_back
        )
        select now.bound::text, now.held_back, e.* from now
        left join lateral (
            select {READ} from journal
            where compliance_region = $1 and tenant_id in ({tenants}) and {PUBLIC} and recorded_in >= $2::text::xid8
              and (recorded_in, stream, version) > ($2::text::xid8, $3::text, $4::integer) and recorded_in < now.bound
            {_IN_ORDER} limit $5
        ) e on true
        """,
        region, str(after.recorded_in), after.stream, after.version, limit,
    )  # fmt: skip
    entries = [entry_of(row) for row in rows if row["stream"] is not None]
    bound = Position(int(rows[0]["bound"]), "", 0)
    end = position_of(entries[-1]) if len(entries) == limit else max(bound, after)
    return Onward(entries, end, rows[0]["held_back"])


async def read_between(
    connection: Connection, region: str, tenant_id: str, since: datetime, until: datetime
) -> list[Entry]:
    """A tenant's entries from one instant on and before another, whether all of them stand in the order of commits already or not."""
    rows = await connection.fetch(
        f"""
        select {READ} from journal
        where compliance_region = $1 and tenant_id = $2 and {PUBLIC} and at >= $3 and at < $4 order by at
        """,
        region, tenant_id, since, until,
    )  # fmt: skip
    return [entry_of(row) for row in rows]


async def last_before(connection: Connection, region: str, tenant_id: str, at: datetime) -> Entry | None:
    """A tenant's last entry before an instant."""
    row = await connection.fetchrow(
        f"""
        select {READ} from journal where compliance_region = $1 and tenant_id = $2 and {PUBLIC} and at < $3
        order by journal.at desc limit 1
        """,
        region, tenant_id, at,
    )  # fmt: skip
    return entry_of(row) if row is not None else None


def _months(streams: Sequence[str]) -> list[date]:
    return sorted({born_of(one) for one in streams})
