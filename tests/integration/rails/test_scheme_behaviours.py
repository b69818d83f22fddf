"""The simulated schemes do what a script or a command says, over HTTP: the running simulator, a cell's connector, and a listening door."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from cells.rails.console import ConsoleRefused, Payments, SchemeConsole
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import InDoubt, Payout, Rail, Refused, Settled
from cells.rails.registry import open_rail
from tests.support.scheme_gateway import Gateway, listening
from tests.support.schemes import RunningSchemes, payout, start_schemes, stop_schemes
from tests.support.waiting import until


@pytest.fixture(params=sorted(rail_profiles()))
def rail_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def rail(rail_name: str, schemes: RunningSchemes) -> AsyncIterator[Rail]:
    opened = open_rail(rail_name, schemes.connection(rail_name, answer_time_s=0.3))
    yield opened
    await opened.close()


@pytest.fixture
async def console(rail_name: str, schemes: RunningSchemes) -> AsyncIterator[SchemeConsole]:
    async with SchemeConsole(schemes.connection(rail_name)) as opened:
        yield opened


@pytest.fixture
async def gateway(schemes: RunningSchemes) -> AsyncIterator[Gateway]:
    async with listening(schemes) as opened:
        yield opened


async def told(gateway: Gateway, asked: Payout, count: int = 1) -> list[tuple[str, str]]:
    """(status, reason) of every pacs.002 that came by itself about a payment, once there are so many."""
    await until(lambda: len(gateway.named("pacs.002", asked.end_to_end_id)) >= count)
    reports = gateway.named("pacs.002", asked.end_to_end_id)
    return [(one.text("TxSts"), one.text("StsRsnInf/Rsn/Cd")) for one in reports]


async def test_unknown_stays_unknown_until_a_command_settles_it(
    rail: Rail, console: SchemeConsole, gateway: Gateway
) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Unknown")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, InDoubt)
    for _ in range(3):
        [found] = await rail.inquire([asked.end_to_end_id])
        assert isinstance(found, InDoubt)
        assert found.cause == "pending"
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=0)
    await console.settle(asked.end_to_end_id)
    [(status, _)] = await told(gateway, asked)
    assert status in rail.profile.settled_statuses
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, Settled)
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=1)
    with pytest.raises(ConsoleRefused):
        await console.reject(asked.end_to_end_id)


async def test_a_command_rejects_with_any_reason(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Unknown")
    await rail.submit([asked])
    await console.reject(asked.end_to_end_id, "RR04")
    assert await told(gateway, asked) == [("RJCT", "RR04")]
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, Refused)
    assert found.reason_code == "RR04"


async def test_a_lost_payment_may_turn_up_paid(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Lost")
    await rail.submit([asked])
    await console.settle(asked.end_to_end_id)
    assert len(await told(gateway, asked)) == 1
    assert (await console.payments(asked.end_to_end_id)).paid == 1


async def test_nobody_decides_what_was_never_asked(console: SchemeConsole, rail: Rail) -> None:
    with pytest.raises(ConsoleRefused):
        await console.settle(payout(rail.profile).end_to_end_id)


@pytest.mark.parametrize(("name", "ending"), [("", Settled), (" Rejected AC06", Refused)])
async def test_the_late_answer_comes_by_itself_after_an_inquiry(
    rail: Rail, gateway: Gateway, name: str, ending: type
) -> None:
    asked = payout(rail.profile, name="Sandbox Answer Late" + name)
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, InDoubt)
    assert not gateway.named("pacs.002", asked.end_to_end_id)
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, InDoubt)
    [(status, reason)] = await told(gateway, asked)
    assert (status == "RJCT", reason) == ((True, "AC06") if ending is Refused else (False, ""))
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, ending)
    assert len(gateway.named("pacs.002", asked.end_to_end_id)) == 1


async def test_answered_twice_comes_by_itself_too(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile, name="Sandbox Answer Twice")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, Settled | InDoubt)
    await told(gateway, asked)
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=1)


async def test_settled_a_day_later(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile, name="Sandbox Settle Later")
    before = await console.statement()
    [outcome] = await rail.submit([asked])
    [still] = await rail.inquire([asked.end_to_end_id])
    for one in (outcome, still):
        assert isinstance(one, InDoubt)
        assert one.cause == "pending"
    await console.advance(timedelta(hours=23))
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=0)
    await console.advance(timedelta(hours=1))
    assert len(await told(gateway, asked)) == 1
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, Settled)
    assert (await console.statement()).out_minor == before.out_minor + asked.amount_minor


async def returned(gateway: Gateway, asked: Payout) -> list[tuple[int, str]]:
    """(amount, reason) of the returns that came of a payment, once there is one."""
    await until(lambda: bool(gateway.named("pacs.004", asked.end_to_end_id)))
    found = gateway.named("pacs.004", asked.end_to_end_id)
    return [(one.amount("RtrdIntrBkSttlmAmt"), one.text("RtrRsnInf/Rsn/Cd")) for one in found]


def returned_for(rail: Rail, reason: str) -> str:
    """SEPA Instant gives money back only in answer to a recall."""
    return "FOCR" if rail.profile.name == "sepa_instant" else reason


@pytest.mark.parametrize(("name", "part"), [("Return AC06", 1), ("Return Half AC06", 2)])
async def test_a_payment_comes_back_two_days_later(
    rail: Rail, console: SchemeConsole, gateway: Gateway, name: str, part: int
) -> None:
    asked = payout(rail.profile, name=f"Sandbox {name}")
    amount = asked.amount_minor // part // rail.profile.payable_unit_minor * rail.profile.payable_unit_minor
    await rail.submit([asked])
    await console.advance(timedelta(days=1))
    assert not (await console.payment(asked.end_to_end_id))["payments"][0]["returns"]
    await console.advance(timedelta(days=1))
    assert await returned(gateway, asked) == [(amount, returned_for(rail, "AC06"))]

    async def counted() -> bool:
        return await console.payments(asked.end_to_end_id) == Payments(1, 1, amount)

    await until(counted)


async def test_no_more_comes_back_than_was_paid(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile)
    unit = rail.profile.payable_unit_minor
    await rail.submit([asked])
    first = await console.give_back(asked.end_to_end_id, unit, "AC06")
    assert await console.give_back(asked.end_to_end_id, unit, "AC06", return_id=first) == first
    with pytest.raises(ConsoleRefused):
        await console.give_back(asked.end_to_end_id, asked.amount_minor)
    await console.give_back(asked.end_to_end_id)
    await until(lambda: len(gateway.named("pacs.004", asked.end_to_end_id)) == 2)
    assert sum(amount for amount, _ in await returned(gateway, asked)) == asked.amount_minor
    with pytest.raises(ConsoleRefused):
        await console.give_back(asked.end_to_end_id, unit)
    await console.give_back(asked.end_to_end_id, 2 * unit, unchecked=True)
    await until(lambda: len(gateway.named("pacs.004", asked.end_to_end_id)) == 3)


async def test_a_refused_return_may_come_again(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile)
    await rail.submit([asked])
    gateway.refusal = "AG09"
    reference = await console.give_back(asked.end_to_end_id)

    async def refused() -> bool:
        return bool((await console.returned(reference))["status"] == "refused")

    await until(refused)
    gateway.refusal = None
    assert (await console.payments(asked.end_to_end_id)).returned_minor == 0
    assert await console.give_back(asked.end_to_end_id) != reference


async def test_a_return_is_sent_as_often_as_asked(rail: Rail, console: SchemeConsole, gateway: Gateway) -> None:
    asked = payout(rail.profile)
    await rail.submit([asked])
    reference = await console.give_back(asked.end_to_end_id, deliveries=2)
    await until(lambda: len(gateway.named("pacs.004", asked.end_to_end_id)) == 2)
    await console.duplicate(reference)
    await until(lambda: len(gateway.named("pacs.004", asked.end_to_end_id)) == 3)
    assert {one.text("RtrId") for one in gateway.named("pacs.004", asked.end_to_end_id)} == {reference}

    async def counted() -> bool:
        return (await console.payments(asked.end_to_end_id)).returned_minor == asked.amount_minor

    await until(counted)


async def test_what_was_never_paid_is_not_returned(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="Sandbox Reject")
    await rail.submit([asked])
    with pytest.raises(ConsoleRefused):
        await console.give_back(asked.end_to_end_id)


async def test_a_closed_scheme_refuses_and_says_so_again(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile)
    state = await console.set_hours(open_now=False)
    assert (state.hours, state.open) == ("closed", False)
    try:
        outcomes = [*await rail.submit([asked]), *await rail.inquire([asked.end_to_end_id])]
    finally:
        await console.set_hours(open_now=True)
    for outcome in outcomes:
        assert isinstance(outcome, Refused)
        assert outcome.reason_code == "TM01"
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=0)
    [outcome] = await rail.submit([payout(rail.profile)])
    assert not isinstance(outcome, Refused)


async def test_a_killed_simulator_goes_on_where_it_was() -> None:
    """What it paid, planned, and had still to deliver is there after a SIGKILL, and so is its time."""
    running = start_schemes()
    name = "sepa_instant"
    rail = open_rail(name, running.connection(name, answer_time_s=0.3))
    try:
        async with SchemeConsole(running.connection(name)) as console:
            paid, later = payout(rail.profile), payout(rail.profile, name="Sandbox Return")
            await rail.submit([paid])
            await rail.submit([later])
            await console.give_back(paid.end_to_end_id)
            before = await console.advance(timedelta(days=1))
        running.restart()
        async with SchemeConsole(running.connection(name)) as console, listening(running) as gateway:
            assert (await console.state()).now >= before.now
            assert await returned(gateway, paid) == [(paid.amount_minor, "FOCR")]
            await console.advance(timedelta(days=1))
            assert await returned(gateway, later) == [(later.amount_minor, "FOCR")]
            assert (await console.payments(paid.end_to_end_id)).paid == 1
    finally:
        await rail.close()
        stop_schemes(running)
