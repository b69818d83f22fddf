"""The events of a credit: each by what its entry says, since what came before may have been another tenant's. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cells.journal.entry import Entry
from cells.kit.money import money
from cells.rails.iso20022.reason_words import reason_in_words
from cells.webhooks.event import Event, event_of, stamp

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "wallet.credit_pending",
        "booked": "wallet.credited",
        "assigned": "wallet.credited",
        "returned": "wallet.credit_returned",
    }
)


def event_type_of(entry: Entry) -> str | None:
    """The type of the event that an entry is; None where it is none."""
    return _TYPES.get(entry.event)


def events_of(stream: Sequence[Entry]) -> Iterator[Event]:
    """The events of a stream, or of the part of it that its reader may see, oldest first."""
    for entry in stream:
        if (event_type := event_type_of(entry)) is not None:
            yield event_of(entry, event_type, _data(entry))


def _data(entry: Entry) -> dict[str, Any]:
    facts = entry.facts
    available_at = facts.get("available_at")
    reason_code = facts.get("return_reason")
    return {
        "collection_id": entry.stream,
        "wallet_id": facts["wallet_id"],
        "amount": money(facts["amount"], facts["currency"]),
        "rail": facts["rail"],
        "settlement_date": facts.get("settlement_date"),
        "available_at": None if available_at is None else stamp(datetime.fromisoformat(available_at)),
        "reason_code": reason_code,
        "reason": reason_in_words(reason_code),
    }
