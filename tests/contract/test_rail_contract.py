"""What every rail promises, asked of each connector against the running scheme simulator over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from cells.rails.connection import SchemeConnection
from cells.rails.console import Payments, SchemeConsole
from cells.rails.profile import Wire
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import (
    InDoubt,
    Outcome,
    Party,
    Payout,
    Rail,
    RailUnavailable,
    Refused,
    Settled,
    end_to_end_id,
    outcome_after,
    utc_now,
)
from cells.rails.registry import open_rail
from cells.rails.remittance import Remittance
from infra.schemes.magic import SCRIPTS, amount_of
from residency.ids import mint
from tests.support.schemes import CREDITORS, RunningSchemes, payout

WIRES = [(rail, wire) for rail, profile in sorted(rail_profiles().items()) for wire in profile.wires]


@pytest.fixture(params=WIRES, ids="-".join)
def over(request: pytest.FixtureRequest) -> tuple[str, Wire]:
    """A rail, and the wire over which it is spoken to."""
    rail, wire = request.param
    return rail, wire


@pytest.fixture
def rail_name(over: tuple[str, Wire]) -> str:
    return over[0]


@pytest.fixture
def connection(over: tuple[str, Wire], schemes: RunningSchemes) -> SchemeConnection:
    rail, wire = over
    return schemes.connection(rail, answer_time_s=0.5, wire=wire)


@pytest.fixture
async def rail(rail_name: str, connection: SchemeConnection) -> AsyncIterator[Rail]:
    opened = open_rail(rail_name, connection)
    yield opened
    await opened.close()


@pytest.fixture
async def console(rail_name: str, schemes: RunningSchemes) -> AsyncIterator[SchemeConsole]:
    async with SchemeConsole(schemes.connection(rail_name)) as opened:
        yield opened


async def submitted(rail: Rail, payouts: Sequence[Payout]) -> Sequence[Outcome]:
    """What becomes of payments; a scheme that settles later accepts them first, and is asked once more."""
    outcomes = list(await rail.submit(payouts))
    pending = [index for index, one in enumerate(outcomes) if isinstance(one, InDoubt) and one.cause == "pending"]
    found = await rail.inquire([payouts[index].end_to_end_id for index in pending])
    for index, outcome in zip(pending, found, strict=True):
        outcomes[index] = outcome
    return outcomes


async def test_settles_and_pays_once(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile)
    [outcome] = await submitted(rail, [asked])
    assert isinstance(outcome, Settled)
    assert outcome.scheme_reference
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=1)


async def test_asking_again_answers_the_same_and_pays_once(
    rail: Rail, console: SchemeConsole, over: tuple[str, Wire]
) -> None:
    asked = payout(rail.profile)
    [first] = await submitted(rail, [asked])
    [second] = await submitted(rail, [asked])
    assert isinstance(first, Settled)
    assert isinstance(second, Settled)
    assert second.scheme_reference == first.scheme_reference
    # SNAP's answers do not say when the payment was made.
    assert second.at == first.at or over[1] == "snap"
    assert await console.payments(asked.end_to_end_id) == Payments(asked=2, paid=1)


async def test_a_changed_payment_under_a_used_id_is_not_final(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile)
    await rail.submit([asked])
    [outcome] = await rail.submit([replace(asked, amount_minor=asked.amount_minor * 2)])
    assert isinstance(outcome, InDoubt)
    assert (await console.payments(asked.end_to_end_id)).paid == 1


@pytest.mark.parametrize("code", ["AC04", "AC06", "RR04"])
async def test_refusal_carries_its_reason(rail: Rail, console: SchemeConsole, code: str) -> None:
    asked = payout(rail.profile, name=f"Sandbox Reject {code}")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, Refused)
    assert (outcome.reason_code, outcome.reason) == (code, rail.profile.reasons[code])
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=0)


async def test_refusal_by_amount(rail: Rail) -> None:
    [reject] = [one for one in SCRIPTS if one.phrase == "SANDBOX REJECT"]
    asked = payout(rail.profile, amount_minor=amount_of(reject, rail.profile.name))
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, Refused)
    assert outcome.reason_code == "AC04"


async def test_silence_then_found_settled(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Settled")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, InDoubt)
    assert outcome.cause == "no_answer"
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, Settled)
    assert await console.payments(asked.end_to_end_id) == Payments(asked=1, paid=1)


async def test_silence_then_found_refused(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Rejected AC06")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, InDoubt)
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, Refused)
    assert found.reason_code == "AC06"
    assert (await console.payments(asked.end_to_end_id)).paid == 0


async def test_not_found_is_final_only_after_the_finality_time(rail: Rail) -> None:
    asked = payout(rail.profile, name="Sandbox Timeout Lost")
    asked_at = utc_now()
    await rail.submit([asked])
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, InDoubt)
    assert found.cause == "not_found"
    assert outcome_after(rail.profile, found, asked_at, utc_now()) == found
    later = asked_at.fromtimestamp(asked_at.timestamp() + rail.profile.finality_time_s, asked_at.tzinfo)
    final = outcome_after(rail.profile, found, asked_at, later)
    assert isinstance(final, Refused)
    assert final.reason_code == rail.profile.not_found_code


async def test_a_payment_never_sent_is_not_found(rail: Rail) -> None:
    [found] = await rail.inquire([end_to_end_id(mint("tr", "eu-1"))])
    assert isinstance(found, InDoubt)
    assert found.cause == "not_found"


@pytest.mark.parametrize(("name", "ending"), [("Settled", Settled), ("Rejected", Refused)])
async def test_pending_until_a_later_inquiry(rail: Rail, name: str, ending: type) -> None:
    asked = payout(rail.profile, name=f"Sandbox Pending {name}")
    [outcome] = await rail.submit([asked])
    [still] = await rail.inquire([asked.end_to_end_id])
    for one in (outcome, still):
        assert isinstance(one, InDoubt)
        assert one.cause == "pending"
    [found] = await rail.inquire([asked.end_to_end_id])
    assert isinstance(found, ending)


async def test_answered_twice_is_one_answer(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="Sandbox Answer Twice")
    [outcome] = await submitted(rail, [asked])
    assert isinstance(outcome, Settled)
    assert (await console.payments(asked.end_to_end_id)).paid == 1


async def test_many_at_once_each_with_its_own_outcome(
    rail_name: str, connection: SchemeConnection, console: SchemeConsole
) -> None:
    # Time enough for the last of them to be answered on a busy machine; those that are to time out do so all the same.
    rail = open_rail(rail_name, replace(connection, answer_time_s=2.0))
    names = ["Sandbox Reject AC04", "Sandbox Timeout Settled", "Ayu Lestari", "Sandbox Pending Settled"]
    asked = [payout(rail.profile, name=names[index % 4]) for index in range(120)]
    outcomes = await submitted(rail, asked)
    kinds = [type(one) for one in outcomes]
    assert kinds == [Refused, InDoubt, Settled, InDoubt] * 30
    counts = await asyncio.gather(*(console.payments(one.end_to_end_id) for one in asked))
    assert [one.paid for one in counts] == [0, 1, 1, 1] * 30
    assert {one.asked for one in counts} == {1}
    await rail.close()


async def test_names_in_other_letters_are_carried(rail: Rail) -> None:
    asked = payout(rail.profile, name="Jürgen Müller-Weiß, Łódź & Søn @ Ås")
    [outcome] = await submitted(
        rail, [replace(asked, remittance=Remittance(text="Facture n° 12 – merci “beaucoup” 谢谢"))]
    )
    assert isinstance(outcome, Settled)


async def test_a_long_name_is_cut_to_the_scheme_length(rail: Rail) -> None:
    [outcome] = await submitted(rail, [payout(rail.profile, name="Wolfeschlegelsteinhausenbergerdorff " * 6)])
    assert isinstance(outcome, Settled)


async def test_a_name_that_cannot_be_written_is_refused_unsent(rail: Rail, console: SchemeConsole) -> None:
    asked = payout(rail.profile, name="谢谢")
    [outcome] = await rail.submit([asked])
    assert isinstance(outcome, Refused)
    assert outcome.reason_code == "CH16"
    assert (await console.payments(asked.end_to_end_id)).asked == 0


async def test_what_the_scheme_cannot_carry_is_refused_unsent(rail: Rail, console: SchemeConsole) -> None:
    profile = rail.profile
    other = next(one for one in CREDITORS if one != profile.currency)
    cases = [(payout(profile, amount_minor=0), "AM06"), (replace(payout(profile), currency=other), "AM03")]
    if profile.ceiling_minor is not None:
        cases.append((payout(profile, amount_minor=profile.ceiling_minor + profile.payable_unit_minor), "AM02"))
    if profile.payable_unit_minor > 1:
        cases.append((payout(profile, amount_minor=profile.payable_unit_minor + 1), "AM12"))
    outcomes = await rail.submit([asked for asked, _ in cases])
    for (asked, code), outcome in zip(cases, outcomes, strict=True):
        assert isinstance(outcome, Refused)
        assert outcome.reason_code == code
        assert (await console.payments(asked.end_to_end_id)).asked == 0


async def test_the_ceiling_itself_is_carried(rail: Rail) -> None:
    ceiling = rail.profile.ceiling_minor or 10**13
    [outcome] = await submitted(rail, [payout(rail.profile, amount_minor=ceiling)])
    assert isinstance(outcome, Settled)


async def test_an_address_nobody_listens_on_is_unavailable(rail_name: str, connection: SchemeConnection) -> None:
    dead = replace(connection, url="http://127.0.0.1:9/rail")
    rail = open_rail(rail_name, dead)
    try:
        with pytest.raises(RailUnavailable):
            await rail.submit([payout(rail.profile)])
        with pytest.raises(RailUnavailable):
            await rail.inquire([payout(rail.profile).end_to_end_id])
    finally:
        await rail.close()


async def test_a_wrong_secret_is_never_a_payment(
    rail_name: str, connection: SchemeConnection, console: SchemeConsole
) -> None:
    rail = open_rail(rail_name, replace(connection, secret=b"not the secret"))
    asked = payout(rail.profile)
    try:
        with pytest.raises(RailUnavailable):
            await rail.submit([asked])
    finally:
        await rail.close()
    assert (await console.payments(asked.end_to_end_id)).asked == 0


async def test_nothing_to_do_asks_nothing(rail: Rail) -> None:
    assert await rail.submit([]) == []
    assert await rail.inquire([]) == []


async def test_a_payment_without_the_debtors_account_is_carried(rail: Rail) -> None:
    asked: Payout = payout(rail.profile)
    [outcome] = await submitted(rail, [replace(asked, debtor=Party("Hanse Remit UAB", country="LT", town="Vilnius"))])
    assert isinstance(outcome, Settled)
