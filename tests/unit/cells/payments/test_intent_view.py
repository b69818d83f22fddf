"""The view of an intent: every state of a payer's payment has its line, statuses only move forward, and the document says the same."""

from pathlib import Path

import pytest

from cells.payments.intent_view import VIEW, IntentStatus, intent_status
from cells.payments.machine import TABLE, Leg, State, public

_ORDER = [
    IntentStatus.CREATED,
    IntentStatus.VALIDATED,
    IntentStatus.AUTHORIZED,
    IntentStatus.SETTLED,
    IntentStatus.REVERSED,
]
_STEPS = [
    (state, advance.state) for (leg, state, _), advance in TABLE.items() if leg in (Leg.ORIGIN, Leg.IN_REGION)
]  # fmt: skip


def test_every_state_of_a_payers_payment_is_shown_and_no_other_has_a_line() -> None:
    lived = {state for step in _STEPS for state in step}
    assert {public(state) for state in lived} == set(VIEW)
    assert {intent_status(state) for state in lived} == set(IntentStatus)


@pytest.mark.parametrize(("before", "after"), _STEPS)
def test_a_status_never_goes_back(before: State, after: State) -> None:
    was, is_now = intent_status(before), intent_status(after)
    if before is State.RESUMING:
        # The one way back: two officers have released it from a freeze.
        assert (was, is_now) == (IntentStatus.FAILED, IntentStatus.VALIDATED)
    elif IntentStatus.FAILED in (was, is_now):
        assert is_now is IntentStatus.FAILED
        assert was not in (IntentStatus.SETTLED, IntentStatus.REVERSED)
    else:
        assert _ORDER.index(was) <= _ORDER.index(is_now)


def test_the_document_has_the_table() -> None:
    said = (Path(__file__).parents[4] / "cells" / "payments" / "README.md").read_text()
    for state, status in VIEW.items():
        assert f"| {state} | {status} |" in said
