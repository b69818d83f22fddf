"""What a transfer needs that has stood still: the one rule of recovery, a pure function of the row.

Everything asked here was journaled before, is asked with the same ids, and may be asked any number of times. A transfer that waits
for somebody outside (the destination, the rail, an officer) needs nothing until a time has passed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cells.payments.machine import Effect, Event, Leg, State, owed
from cells.payments.transfer import Told, Transfer
from residency.errors import needed

# ISO 20022 ExternalStatusReason1Code: regulatory reason. All that a partner hears of a review that did not end well.
REGULATORY: Final = "RR04"
# How long a case for review holds the funds and keeps the rate before the money goes back.
REVIEW_LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Need:
    """At most one of the three: a ledger effect to carry out again, an event to tell, or the rail to be asked."""

    effect: Effect | None = None
    told: Told | None = None
    submit: bool = False


def need_of(transfer: Transfer, now: datetime) -> Need:
    """What would move `transfer` on. Pure; `now` decides only whether a review's deadline has passed."""
    effect = owed(transfer.leg, transfer.state)
    if effect is not None:
        return Need(effect=effect)
    if transfer.state in (State.INSTRUCTED, State.PENDING_RAIL) and transfer.answer is not None:
        return Need(told=told_by_answer(transfer))
    match transfer.state:
        case State.ADMITTED | State.WAITING:
            return Need(told=Told(transfer.transfer_id, Event.TAKEN))
        case State.PENDING_RAIL if transfer.leg is not Leg.ORIGIN:
            return Need(submit=True)
        case State.IN_REVIEW if transfer.screening == "block" and transfer.leg is not Leg.DESTINATION:
            return Need(told=Told(transfer.transfer_id, Event.SANCTIONED))
        case State.IN_REVIEW if transfer.review_until is not None and transfer.review_until <= now:
            return Need(told=Told(transfer.transfer_id, Event.REVIEW_REFUSED, {"reason_code": REGULATORY}))
    return Need()


def told_by_answer(transfer: Transfer) -> Told:
    """The event that the instructed cell's kept answer means."""
    answer = needed(transfer.answer, "the instructed cell has answered")
    facts = {name: answer[name] for name in ("reason_code", "scheme_reference") if answer.get(name)}
    return Told(transfer.transfer_id, Event(answer["event"]), facts)
