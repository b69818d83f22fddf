"""The life of a batch: where its lines lead it, how it ends, what is shown."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cells.batches.batch import AT_REST, Batch, Ended, State, after_validation, ending, public

BATCH = Batch("bat", "ten", "wal", "EUR", "json", all_or_nothing=False, line_count=3)
LATER = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "whole", "ready", "expected", "code"),
    [
        (State.VALIDATING, False, 3, State.SCHEDULED, None),
        (State.VALIDATING, False, 1, State.SCHEDULED, None),
        (State.VALIDATING, False, 0, State.FAILED, "no-valid-line"),
        (State.VALIDATING, True, 3, State.SCHEDULED, None),
        (State.VALIDATING, True, 2, State.FAILED, "line-invalid"),
        (State.SCHEDULED, False, 2, State.FUNDING, None),
        (State.SCHEDULED, True, 2, State.FAILED, "line-invalid"),
        (State.SCHEDULED, False, 0, State.FAILED, "no-valid-line"),
    ],
)
def test_valid_lines_lead_on(state: State, whole: bool, ready: int, expected: State, code: str | None) -> None:
    found, fault = after_validation(replace(BATCH, state=state, all_or_nothing=whole), ready)
    assert (found, None if fault is None else fault.code) == (expected, code)


@pytest.mark.parametrize(
    ("paid", "expected"), [(3, State.COMPLETED), (2, State.PARTIALLY_COMPLETED), (0, State.FAILED)]
)
def test_it_ends_as_its_lines_do(paid: int, expected: State) -> None:
    assert ending(BATCH, paid) is expected
    assert expected in AT_REST


def test_it_has_ended_when_nothing_moves_and_nothing_waits() -> None:
    assert Ended(0, 0, 3, 100).all_ended
    assert not Ended(1, 0, 2, 100).all_ended
    assert not Ended(0, 1, 2, 100).all_ended


@pytest.mark.parametrize(
    ("state", "at", "shown"),
    [
        (State.SCHEDULED, None, State.VALIDATING),
        (State.SCHEDULED, LATER, State.SCHEDULED),
        (State.FUNDING, None, State.VALIDATING),
        (State.FUNDING, LATER, State.SCHEDULED),
        (State.CLOSING, None, State.PROCESSING),
        *((state, None, state) for state in (State.FUNDED, State.PROCESSING, *sorted(AT_REST))),
    ],
)
def test_moments_before_the_ledgers_word_are_not_shown(state: State, at: datetime | None, shown: State) -> None:
    assert public(replace(BATCH, state=state, scheduled_for=at)) is shown
