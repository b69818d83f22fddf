"""How long a payment spent in each room on its way through two cells. Pure.

Every line of a leg's timeline is written when a room commits its step, so the time between two lines of the path belongs to the
room that wrote the second. Receipts run beside the path and are left out of the sum, not out of the timeline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.cli.demo_books import Moment

# Where the payment is, by the step that ends its stay; `{rail}` and cells are filled in. In the order of the path.
_ORIGIN_OUT = (
    ("accepted", "door: router and API {origin}", "the request, its key, the intent journaled"),
    ("held", "wallet {origin}", "screened, funds held in the ledger"),
    ("instruct", "border {origin}, out", "signed, sealed, logged at customs"),
)
_DESTINATION = (
    ("admitted", "border {destination}, in", "carried, verified, logged, admitted"),
    ("taken", "wallet {destination}", "taken up by the correspondent's actor"),
    ("held", "wallet {destination}", "the peer's position held in the ledger"),
    ("rail_settled", "rail {rail}", "pacs.008 out, pacs.002 back"),
    ("posted", "wallet {destination}", "paid out in the ledger"),
    ("export", "border {destination}, out", "the answer signed and logged"),
)
_ORIGIN_BACK = (
    ("settled", "border {origin}, in", "carried back, verified, admitted"),
    ("posted", "wallet {origin}", "the hold posted: COMPLETED"),
)
_WEBHOOK = ("webhook", "signed, delivered, verified")


@dataclass(frozen=True)
class Stay:
    """A payment's time in one room: what was done there, and when it ended."""

    room: str
    what: str
    ms: float
    until: datetime


def stays(
    asked_at: datetime, origin: Sequence[Moment], destination: Sequence[Moment], heard_at: datetime, rail: str
) -> list[Stay]:
    """The path of a payment that completed, room by room, from the partner's request to its webhook."""
    names = {"origin": origin[0].cell, "destination": destination[0].cell, "rail": rail}
    path = [
        *((room, what, _at(origin, event)) for event, room, what in _ORIGIN_OUT),
        *((room, what, _at(destination, event)) for event, room, what in _DESTINATION),
        *((room, what, _at(origin, event)) for event, room, what in _ORIGIN_BACK),
        (*_WEBHOOK, heard_at),
    ]
    found: list[Stay] = []
    since = asked_at
    for room, what, until in path:
        found.append(Stay(room.format(**names), what, (until - since).total_seconds() * 1000, until))
        since = until
    return found


def _at(moments: Sequence[Moment], event: str) -> datetime:
    """When a leg took `event`; a payment that completed has taken every event of its path."""
    return next(moment.at for moment in moments if moment.event == event)
