"""Events as partners read them: a feed without gaps. Reads only, in the caller's transaction.

The order is (recorded_in, event_id): the transaction that recorded an event, then the event's own id. A feed stops below the
oldest transaction that is still open (the snapshot's xmin), so that whatever commits late comes later in the feed, and who goes on
from the last event he saw has missed none. Transactions are short; it waits for milliseconds. Of one payment, events of different
transactions stand in the order in which these began, which is theirs but for a race: `timestamp` and `state` decide.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from cells.backends.postgres import Connection, Record
from residency.ids import compact, encode

# No more rows than this are looked through for one page, however rare what is asked for.
WINDOW_ROWS = 2_000
# A transaction lasts no longer (command_timeout is 30 s), nor do two clocks of a cell differ by as much.
_SLACK = timedelta(seconds=60)
# Before the first event there can be: the time of an id counts from here.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """A place in the feed: after that event. `recorded_in` as text."""

    recorded_in: str
    event_id: str

    @property
    def just_before(self) -> "Position":
        """The place before that very event: no two ids differ in their last character alone."""
        return Position(self.recorded_in, self.event_id[:-1])


BEGINNING = Position("0", "")


class StoredEvent(NamedTuple):
    event_id: str
    event_type: str
    resource_id: str
    body: str
    occurred_at: datetime


class Page(NamedTuple):
    """Part of the feed. `last`: the id to go on after, which need not be of an event on the page; None if none was passed.
    `more`: whether something is there to read at once."""

    events: list[StoredEvent]
    last: str | None
    more: bool


async def position_of(connection: Connection, region: str, event_id: str) -> Position | None:
    """Where an event stands in the feed. Under the API's role: None for another tenant's."""
    row = await connection.fetchrow(
        "select recorded_in::text, event_id from events where compliance_region = $1 and event_id = $2",
        region, event_id,
    )  # fmt: skip
    return Position(**dict(row)) if row is not None else None


async def position_before(connection: Connection, region: str, cell: str, at: datetime) -> Position:
    """A place before every event that occurred at `at` or later, though perhaps a minute early. With the writer's role, whose
    neighbour in time may be any tenant's."""
    bound = event_id_at(cell, max(at, _FIRST) - _SLACK)
    row = await connection.fetchrow(
        """
        select recorded_in::text, event_id from events
        where compliance_region = $1 and event_id < $2 order by event_id desc limit 1
        """,
        region, bound,
    )  # fmt: skip
    return Position(**dict(row)) if row is not None else BEGINNING


def event_id_at(cell: str, at: datetime) -> str:
    """The least id that an event of the instant can have. Ids begin with their millisecond (RFC 9562)."""
    milliseconds = max(0, int(at.timestamp() * 1000)) & (2**48 - 1)
    return f"evt_{compact(cell)}_{encode(UUID(int=milliseconds << 80))}"


async def read_feed(
    connection: Connection, region: str, tenant_id: str, *, after: Position, limit: int, types: Sequence[str] = ()
) -> Page:
    """A tenant's events after a place, oldest first; of `types` alone, if any are named."""
    rows = await connection.fetch(
        """
        select event_id, event_type, resource_id, body, occurred_at from events
        where compliance_region = $1 and tenant_id = $2 and (recorded_in, event_id) > ($3::text::xid8, $4)
          and recorded_in < pg_snapshot_xmin(pg_current_snapshot())
        order by recorded_in, event_id limit $5
        """,
        region, tenant_id, after.recorded_in, after.event_id, (WINDOW_ROWS if types else limit) + 1,
    )  # fmt: skip
    passed = rows[: WINDOW_ROWS if types else limit]
    fits = [row for row in passed if not types or row["event_type"] in types]
    shown = fits[:limit]
    cut = len(fits) > limit
    last = shown[-1]["event_id"] if cut else passed[-1]["event_id"] if passed else None
    return Page([StoredEvent(**dict(row)) for row in shown], last, cut or len(rows) > len(passed))


async def read_resources(
    connection: Connection, region: str, resource_ids: Sequence[str], *, after: Position = BEGINNING
) -> list[StoredEvent]:
    """What was told of these resources after a place, oldest first: a handful for each."""
    rows: list[Record] = await connection.fetch(
        """
        select event_id, event_type, resource_id, body, occurred_at from events
        where compliance_region = $1 and resource_id = any ($2::text[]) and (recorded_in, event_id) > ($3::text::xid8, $4)
          and recorded_in < pg_snapshot_xmin(pg_current_snapshot())
        order by recorded_in, event_id
        """,
        region, resource_ids, after.recorded_in, after.event_id,
    )  # fmt: skip
    return [StoredEvent(**dict(row)) for row in rows]


async def read_recent(
    connection: Connection, region: str, resource_ids: Sequence[str], since: str
) -> tuple[list[StoredEvent], str]:
    """What was told of these resources in the transactions from `since` on, oldest first, and from where to ask on."""
    rows: list[Record] = await connection.fetch(
        """
        select bound::text, event_id, event_type, resource_id, body, occurred_at
        from (select pg_snapshot_xmin(pg_current_snapshot()) as bound) as now
        left join events e on e.compliance_region = $1 and e.resource_id = any ($2::text[])
          and e.recorded_in >= $3::text::xid8 and e.recorded_in < now.bound
        order by e.recorded_in, e.event_id
        """,
        region, resource_ids, since,
    )  # fmt: skip
    events = [StoredEvent(*list(row.values())[1:]) for row in rows if row["event_id"] is not None]
    return events, rows[0]["bound"]


async def read_event(connection: Connection, region: str, event_id: str) -> StoredEvent | None:
    """One event. Under the API's role: None for another tenant's."""
    row = await connection.fetchrow(
        """
        select event_id, event_type, resource_id, body, occurred_at from events
        where compliance_region = $1 and event_id = $2
        """,
        region, event_id,
    )  # fmt: skip
    return StoredEvent(**dict(row)) if row is not None else None
