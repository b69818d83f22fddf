"""From the journal to the endpoints: a delivery for each event that an endpoint wants. None of it commits.

One reader for the cell goes on in the order of commits and keeps its place in the same commit as the deliveries. A place that is lost is
begun anew, and what has its delivery already gets no second.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cells.backends.postgres import Connection
from cells.events.render import Metadata, event_type_of, read_lives, shown
from cells.journal import store_public
from cells.journal.entry import Entry
from cells.journal.store_public import Onward, position_of
from cells.webhooks import store, store_log
from cells.webhooks.endpoint_events import TEST
from cells.webhooks.event import event_id_of
from cells.webhooks.store import Delivery, Listener, NewDelivery
from residency.errors import place_of

READER: Final = "webhooks"
_log = logging.getLogger("kovra.events")
# A place is kept without a delivery, too, before what is read over again grows longer than so many transactions.
_STALE: Final = 10_000


async def fan_out(connection: Connection, region: str, *, limit: int) -> Onward | None:
    """Queue the deliveries of the next entries; what was read, or None while another worker is at it."""
    after = await store.lock_place(connection, region, READER)
    if after is None:
        return None
    onward = await store_public.read_all(connection, region, after, limit, store.LISTENING)
    if onward.entries:
        tenants = sorted({one.tenant_id for one in onward.entries})
        listeners = await store.listeners(connection, region, tenants)
        await store.queue(connection, region, wanted(onward.entries, listeners))
    if onward.entries or onward.end.recorded_in - after.recorded_in > _STALE:
        await store.keep_place(connection, region, READER, onward.end)
    return onward


async def with_bodies(connection: Connection, region: str, taken: Sequence[Delivery]) -> list[Delivery]:
    """Deliveries with the text that is sent; one whose text cannot be made, which is a bug, has none, and holds up no other."""
    lives, metadata = await read_lives(connection, region, [one.stream for one in taken])
    return [one._replace(body=_body(one, lives, metadata)) for one in taken]


def _body(delivery: Delivery, lives: Mapping[str, Sequence[Entry]], metadata: Metadata) -> str | None:
    try:
        [entry] = [one for one in lives[delivery.stream] if one.version == delivery.version]
        return shown([entry], lives, metadata)[delivery.event_id].body
    except Exception as error:  # noqa: BLE001 - a bug in one event must not stop the others
        _log.critical("the body of %s cannot be made: %s", delivery.event_id, place_of(error))
        return None


async def go_on_replaying(connection: Connection, region: str, *, limit: int) -> int:
    """Queue the next page of one endpoint's replay, if one is due; answers how many entries were looked at."""
    replay = await store_log.lock_replay(connection, region)
    if replay is None:
        return 0
    listener = replay.listener
    entries = await store_public.read_tenant(
        connection, region, listener.tenant_id, replay.after, limit, before=replay.until
    )
    again = [one for one in wanted(entries, [listener]) if one.event_type != TEST]
    await store.queue_again(connection, region, again)
    end = position_of(entries[-1]) if entries else replay.after
    await store_log.keep_replay(
        connection, region, listener.endpoint_id, end, ended=len(entries) < limit and replay.closed
    )
    return len(entries)


def wanted(entries: Iterable[Entry], listeners: Iterable[Listener]) -> list[NewDelivery]:
    """Which endpoint is sent which entry. Pure. A test goes to the endpoint that it is of, whatever it listens for."""
    by_tenant: dict[str, list[Listener]] = {}
    for one in listeners:
        by_tenant.setdefault(one.tenant_id, []).append(one)
    return [delivery for entry in entries for delivery in _deliveries(entry, by_tenant.get(entry.tenant_id, ()))]


def _deliveries(entry: Entry, listeners: Iterable[Listener]) -> list[NewDelivery]:
    try:
        event_type = event_type_of(entry)
        return [
            NewDelivery(event_id_of(entry), one.endpoint_id, entry.tenant_id, event_type, entry.stream, entry.version)
            for one in listeners
            if event_type is not None and entry.recorded_in >= one.listens_from and _wants(one, event_type, entry)
        ]
    except Exception as error:  # noqa: BLE001 - a bug in one entry must not stop the others; a replay finds it again
        _log.critical("what %s %d is to endpoints cannot be told: %s", entry.stream, entry.version, place_of(error))
        return []


def _wants(listener: Listener, event_type: str, entry: Entry) -> bool:
    if event_type == TEST:
        return entry.stream == listener.endpoint_id
    return not listener.event_types or event_type in listener.event_types
