"""L4 over every pair of states that the lifecycle can bring about, and over those it cannot."""

from collections.abc import Iterator

import pytest

from cells.payments.machine import FINAL, INITIAL, TABLE, Event, Leg, State
from cells.reconciliation.legs import LegFacts
from cells.reconciliation.payments import leg_findings, orphan_findings, pair_findings
from cells.reconciliation.standing import Standing, is_in, moving, standings

_ANSWERS = {
    Event.SETTLED: (State.COMPLETED, Standing.POSTED),
    Event.RAIL_REJECTED: (State.REFUNDED, Standing.VOIDED),
    Event.DESTINATION_REJECTED: (State.REFUNDED, Standing.NONE),
}
Pair = tuple[State, State | None, Standing]


def leg(kind: Leg, state: State, target: int = 1_700_000, currency: str = "IDR") -> LegFacts:
    charged = (1000, 8, 2) if kind is Leg.ORIGIN else (0, 0, 0)
    return LegFacts("tr_eu1_x", kind, state, "eu-1", "id-1", "EUR", currency, *charged, target, 0, 1, None)


def _steps(kind: Leg, state: State, standing: Standing) -> Iterator[tuple[Event, State, Standing]]:
    said = {Event.HELD: Standing.HELD, Event.POSTED: Standing.POSTED, Event.VOIDED: Standing.VOIDED}
    for (a_leg, a_state, event), advance in TABLE.items():
        if (a_leg, a_state) == (kind, state):
            yield event, advance.state, said.get(event, standing)


def _joint() -> set[Pair]:
    """Every pair of states that two cells can be in at once, with what the second holds: the first instructs, the second answers."""
    start = (INITIAL[Leg.ORIGIN], None, Standing.NONE)
    seen: set[Pair] = set()
    frontier: list[Pair] = [start]
    while frontier:
        pair = frontier.pop()
        if pair in seen:
            continue
        seen.add(pair)
        origin, there, standing = pair
        for event, state, _ in _steps(Leg.ORIGIN, origin, standing):
            if event in _ANSWERS and (there, standing) != _ANSWERS[event]:
                continue
            if event is Event.RECEIPTED and there is None:
                continue
            frontier.append((state, there, standing))
        if there is None and origin is State.INSTRUCTED:
            frontier.append((origin, INITIAL[Leg.DESTINATION], Standing.NONE))
        if there is not None:
            frontier += [(origin, state, now) for _, state, now in _steps(Leg.DESTINATION, there, standing)]
    return seen


JOINT = sorted(_joint(), key=str)


def _judge(origin: State, there: State | None) -> tuple[list, dict[str, int]]:
    others = {} if there is None else {"tr_eu1_x": leg(Leg.DESTINATION, there)}
    return pair_findings("eu-1", "id-1", [leg(Leg.ORIGIN, origin)], others)


def test_no_pair_that_can_be_is_a_fault_and_all_but_the_ended_are_in_flight() -> None:
    assert (State.COMPLETED, State.COMPLETED, Standing.POSTED) in JOINT
    assert len(JOINT) > 30
    for origin, there, _ in JOINT:
        findings, under_way = _judge(origin, there)
        assert findings == [], (origin, there)
        assert bool(under_way) == moving(origin), (origin, there)


@pytest.mark.parametrize("origin", sorted(FINAL & {state for state in State if standings(Leg.ORIGIN, state)}))
@pytest.mark.parametrize("there", [None, *sorted(state for state in State if standings(Leg.DESTINATION, state))])
def test_an_ended_payment_beside_any_other_ending_is_a_fault(origin: State, there: State | None) -> None:
    findings, _ = _judge(origin, there)
    settled = there is not None and is_in(Leg.DESTINATION, there, Standing.POSTED)
    held = there is not None and is_in(Leg.DESTINATION, there, Standing.HELD)
    wrong = not settled if is_in(Leg.ORIGIN, origin, Standing.POSTED) else settled or held
    assert bool(findings) == wrong
    assert all(one.subject == "tr_eu1_x" and one.cells == ("eu-1", "id-1") for one in findings)


@pytest.mark.parametrize(("target", "currency"), [(1_700_001, "IDR"), (1_700_000, "GBP")])
def test_legs_that_differ_in_amount_or_currency_are_a_fault(target: int, currency: str) -> None:
    there = leg(Leg.DESTINATION, State.PENDING_RAIL, target, currency)
    findings, _ = pair_findings("eu-1", "id-1", [leg(Leg.ORIGIN, State.INSTRUCTED)], {"tr_eu1_x": there})
    assert len(findings) == 1


def test_a_leg_that_nobody_sent_is_an_orphan() -> None:
    legs = [leg(Leg.DESTINATION, State.COMPLETED)]
    assert len(orphan_findings("eu-1", "id-1", legs, set())) == 1
    assert orphan_findings("eu-1", "id-1", legs, {"tr_eu1_x"}) == []


def test_a_state_that_the_leg_cannot_be_in_is_named() -> None:
    [found] = leg_findings("id-1", [leg(Leg.DESTINATION, State.CANCELLED)])
    assert found.found == "CANCELLED"
