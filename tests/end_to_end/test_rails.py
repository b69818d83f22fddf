"""Every rail through every ending, over real HTTP through the router: paid once or not at all, and the books of all cells agree."""

import asyncio
from collections.abc import Iterator

import pytest

from cells.rails.console import Payments
from cells.reconciliation.report import TITLES, Status
from residency.directory import load_directory
from tests.support.rail_matrix import ANSWERS_WITHIN, CASES, ROWS, Played, play
from tests.support.whole_stack import running_stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Its own stack: one that waits shorter than its schemes say."""
    with pytest.MonkeyPatch.context() as environment:
        for rail, seconds in ANSWERS_WITHIN.items():
            environment.setenv("_".join(filter(None, ("KOVRA_SANDBOX_ANSWER_S", rail))), seconds)
        environment.setenv("KOVRA_SANDBOX_FINALITY_S", "4")
        with running_stack() as stack:
            yield asyncio.run(play(stack))


def test_every_declared_rail_is_played() -> None:
    assert set(ROWS) == {rail for cell in load_directory().cells.values() for rail in cell.rails}


@pytest.mark.parametrize("title", CASES)
@pytest.mark.parametrize("rail", ROWS)
def test_a_payment_ends_as_it_should_and_is_paid_at_most_once(played: Played, rail: str, title: str) -> None:
    key, case = (rail, title), CASES[title]
    assert key not in played.failed, played.failed[key]
    transfer = played.ended[key]
    assert transfer.status == case.status
    assert case.comes_back or transfer.reason_code == case.reason
    assert played.counted[key] == Payments(1, case.paid, case.back(ROWS[rail].amount)), "asked, paid, returned"


@pytest.mark.parametrize("rail", ROWS)
def test_money_arrives(played: Played, rail: str) -> None:
    assert played.credited[rail] == "accepted"


@pytest.mark.parametrize("invariant", list(TITLES))
def test_every_invariant_holds_at_rest(played: Played, invariant: str) -> None:
    assert played.report is not None
    [found] = [one for one in played.report.results if one.invariant == invariant]
    assert found.status is Status.HELD, played.report.findings
