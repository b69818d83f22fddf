"""What an operator sees of payments under way: how long each stayed in each room, as a histogram and, where traces are wanted, a span;
and each transition, as a line of the log.

Told by whoever takes the step, from the rows it holds anyway: nothing is read or written for it. The time of a stay runs from the
leg's last change in the journal to now, so a step that is rolled back after it was told counts once too often; the timeline, which
`kovra trace` prints, is the record.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Final

from cells.kit import metrics, trace
from cells.payments.machine import FINAL, Event, Leg, State
from cells.payments.transfer import Move, Transfer
from residency.classes import Confidential, Public
from residency.log import Line, facts

_log = logging.getLogger("kovra.watch")
_transitions = logging.getLogger("kovra.transitions")

ACCEPT, ADMIT, ANSWER = "accept", "admit", "answer"
# The room whose work a step ends. `answer`: the time until the instructed cell's word is admitted; `take`: until the wallet acts.
ROOM_OF: Final = MappingProxyType(
    {
        Event.TAKEN: "take",
        Event.HELD: "hold",
        Event.HELD_FOR_REVIEW: "hold",
        Event.HOLD_REFUSED: "hold",
        Event.REFERRED: "admit",
        Event.CLEARED: "review",
        Event.REVIEW_REFUSED: "review",
        Event.SANCTIONED: "review",
        Event.FROZEN: "settle",
        Event.RELEASED_TO_PAYER: "review",
        Event.RELEASED_TO_PAYEE: "review",
        Event.UNFROZEN: "settle",
        Event.CANCEL: "cancel",
        Event.INSTRUCT: "export",
        Event.RECEIPTED: "receipt",
        Event.RAIL_SETTLED: "rail",
        Event.RAIL_REFUSED: "rail",
        Event.RESTORE: "rail",
        Event.SETTLED: "take",
        Event.RAIL_REJECTED: "take",
        Event.DESTINATION_REJECTED: "take",
        Event.POSTED: "settle",
        Event.VOIDED: "settle",
        Event.LOSS_BOOKED: "settle",
        Event.EXPORT: "export",
        Event.PARTIALLY_RETURNED: "return",
        Event.RETURNED: "return",
    }
)
ROOMS: Final = frozenset({ACCEPT, ADMIT, ANSWER, *ROOM_OF.values()})
_FAILED = frozenset({
    Event.HOLD_REFUSED, Event.REVIEW_REFUSED, Event.SANCTIONED, Event.RAIL_REFUSED, Event.RAIL_REJECTED, Event.DESTINATION_REJECTED,
    Event.RESTORE,
})  # fmt: skip

STAYS = metrics.Spread(
    "kovra_room_seconds", "How long legs stayed in each room", ["cell", "leg", "room"], metrics.SECONDS
)
LIVES = metrics.Spread(
    "kovra_leg_seconds",
    "From acceptance or admission to rest, by how it ended",
    ["cell", "leg", "state"],
    metrics.SECONDS,
)


def cell_of(leg: Transfer) -> str:
    """The cell whose journal holds this leg."""
    return leg.destination_cell if leg.leg is Leg.DESTINATION else leg.origin_cell


def minted_at(transfer_id: str) -> datetime:
    """When the door minted the id: the first 48 bits of its uuid, which are the first ten characters but for two bits."""
    return datetime.fromtimestamp((int(transfer_id[-26:-16], 32) >> 2) / 1000, UTC)


def born(legs: Iterable[Transfer], since: Mapping[str, datetime], room: str) -> None:
    """New legs, each with the time when the work on it began: at this cell's door, or in the other cell's exporter."""
    now, stays = datetime.now(UTC), list[trace.Stay]()
    spans = trace.current()
    for one in legs:
        began = since[one.transfer_id]
        STAYS.observe((now - began).total_seconds(), cell_of(one), str(one.leg), room)
        if spans is not None:
            stays.append(_stay(one, room, began, now, room, failed=False))
    if spans is not None:
        spans.write(stays)


@dataclass(frozen=True, slots=True)
class TransitionLine(Line):
    """One transition of one leg. `before`: "" for a new one. `request_id`: the request that caused it, "" where none did."""

    transfer_id: Annotated[str, Public]
    leg: Annotated[str, Public]
    version: Annotated[int, Public]
    step: Annotated[str, Public]
    before: Annotated[str, Public]
    now: Annotated[str, Public]
    tenant_id: Annotated[str, Confidential]
    request_id: Annotated[str, Public] = ""


def made(legs: Sequence[Transfer], room: str, requests: Mapping[str, str] = MappingProxyType({})) -> None:
    """Log new legs. `requests`: by transfer id, the request that asked for it."""
    lines = [
        TransitionLine(
            one.transfer_id, str(one.leg), one.version, room, "", str(one.state), one.tenant_id,
            requests.get(one.transfer_id, ""),
        )
        for one in legs
    ]  # fmt: skip
    facts(_transitions, logging.INFO, "transition", lines)


def moved(waves: Sequence[Sequence[Move]]) -> None:
    """Steps that were taken in one transaction. What follows at once on another of the same leg stayed no time at all."""
    now, seen, stays = datetime.now(UTC), set[str](), list[trace.Stay]()
    spans = trace.current()
    for move in (move for wave in waves for move in wave):
        before, event = move.before, move.told.event
        room, cell = ROOM_OF[event], cell_of(before)
        began = now if before.transfer_id in seen else before.updated_at or now
        seen.add(before.transfer_id)
        if move.now.state is State.LOSING:
            lost(move.now)
        STAYS.observe((now - began).total_seconds(), cell, str(before.leg), room)
        if move.now.state in FINAL and before.state not in FINAL:
            LIVES.observe(
                (now - (before.created_at or now)).total_seconds(), cell, str(before.leg), str(move.now.state)
            )
        if spans is not None:
            stays.extend(_stays(move, room, began, now))
    if spans is not None:
        spans.write(stays)
    _log_moves(waves)


def _log_moves(waves: Sequence[Sequence[Move]]) -> None:
    if not _transitions.isEnabledFor(logging.INFO):
        return
    lines = [
        TransitionLine(
            after.transfer_id, str(after.leg), after.version, str(move.told.event), str(move.before.state),
            str(after.state), after.tenant_id, move.told.author.request_id if move.told.author else "",
        )
        for wave in waves for move in wave for after in (move.now,)
    ]  # fmt: skip
    facts(_transitions, logging.INFO, "transition", lines)


def lost(leg: Transfer) -> None:
    """Paid although it was given back: somebody must look, and get the money again from whoever has it twice."""
    _log.critical("%s was paid by %s after it had been given back", leg.transfer_id, leg.rail)


def answered(legs: Iterable[Transfer]) -> None:
    """Origin legs, as they stood, whose answer has just been admitted: until now they waited for the other cell."""
    now = datetime.now(UTC)
    for one in legs:
        if one.answer is None:
            STAYS.observe((now - (one.updated_at or now)).total_seconds(), cell_of(one), str(one.leg), ANSWER)


def _stays(move: Move, room: str, began: datetime, now: datetime) -> Iterable[trace.Stay]:
    event, after = move.told.event, move.now
    yield _stay(after, room, began, now, str(event), failed=event in _FAILED)
    if after.state in FINAL and move.before.state not in FINAL:
        whole = _stay(after, str(after.leg), after.created_at or began, now, str(event), failed=False)
        yield replace(whole, version=0)


def _stay(leg: Transfer, name: str, began: datetime, now: datetime, event: str, *, failed: bool) -> trace.Stay:
    attributes: dict[str, str | int | bool] = {
        "kovra.cell": cell_of(leg),
        "kovra.event": event,
        "kovra.state": str(leg.state),
        "kovra.version": leg.version,
        "kovra.rail": leg.rail,
    }
    return trace.Stay(leg.transfer_id, str(leg.leg), leg.version, name, began, now, attributes, failed)
