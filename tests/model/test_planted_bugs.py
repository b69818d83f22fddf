"""Each planted bug is found, and by the shortest way there is; without it, nothing is."""

import pytest

from tests.model.explore import Explorer
from tests.model.planted import PLANTED, Planted
from tests.model.world import World

# What each is found by: the first thing that goes wrong.
SIGNS = {
    "post before settlement": "SETTLING cannot take rail_rejected",
    "resubmit under a new id": "paid one payment twice",
    "drop the outbox row on publish": "nothing will ever happen",
    "void after settle": "CANCELLED cannot take settled",
    "export before the conditional transition": "CANCELLED cannot take settled",
    "take a ledger's not found for did not happen": "L3",
    "take the word on one attempt for the word on the next": "WAITING cannot take held",
    "write down a chain that was never asked for": "L6",
    "ask for a chain again under other ids": "the ledger refused post",
    "apply a return twice": "L6",
    "return more than was paid": "L4",
    "take a duplicate return for another": "nothing will ever happen",
    "accept a reply from the wrong cell": "L4",
}


def _named(bug: Planted) -> str:
    return bug.name


@pytest.mark.parametrize("bug", PLANTED, ids=_named)
def test_a_planted_bug_is_found(bug: Planted) -> None:
    with bug.world() as world:
        report = Explorer(world).search(bug.faults)
    print(f"\n{bug.name}: {report}")
    assert report.found is not None
    assert SIGNS[bug.name] in report.found.fault


@pytest.mark.parametrize("bug", PLANTED, ids=_named)
def test_nothing_is_found_where_nothing_is_planted(bug: Planted) -> None:
    report = Explorer(World(bug.scenario)).search(0)
    assert report.found is None, str(report.found)


def test_a_bug_that_needs_a_fault_is_not_found_without_one() -> None:
    """The counter-example has the fewest faults: with one fewer there is none."""
    for bug in PLANTED:
        if bug.faults:
            with bug.world() as world:
                assert Explorer(world).search(bug.faults - 1).found is None, bug.name
