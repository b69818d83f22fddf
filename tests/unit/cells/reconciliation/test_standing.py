"""What a state says of its holds is derived from the lifecycle's table; these are the words a person would say."""

import pytest

from cells.payments.machine import TABLE, Leg, State
from cells.reconciliation.standing import Standing, is_in, moving, standings


@pytest.mark.parametrize(
    ("leg", "state", "standing"),
    [
        (Leg.ORIGIN, State.CREATED, Standing.NONE),
        (Leg.ORIGIN, State.IN_REVIEW, Standing.HELD),
        (Leg.ORIGIN, State.SETTLING, Standing.HELD),
        (Leg.ORIGIN, State.DESTINATION_REJECTED, Standing.HELD),
        (Leg.ORIGIN, State.COMPLETED, Standing.POSTED),
        (Leg.ORIGIN, State.RESUMING, Standing.FROZEN),
        (Leg.DESTINATION, State.IN_REVIEW, Standing.NONE),
        (Leg.ORIGIN, State.CANCELLED, Standing.VOIDED),
        (Leg.ORIGIN, State.REJECTED, Standing.NONE),
        (Leg.ORIGIN, State.BLOCKED, Standing.FROZEN),
        (Leg.DESTINATION, State.WAITING, Standing.NONE),
        (Leg.DESTINATION, State.HOLDING, Standing.NONE),
        (Leg.DESTINATION, State.PENDING_RAIL, Standing.HELD),
        (Leg.DESTINATION, State.SETTLED, Standing.POSTED),
        (Leg.DESTINATION, State.RELEASED, Standing.VOIDED),
        (Leg.IN_REGION, State.PENDING_RAIL, Standing.HELD),
    ],
)
def test_a_state_means_one_standing(leg: Leg, state: State, standing: Standing) -> None:
    assert is_in(leg, state, standing)


def test_only_a_refunded_leg_may_have_come_there_by_more_than_one_way() -> None:
    reached = {(leg, state) for leg, state, _ in TABLE} | {(leg, one.state) for (leg, _, _), one in TABLE.items()}
    unsure = {key for key in reached if len(standings(*key)) != 1}
    after = {State.REFUNDED, State.LOSING, State.LOST}
    ways = {(leg, one) for leg in (Leg.DESTINATION, Leg.IN_REGION) for one in after} | {(Leg.ORIGIN, State.REFUNDED)}
    assert unsure == ways
    assert standings(Leg.DESTINATION, State.REFUNDED) == {Standing.VOIDED, Standing.NONE}
    assert standings(Leg.ORIGIN, State.REFUNDED) == {Standing.VOIDED, Standing.FREED}


def test_nothing_is_held_at_rest() -> None:
    for leg in Leg:
        assert not any(is_in(leg, state, Standing.HELD) and not moving(state) for state in State)


def test_a_state_that_a_leg_cannot_be_in_has_no_standing() -> None:
    assert standings(Leg.DESTINATION, State.CANCELLED) == frozenset()
