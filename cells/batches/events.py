"""The event of a batch that has ended. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from cells.journal.entry import Entry
from cells.kit.money import money
from cells.webhooks.event import Event, event_of

_ENDS = frozenset({"completed", "partially_completed", "failed"})


def event_type_of(entry: Entry) -> str | None:
    """The type of the event that an entry is; None where it is none."""
    return f"batch.{entry.event}" if entry.event in _ENDS else None


def events_of(stream: Sequence[Entry]) -> Iterator[Event]:
    """The events of a stream from its beginning, oldest first."""
    for entry in stream:
        if (event_type := event_type_of(entry)) is not None:
            yield event_of(entry, event_type, _data(entry))


def _data(entry: Entry) -> dict[str, Any]:
    facts = entry.facts
    fault = facts.get("fault") or {}
    return {
        "batch_id": entry.stream,
        "wallet_id": facts["wallet_id"],
        "status": facts["state"],
        "amount": money(facts["spent"], facts["source_currency"]),
        "lines": {one["status"]: one["count"] for one in facts["lines"]},
        "reason_code": fault.get("code"),
        "reason": fault.get("detail"),
    }
