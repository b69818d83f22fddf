"""What the state of a leg says of its holds. Pure; derived from the lifecycle's own table, so that it cannot drift from it."""

from enum import StrEnum
from typing import Final

from cells.payments.machine import FINAL, INITIAL, TABLE, Event, Leg, State


class Standing(StrEnum):
    """What the ledger has of a leg, at the instant when the journal shows its state."""

    NONE = "none"  # no hold (or one that was refused)
    HELD = "held"
    POSTED = "posted"
    VOIDED = "voided"
    FROZEN = "frozen"
    FREED = "freed"  # frozen, and given back by two officers


_OUTCOME: Final = {
    Event.HELD: Standing.HELD,
    Event.HELD_FOR_REVIEW: Standing.HELD,
    Event.POSTED: Standing.POSTED,
    Event.VOIDED: Standing.VOIDED,
    Event.FROZEN: Standing.FROZEN,
    Event.UNFROZEN: Standing.FREED,
}


def _derive() -> dict[tuple[Leg, State], frozenset[Standing]]:
    """Walk every path through the table, carrying what the ledger was last heard to say."""
    found: dict[tuple[Leg, State], set[Standing]] = {}
    frontier = [(leg, state, Standing.NONE) for leg, state in INITIAL.items()]
    while frontier:
        leg, state, standing = frontier.pop()
        seen = found.setdefault((leg, state), set())
        if standing in seen:
            continue
        seen.add(standing)
        frontier += [
            (leg, advance.state, _OUTCOME.get(event, standing))
            for (a_leg, a_state, event), advance in TABLE.items()
            if (a_leg, a_state) == (leg, state)
        ]
    return {key: frozenset(standings) for key, standings in found.items()}


_STANDINGS: Final = _derive()


def standings(leg: Leg, state: State) -> frozenset[Standing]:
    """Every standing that is possible in that state; empty for a state the leg can never be in.

    One, but for a leg that ended REFUNDED: voided, freed, or rejected before anything was held.
    """
    return _STANDINGS.get((leg, state), frozenset())


def is_in(leg: Leg, state: State, standing: Standing) -> bool:
    """Whether that state means that standing and no other."""
    return standings(leg, state) == {standing}


def moving(state: State) -> bool:
    return state not in FINAL
