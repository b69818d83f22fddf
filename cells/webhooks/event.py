"""An event: an entry of the journal that a partner is told of. Pure.

Its id and its body follow from the entry and from what the life's stream holds before it, none of which ever changes: so the bytes are the same
at every attempt, whenever and wherever they are made.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import orjson

from cells.journal.entry import Entry
from cells.webhooks.catalogue import EVENT_TYPES
from residency.classes import Confidential, Public
from residency.ids import compact, encode, parse

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AT_MAX: Final = 2**48 - 1
# Version and variant of a UUIDv7 (RFC 9562, section 5.7); what is random there is a hash here.
_FIXED, _FREE = 0x7 << 76 | 0b10 << 62, (1 << 80) - 1 ^ (0xF << 76 | 0b11 << 62)


class Event(NamedTuple):
    """`body` is the text that is signed and sent."""

    event_id: Annotated[str, Public]
    event_type: Annotated[str, Public]
    resource_id: Annotated[str, Public]
    body: Annotated[str, Confidential]
    occurred_at: Annotated[datetime, Public]


def event_id_of(entry: Entry) -> str:
    """`evt_<cell>_…`: the entry's millisecond, and a hash of which entry it is."""
    name = hashlib.sha256(f"{entry.stream}:{entry.version}".encode()).digest()
    rest = int.from_bytes(name[:10]) & _FREE | _FIXED
    return _id(parse(entry.stream).cell, _milliseconds(entry.at) << 80 | rest)


def event_id_at(cell: str, at: datetime) -> str:
    """The least id that an event of the instant can have. Ids begin with their millisecond."""
    return _id(cell, max(0, _milliseconds(at)) << 80)


def instants_of(event_id: str) -> tuple[datetime, datetime]:
    """The millisecond in which an event's entry was written: from, and until before. Raises MalformedId; OverflowError for a time that nobody
    can write."""
    began = _EPOCH + timedelta(milliseconds=parse(event_id, "evt").milliseconds)
    return began, began + _MILLISECOND


def event_of(entry: Entry, event_type: str, data: dict[str, Any], resource_id: str | None = None) -> Event:
    """The event that an entry is; `resource_id`: what it is about, where that is not the stream."""
    if event_type not in EVENT_TYPES:
        raise ValueError(f"{event_type} is no event type; append it to CATALOGUE")
    event_id = event_id_of(entry)
    body = {"id": event_id, "type": event_type, "timestamp": stamp(entry.at), "data": data}
    return Event(event_id, event_type, resource_id or entry.stream, orjson.dumps(body).decode(), entry.at)


def stamp(at: datetime) -> str:
    """An instant as events write it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _milliseconds(at: datetime) -> int:
    return min((at - _EPOCH) // _MILLISECOND, _AT_MAX)


def _id(cell: str, value: int) -> str:
    return f"evt_{compact(cell)}_{encode(UUID(int=value))}"
