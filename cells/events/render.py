"""Entries shown as events: each with the life's stream up to it, read together for many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from cells.backends.postgres import Connection
from cells.batches import events as of_batches
from cells.credits import events as of_credits
from cells.journal import store as journal
from cells.journal.entry import Entry
from cells.payments import events as of_payments
from cells.payments import store as payments
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.webhooks import endpoint_events as of_endpoints
from cells.webhooks.event import Event, event_id_of

Metadata = Mapping[str, Mapping[str, str]]
_TYPE_OF: Final[Mapping[str, Callable[[Entry], str | None]]] = {
    "batch": of_batches.event_type_of,
    "credit": of_credits.event_type_of,
    "endpoint": of_endpoints.event_type_of,
    "transfer": of_payments.event_type_of,
}


def event_type_of(entry: Entry) -> str | None:
    """The type of the event that an entry is to its tenant; None where it is none, or its tenant a cell."""
    found = _TYPE_OF.get(_life(entry))
    return None if found is None or entry.tenant_id.startswith(PEER_TENANT_PREFIX) else found(entry)


async def rendered(connection: Connection, region: str, entries: Sequence[Entry]) -> list[Event]:
    """The events that entries are, in their order. Raises Unfoldable."""
    wanted = [one for one in entries if event_type_of(one) is not None]
    return list(shown(wanted, *await read_lives(connection, region, [one.stream for one in wanted])).values())


async def read_lives(
    connection: Connection, region: str, streams: Iterable[str]
) -> tuple[dict[str, list[Entry]], dict[str, dict[str, str]]]:
    """What bodies are made of: whole streams, and what partners wrote themselves of their payments, which never changes."""
    wanted = sorted(set(streams))
    if not wanted:
        return {}, {}
    lives = await journal.read(connection, region, wanted)
    return lives, await payments.metadata_of(connection, region, [one for one in wanted if one.startswith("tr_")])


def shown(entries: Sequence[Entry], lives: Mapping[str, Sequence[Entry]], metadata: Metadata) -> dict[str, Event]:
    """The events that entries are, by id, in the order of the entries. Pure. Raises Unfoldable."""
    last: dict[str, int] = {}
    for one in entries:
        last[one.stream] = max(one.version, last.get(one.stream, 0))
    made = {
        event.event_id: event
        for stream, version in last.items()
        for event in _events_of([one for one in lives[stream] if one.version <= version], metadata.get(stream, {}))
    }
    return {event_id: made[event_id] for event_id in map(event_id_of, entries)}


def _events_of(stream: Sequence[Entry], metadata: Mapping[str, str]) -> Iterable[Event]:
    match _life(stream[0]):
        case "transfer":
            return of_payments.events_of(stream, metadata)
        case "credit":
            return of_credits.events_of(stream)
        case "batch":
            return of_batches.events_of(stream)
        case _:
            return of_endpoints.events_of(stream)


def _life(entry: Entry) -> str:
    return entry.kind.partition(".")[0]
