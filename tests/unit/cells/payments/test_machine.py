"""The lifecycle's table: whole, live, and drawn as it is."""

from itertools import product

import pytest

from cells.payments.drawing import README, redrawn
from cells.payments.machine import (
    FINAL,
    INITIAL,
    LEDGER_EFFECTS,
    TABLE,
    Advance,
    Early,
    Effect,
    Event,
    Impossible,
    Leg,
    Repeat,
    State,
    decide,
    owed,
    public,
)


def reachable(leg: Leg) -> set[State]:
    seen: set[State] = set()
    frontier = {INITIAL[leg]}
    while frontier:
        state = frontier.pop()
        seen.add(state)
        frontier |= {advance.state for (a_leg, at, _), advance in TABLE.items() if (a_leg, at) == (leg, state)} - seen
    return seen


def test_the_drawing_in_the_readme_is_the_table() -> None:
    text = README.read_text()
    assert redrawn(text) == text, "run `python -m cells.payments.drawing`"


def test_every_triple_has_an_answer() -> None:
    for leg, state, event in product(Leg, State, Event):
        assert isinstance(decide(leg, state, event), Advance | Repeat | Impossible | Early)


@pytest.mark.parametrize("leg", Leg)
def test_every_row_can_be_reached_and_every_reachable_state_can_end(leg: Leg) -> None:
    states = reachable(leg)
    assert {state for a_leg, state, _ in TABLE if a_leg is leg} <= states
    for state in states:
        trail, frontier = set[State](), {state}
        while frontier:
            at = frontier.pop()
            trail.add(at)
            frontier |= {a.state for (a_leg, s, _), a in TABLE.items() if (a_leg, s) == (leg, at)} - trail
        assert trail & FINAL, f"{leg} can never come to rest from {state}"


@pytest.mark.parametrize("leg", Leg)
def test_a_ledger_effect_is_awaited_by_the_state_it_leads_to(leg: Leg) -> None:
    """Recovery carries out `owed(state)` again: each state with a ledger effect must owe exactly that one."""
    for (a_leg, _, _), advance in TABLE.items():
        effects = [effect for effect in advance.effects if effect in LEDGER_EFFECTS]
        if a_leg is leg and effects:
            assert effects == [owed(leg, advance.state)]


@pytest.mark.parametrize("leg", Leg)
def test_an_event_told_twice_is_a_repeat(leg: Leg) -> None:
    for (a_leg, _, event), advance in TABLE.items():
        if a_leg is leg and (leg, advance.state, event) not in TABLE:
            assert isinstance(decide(leg, advance.state, event), Repeat)


def test_after_the_instruction_only_the_destination_ends_it() -> None:
    for state in (State.INSTRUCTED, State.PENDING_RAIL, State.SETTLING, State.COMPLETED):
        assert isinstance(decide(Leg.ORIGIN, state, Event.CANCEL), Impossible)
    ending = {event for (leg, state, event) in TABLE if leg is Leg.ORIGIN and state is State.PENDING_RAIL}
    assert ending == {Event.SETTLED, Event.RAIL_REJECTED, Event.DESTINATION_REJECTED}


def test_two_answers_that_contradict_each_other_cannot_both_be_taken() -> None:
    assert isinstance(decide(Leg.ORIGIN, State.REFUNDED, Event.SETTLED), Impossible)
    assert isinstance(decide(Leg.ORIGIN, State.COMPLETED, Event.RAIL_REJECTED), Impossible)


def test_paid_after_it_was_given_back_is_never_silence() -> None:
    """While it is being given back the word is to be told again; once it is at rest, it has a chain of its own."""
    for leg in (Leg.DESTINATION, Leg.IN_REGION):
        for state in (State.RESTORING, State.RAIL_REJECTED):
            assert isinstance(decide(leg, state, Event.RAIL_SETTLED), Early)
        lost = decide(leg, State.REFUNDED, Event.RAIL_SETTLED)
        assert lost == Advance(State.LOSING, (Effect.LOSE,))
        assert isinstance(decide(leg, State.LOST, Event.RAIL_SETTLED), Repeat)
    assert isinstance(decide(Leg.DESTINATION, State.RELEASED, Event.RAIL_SETTLED), Early)


def test_money_leaves_the_hold_only_on_a_final_word() -> None:
    """POST follows a settlement and nothing else; VOID never follows one."""
    posting = {event for (_, _, event), advance in TABLE.items() if Effect.POST in advance.effects}
    voiding = {event for (_, _, event), advance in TABLE.items() if Effect.VOID in advance.effects}
    assert posting == {Event.SETTLED, Event.RAIL_SETTLED}
    assert not voiding & posting


def test_partners_see_the_states_of_the_design_only() -> None:
    hidden = {
        State.SETTLING,
        State.CANCELLING,
        State.RELEASING,
        State.FREEZING,
        State.UNFREEZING,
        State.RESUMING,
        State.RESTORING,
        State.LOSING,
        State.LOST,
    }
    assert {public(state) for state in State} == set(State) - hidden
