"""The events of a payment: the entries of its stream that its partner is told of, each with the payment as it was then. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cells.journal.entry import Entry
from cells.payments.machine import TABLE, Effect, Leg, State, public
from cells.payments.stream import TRANSFER
from cells.payments.transfer import PEER_TENANT_PREFIX, resource
from cells.webhooks.event import Event, event_of

# What is an event although the state that partners see stays the same.
_NAMED: Final = {State.LOST: "paid_after_refund"}


def type_of_state(state: State) -> str:
    """The type of the event that the arrival in `state` is."""
    return f"transfer.{_NAMED.get(state, str(public(state)).lower())}"


# By step and by the state that it leads to.
_TYPES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        (str(event), str(advance.state)): type_of_state(advance.state)
        for (leg, _, event), advance in TABLE.items()
        if Effect.NOTIFY in advance.effects and leg is not Leg.DESTINATION
    }
)


def event_type_of(entry: Entry) -> str | None:
    """The type of the event that an entry is; None where it is none. What a payment is to the cell that pays it out, the payer's cell tells."""
    if entry.tenant_id.startswith(PEER_TENANT_PREFIX):
        return None
    return _TYPES.get((entry.event, entry.facts.get("state", "")))


def events_of(stream: Sequence[Entry], metadata: Mapping[str, str]) -> Iterator[Event]:
    """The events of a stream from its beginning, oldest first. `metadata`: what the partner wrote itself. Raises Unfoldable."""
    for entry, leg in zip(stream, TRANSFER.history(stream), strict=True):
        if (event_type := event_type_of(entry)) is not None:
            yield event_of(entry, event_type, resource(replace(leg, metadata=metadata)))
