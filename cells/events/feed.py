"""Events as partners read them: a feed without gaps. Reads only, in the caller's transaction; under the API's role a tenant's own.

The order is that of the journal (cells/journal/store_public.py). Transactions are short; the feed waits for milliseconds. Of one payment,
events stand in the order of its stream.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cells.backends.postgres import Connection
from cells.events.render import event_type_of, rendered
from cells.journal import store_public
from cells.journal.entry import Entry, Position
from cells.journal.store_public import BEGINNING, position_of
from cells.webhooks.event import Event, event_id_of, instants_of

# No more rows than this are looked through for one page, however rare what is asked for.
WINDOW_ROWS = 2_000
# A transaction lasts no longer (command_timeout is 30 s), nor do two clocks of a cell differ by as much.
_SLACK: Final = timedelta(seconds=60)
_FIRST, _LAST = (datetime(year, 1, 2, tzinfo=UTC) for year in (1970, 9999))


class Page(NamedTuple):
    """Part of the feed. `last`: the id to go on after, which need not be of an event on the page; None if none was passed.
    `more`: whether something is there to read at once."""

    events: list[Event]
    last: str | None
    more: bool


async def entry_of(connection: Connection, region: str, tenant_id: str, event_id: str) -> Entry | None:
    """The entry that a tenant's event is. Raises MalformedId."""
    try:
        since, until = instants_of(event_id)
    except OverflowError:
        return None
    found = await store_public.read_between(connection, region, tenant_id, since, until)
    return next((one for one in found if event_id_of(one) == event_id), None)


async def place_before(connection: Connection, region: str, tenant_id: str, at: datetime) -> Position:
    """A place before every event that occurred at `at` or later, though perhaps a minute early."""
    bound = min(max(at, _FIRST), _LAST) - _SLACK
    found = await store_public.last_before(connection, region, tenant_id, bound)
    return BEGINNING if found is None else position_of(found)


async def read(
    connection: Connection, region: str, tenant_id: str, *, after: Position, limit: int, types: Sequence[str] = ()
) -> Page:
    """A tenant's events after a place, oldest first; of `types` alone, if any are named."""
    window = WINDOW_ROWS if types else limit
    rows = await store_public.read_tenant(connection, region, tenant_id, after, window + 1)
    passed = rows[:window]
    fits = [one for one in passed if not types or event_type_of(one) in types]
    shown = fits[:limit]
    cut = len(fits) > limit
    last = shown[-1] if cut else passed[-1] if passed else None
    events = await rendered(connection, region, shown)
    return Page(events, None if last is None else event_id_of(last), cut or len(rows) > window)


async def read_resources(
    connection: Connection, region: str, resource_ids: Sequence[str], *, after: Position = BEGINNING
) -> list[Event]:
    """The events of these resources after a place, oldest first: a handful for each."""
    return await rendered(connection, region, await store_public.read_streams(connection, region, resource_ids, after))


async def read_recent(
    connection: Connection, region: str, resource_ids: Sequence[str], since: int
) -> tuple[list[Event], int]:
    """The events of these resources of the transactions from `since` on, oldest first, and from where to ask on."""
    entries, bound = await store_public.read_recent(connection, region, resource_ids, since)
    return await rendered(connection, region, entries), bound


async def read_event(connection: Connection, region: str, tenant_id: str, event_id: str) -> Event | None:
    """One event of a tenant. Raises MalformedId."""
    found = await entry_of(connection, region, tenant_id, event_id)
    return None if found is None else (await rendered(connection, region, [found]))[0]
