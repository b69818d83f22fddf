"""Every run of every scenario, to the depth that suite.py states, ends at rest with L1 to L10; then seeded random walks far beyond it."""

import pytest

from cells.payments.machine import TABLE
from tests.model.coverage import taken
from tests.model.explore import HEADING, Explorer
from tests.model.suite import SUITE, Searched
from tests.model.world import World

WALKS, FAULTS = 20, 12


def _named(one: Searched) -> str:
    return one.scenario.name


@pytest.mark.parametrize("one", SUITE, ids=_named)
def test_every_run_ends_well(one: Searched) -> None:
    report = Explorer(World(one.scenario)).search(one.budget, deviations=one.deviations)
    print(f"\n{HEADING}\n{report}")
    assert report.found is None, str(report.found)
    assert report.complete
    assert report.ends


@pytest.mark.parametrize("one", SUITE, ids=_named)
def test_random_runs_with_many_faults_end_well(one: Searched) -> None:
    explorer = Explorer(World(one.scenario))
    for seed in range(WALKS):
        found = explorer.walk(seed, faults=FAULTS)
        assert found is None, f"seed {seed}: {found}"


def test_the_scenarios_reach_every_row_of_the_lifecycle() -> None:
    """A search that never takes a transition says nothing of it."""
    assert set(TABLE) == taken(SUITE)
