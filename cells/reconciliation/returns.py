"""Money that came back, and money that was lost: what the rows of `returns` say the ledger must have beside each payment's own
chains. L4, L5, L8 and L9 have their part of it. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cells.kit.money import amount_text
from cells.ledger.codes import Code, Phase
from cells.payments.machine import Leg, State


@dataclass(frozen=True, slots=True)
class Came:
    """The returns of one leg, or of many alike, added up in minor units. `recorded`: all of them, booked or not; the rest: what
    is booked, and what of it went to the wallet."""

    recorded: int = 0
    amount: int = 0
    principal: int = 0
    margin: int = 0
    fee: int = 0


@dataclass(frozen=True, slots=True)
class ReturnSum:
    """All returns of legs that are alike. `recovered`: of payments that had been given back before, so that
    they came to the house; `moving`: how many have not run their whole way here."""

    leg: Leg
    rail: str
    origin_cell: str
    destination_cell: str
    source_currency: str
    target_currency: str
    recovered: bool
    moving: int
    came: Came


def expected_beside(leg: Leg, state: State, came: Came, payout: int) -> dict[Phase, dict[Code, int]]:
    """What the journal must call applied of a leg beside its own chains."""
    direct: dict[Code, int] = {}
    match leg:
        case _ if state is State.LOST:
            direct = {Code.IN_DOUBT_LOSS: payout, Code.RETURN_RECOVERED: came.amount}
        case Leg.ORIGIN:
            direct[Code.RETURN_DEALING] = came.amount
            direct[Code.RETURN_PRINCIPAL] = came.principal
            direct[Code.RETURN_MARGIN] = came.margin
        case Leg.DESTINATION:
            direct[Code.RETURN_POSITION] = came.amount
        case Leg.IN_REGION:
            direct[Code.RETURN_CREDIT] = came.amount
    direct[Code.RETURN_FEE] = came.fee
    arrived = {} if leg is Leg.ORIGIN or not came.amount else {Code.RETURN: came.amount}
    found = {
        Phase.HOLD: arrived, Phase.POST: arrived, Phase.DIRECT: {code: amount for code, amount in direct.items() if amount},
    }  # fmt: skip
    return {phase: amounts for phase, amounts in found.items() if amounts}


def state_fault(leg: Leg, state: State, came: Came, payout: int, currency: str) -> tuple[str, str, str] | None:
    """(what, expected, found) where a leg's state and its returns do not say the same, or more came back than was paid. `currency`: of
    the payout."""
    if came.recorded > payout:
        return "what came back", f"at most {amount_text(payout, currency)}", amount_text(came.recorded, currency)
    if leg is Leg.DESTINATION or state is State.LOST:
        completed = state in (State.COMPLETED, State.LOST) or not came.amount
        return None if completed else ("state of a payment that came back", "COMPLETED", str(state))
    back = {State.PARTIALLY_RETURNED, State.RETURNED}
    if came.amount:
        wanted = State.RETURNED if came.amount == payout else State.PARTIALLY_RETURNED
        fits = state is wanted
    else:
        wanted, fits = State.COMPLETED, state not in back
    back_text = amount_text(came.amount, currency)
    return None if fits else (f"state of a payment of which {back_text} came back", str(wanted), str(state))


def position_change(sums: Sequence[ReturnSum]) -> Counter[tuple[str, str]]:
    """By (peer, currency): what returns change of what is owed to it."""
    changes: Counter[tuple[str, str]] = Counter()
    for one in (one for one in sums if not one.recovered):
        if one.leg is Leg.ORIGIN:
            changes[one.destination_cell, one.target_currency] -= one.came.amount
        elif one.leg is Leg.DESTINATION:
            changes[one.origin_cell, one.target_currency] += one.came.amount
    return changes


def came_between(sums: Iterable[ReturnSum], leg: Leg, cells: set[str], currency: str) -> int:
    """What is booked of returns between two cells, in the legs of that kind."""
    return sum(
        one.came.amount
        for one in sums
        if one.leg is leg
        and not one.recovered
        and one.target_currency == currency
        and {one.origin_cell, one.destination_cell} == cells
    )
