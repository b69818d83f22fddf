"""Which chains a leg has asked the ledger for, and what the ledger answered: a fold of its stream by the lifecycle's table. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cells.journal.entry import Entry
from cells.ledger.asked import Asked, Outcome
from cells.payments import machine
from cells.payments.lives import action_of, life_of
from cells.payments.machine import LEDGER_EFFECTS, Effect, Event, Leg, State
from cells.payments.stream import LEDGER_RESULT, TRANSFER, step_of
from cells.payments.transfer import Transfer

# What the ledger's answer is told as, and what it means of the chain that was asked for.
ANSWERS: Final[Mapping[Event, Outcome]] = MappingProxyType(
    {
        Event.HELD: "applied",
        Event.HELD_FOR_REVIEW: "applied",
        Event.HOLD_REFUSED: "failed",
        Event.FROZEN: "applied",
        Event.UNFROZEN: "applied",
        Event.POSTED: "applied",
        Event.VOIDED: "applied",
        Event.LOSS_BOOKED: "applied",
    }
)


def asks(leg: Leg, state: State, event: Event) -> Effect | None:
    """The chain that a step asks for, from `state` with `event`; None when the ledger has no part in it."""
    return next((one for one in machine.TABLE[leg, state, event].effects if one in LEDGER_EFFECTS), None)


def chains_asked(entries: Sequence[Entry], wallet_account: int, cell_numbers: Mapping[str, int]) -> list[Asked]:
    """Every chain that a leg has asked the ledger for, in order, by its whole stream. Raises Unfoldable.

    A step that asks for one is followed by the step that the ledger's answer makes, and nothing comes between but marks.
    """
    asked: list[Asked] = []
    before: Transfer | None = None
    for entry, now in zip(entries, TRANSFER.history(entries), strict=True):
        effect: Effect | None = None
        if before is None:
            effect = Effect.HOLD if now.state is State.CREATED else None
        elif step_of(entry.kind):
            event = Event(entry.event)
            if event in ANSWERS and asked:
                asked[-1] = asked[-1]._replace(outcome=ANSWERS[event], result=entry.facts.get(LEDGER_RESULT))
            effect = asks(now.leg, before.state, event)
        if effect is not None:
            life = life_of(now, wallet_account, cell_numbers)
            asked.append(Asked(life, action_of(effect), "planned", now.attempt, entry.at))
        before = now
    return asked
