"""A handful of faults on the stack that the session's tests share: what `make chaos` does for longer, to more."""

import pytest

from tests.chaos.run import Plan, run_on
from tests.chaos.stack import Running
from tests.support.whole_stack import RunningStack

FAULTS = ("kill-wallet-actor", "kill-api", "kill-postgres", "cut-transit", "wipe-jetstream")
SEED = 7


@pytest.mark.breaks_the_stack
@pytest.mark.timeout(600)  # of which it takes one on a quiet machine
async def test_nothing_is_lost_and_nothing_is_paid_twice_while_parts_are_killed(stack: RunningStack) -> None:
    said: list[str] = []
    plan = Plan(SEED, FAULTS, random_s=0, clients=2, hold_s=3.0)
    result = await run_on(Running.of(stack.home, stack.status), plan, said.append)
    assert [one for one in result.recovered if not one.recovered] == [], said
    assert [one for one in result.verdicts if not one.holds] == [], said
    assert len(result.recovered) == len(FAULTS)
    assert not any(one.note for one in result.recovered), "none of these may be skipped"
