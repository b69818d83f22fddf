"""What follows a payment, by our connector against the running scheme: giving credits back, recalls, and keeping what was recalled."""

from collections.abc import AsyncIterator

import pytest

from cells.rails.console import SchemeConsole, wallet_account
from cells.rails.iso20022.connector import Iso20022Rail
from cells.rails.later import RecallKept, RecallOut
from cells.rails.rail import Party, RailUnavailable, Refused, ReturnOut, Settled
from cells.rails.registry import open_rail
from residency.ids import mint
from tests.support.scheme_gateway import Gateway, listening
from tests.support.schemes import RunningSchemes, payout
from tests.support.waiting import until

RAIL = "sepa_instant"


@pytest.fixture
async def rail(schemes: RunningSchemes) -> AsyncIterator[Iso20022Rail]:
    opened = open_rail(RAIL, schemes.connection(RAIL))
    assert isinstance(opened, Iso20022Rail)
    yield opened
    await opened.close()


@pytest.fixture
async def console(schemes: RunningSchemes) -> AsyncIterator[SchemeConsole]:
    async with SchemeConsole(schemes.connection(RAIL)) as opened:
        yield opened


@pytest.fixture
async def gateway(schemes: RunningSchemes) -> AsyncIterator[Gateway]:
    async with listening(schemes) as opened:
        yield opened


async def accepted_credit(console: SchemeConsole, amount_minor: int) -> str:
    creditor = wallet_account("iban", "LT643999001123456789")
    reference = await console.collect(amount_minor, "EUR", creditor, Party("Ann Payer"))

    async def accepted() -> bool:
        return bool((await console.collection(reference))["status"] == "accepted")

    await until(accepted)
    return reference


async def test_a_credit_is_given_back_once_and_never_more(
    rail: Iso20022Rail, console: SchemeConsole, gateway: Gateway
) -> None:
    reference = await accepted_credit(console, 5_000)
    first, second = (
        ReturnOut(mint("ret", "eu-1").replace("_", "-"), reference, "E2E", 3_000, "EUR", "AC04") for _ in range(2)
    )
    [settled, refused] = await rail.give_back([first, second])
    assert isinstance(settled, Settled)
    assert isinstance(refused, Refused)
    assert refused.reason_code == "AM02"
    [again] = await rail.give_back([first])
    assert isinstance(again, Settled)
    unknown = ReturnOut(mint("ret", "eu-1").replace("_", "-"), "INnever", "E2E", 1, "EUR", "AC04")
    [never] = await rail.give_back([unknown])
    assert isinstance(never, Refused)
    assert never.reason_code == "AG09"


async def test_a_recall_is_taken_and_answered_by_a_message_of_its_own(rail: Iso20022Rail, gateway: Gateway) -> None:
    asked = payout(rail.profile)
    never = f"tr-eu1-{asked.end_to_end_id[-26:]}x"[:35]
    await rail.submit([asked])
    await rail.recall([RecallOut("RC" + never[-20:], never, 100, "EUR", "DUPL")])

    async def answered() -> bool:
        return bool(gateway.named("camt.029", never))

    await until(answered)
    assert gateway.named("camt.029", never)[0].text("TxCxlSts") == "RJCR"


async def test_a_recalled_credit_may_be_kept(rail: Iso20022Rail, console: SchemeConsole, gateway: Gateway) -> None:
    reference = await accepted_credit(console, 700)
    await rail.keep([RecallKept("RC1", reference, "E2E", "CUST")])


async def test_an_unreached_scheme_is_asked_again(rail: Iso20022Rail, schemes: RunningSchemes) -> None:
    known = schemes.connection(RAIL)
    away = open_rail(RAIL, type(known)("http://127.0.0.1:9/nobody", known.participant, known.secret))
    assert isinstance(away, Iso20022Rail)
    with pytest.raises(RailUnavailable):
        await away.recall([RecallOut("RC1", "tr-1", 100, "EUR", "DUPL")])
    await away.close()
