"""The events of a webhook endpoint: that it is disabled, and that it is tested. Pure."""

from collections.abc import Iterator, Sequence

from cells.journal.entry import Entry
from cells.webhooks.catalogue import DISABLED
from cells.webhooks.event import Event, event_of

TEST = "webhook.test"


def event_type_of(entry: Entry) -> str | None:
    """The type of the event that an entry is; None where it is none."""
    return {"tested": TEST, "disabled": "webhook.disabled"}.get(entry.event)


def events_of(stream: Sequence[Entry]) -> Iterator[Event]:
    """The events of a stream from its beginning, oldest first."""
    for entry in stream:
        if (event_type := event_type_of(entry)) is not None:
            yield event_of(entry, event_type, {"endpoint_id": entry.stream} | _why(entry))


def _why(entry: Entry) -> dict[str, str]:
    code = entry.facts.get("reason_code")
    return {} if code is None else {"reason_code": code, "reason": DISABLED[code]}
