"""What every rail makes of answers that are no plain yes or no, asked of each connector against the running scheme simulator."""

import pytest

from cells.rails.console import SchemeConsole
from cells.rails.profile import Wire
from cells.rails.rail import InDoubt, Rail, Settled
from tests.contract.test_rail_contract import connection, console, over, rail, rail_name, submitted
from tests.support.schemes import payout

__all__ = ["connection", "console", "over", "rail", "rail_name"]


@pytest.mark.parametrize("code", ["DU03", "DUPL", "BE22", "ZZ99"])
async def test_a_refusal_for_another_reason_than_those_listed_is_asked_after(
    rail: Rail, over: tuple[str, Wire], code: str
) -> None:
    if over[1] == "snap":
        pytest.skip("this bank has no case for the code, and says that it does not honour the payment")
    asked = payout(rail.profile, name=f"Sandbox Reject {code}")
    for outcome in (*await rail.submit([asked]), *await rail.inquire([asked.end_to_end_id])):
        assert isinstance(outcome, InDoubt)
        assert (outcome.cause, outcome.code) == ("unclear" if code in ("BE22", "ZZ99") else "pending", code)


async def test_a_status_of_the_whole_message_settles_the_payment_in_it(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="Sandbox Message Status")
    [outcome] = await submitted(rail, [asked])
    assert isinstance(outcome, Settled)
    assert (await console.payments(asked.end_to_end_id)).paid == 1


async def test_a_refused_inquiry_says_nothing_of_the_payment(rail: Rail) -> None:
    asked = payout(rail.profile, name="Sandbox Inquiry Refused")
    await rail.submit([asked])
    [doubtful] = await rail.inquire([asked.end_to_end_id])
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(doubtful, InDoubt)
    assert isinstance(found, Settled)


async def test_a_report_that_says_both_leaves_the_payment_in_doubt(rail: Rail, over: tuple[str, Wire]) -> None:
    asked = payout(rail.profile, name="Sandbox Contradiction")
    [outcome] = await rail.submit([asked])
    if over[1] == "iso20022":
        assert isinstance(outcome, InDoubt)
        assert outcome.cause == "contradiction"
    assert isinstance((await rail.inquire([asked.end_to_end_id]))[0], Settled)
