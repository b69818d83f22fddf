"""The participant's account at the simulated schemes: credits, their duplicates and recalls, what is given back, statements of a day."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from lxml import etree

from cells.rails.connection import sign
from cells.rails.console import ConsoleRefused, SchemeConsole, wallet_account
from cells.rails.profile import RailProfile
from cells.rails.rail import Party, Refused, ReturnOut, Settled, utc_now
from cells.rails.registry import open_rail, profile_of
from infra.schemes.messages_returns import Cancellation, recall_message, refusal_of_recall
from tests.support.scheme_gateway import Gateway, Message, listening
from tests.support.schemes import RunningSchemes, payout
from tests.support.waiting import until

RAIL = "faster_payments"
WALLET = "04990212345678"
AMOUNT = 500_000


@pytest.fixture
def profile() -> RailProfile:
    return profile_of(RAIL)


@pytest.fixture
async def console(schemes: RunningSchemes) -> AsyncIterator[SchemeConsole]:
    async with SchemeConsole(schemes.connection(RAIL)) as opened:
        yield opened


@pytest.fixture
async def gateway(schemes: RunningSchemes) -> AsyncIterator[Gateway]:
    async with listening(schemes) as opened:
        yield opened


async def post(schemes: RunningSchemes, path: str, body: bytes) -> bytes:
    """A message of ours to the scheme; its answer."""
    connection = schemes.connection(RAIL)
    headers = sign(connection.secret, body, utc_now())
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{connection.url}/{path}", data=body, headers=headers) as answer,
    ):
        assert answer.status < 300, await answer.text()
        return await answer.read()


async def credited(console: SchemeConsole, profile: RailProfile, status: str = "accepted") -> str:
    """A credit that has been answered so."""
    creditor = wallet_account(profile.account_form, WALLET)
    reference = await console.collect(AMOUNT, profile.currency, creditor, Party("Sandbox Payer"))

    async def done() -> bool:
        return bool((await console.collection(reference))["status"] == status)

    await until(done)
    return reference


async def give_back(schemes: RunningSchemes, reference: str, amount_minor: int, return_id: str = "") -> str:
    """The scheme's final word on a return of ours, by our connector: "settled", or why not."""
    rail = open_rail(RAIL, schemes.connection(RAIL))
    out = ReturnOut(return_id or f"R{uuid4().hex}", reference, "NOTPROVIDED", amount_minor, "GBP", "AC01")
    [outcome] = await rail.give_back([out])
    await rail.close()
    match outcome:
        case Settled():
            return "settled"
        case Refused():
            return outcome.reason_code
        case _:
            return outcome.cause


async def test_a_credit_comes_again_on_command(profile: RailProfile, console: SchemeConsole, gateway: Gateway) -> None:
    before = await console.statement()
    reference = await credited(console, profile)
    await console.duplicate(reference, times=2)
    await until(lambda: [one.text("PmtId/TxId") for one in gateway.named("pacs.008")].count(reference) == 3)
    assert (await console.statement()).in_minor == before.in_minor + AMOUNT
    with pytest.raises(ConsoleRefused):
        await console.duplicate("INnever")


async def test_what_the_door_cannot_read_is_not_sent_for_ever(
    profile: RailProfile, console: SchemeConsole, gateway: Gateway
) -> None:
    gateway.status = 400
    reference = await credited(console, profile, "undeliverable")
    assert [one.text("PmtId/TxId") for one in gateway.named("pacs.008")].count(reference) == 1
    gateway.status = 200
    await console.duplicate(reference)

    async def accepted() -> bool:
        return bool((await console.collection(reference))["status"] == "accepted")

    await until(accepted)


async def test_a_credit_is_given_back_once_and_no_further(
    schemes: RunningSchemes, profile: RailProfile, console: SchemeConsole, gateway: Gateway
) -> None:
    before = await console.statement()
    reference = await credited(console, profile)
    first = "first" + reference[:20]
    assert await give_back(schemes, reference, AMOUNT - 1, first) == "settled"
    assert await give_back(schemes, reference, AMOUNT - 1, first) == "settled"
    assert await give_back(schemes, reference, AMOUNT - 2, first) == "pending", (
        "AM05: the id is taken, so it is not final"
    )
    assert await give_back(schemes, reference, 2) == "AM02"
    assert await give_back(schemes, reference, 1) == "settled"
    after = await console.statement()
    assert (after.in_minor, after.out_minor) == (before.in_minor + AMOUNT, before.out_minor + AMOUNT)
    counted = (await console.collection(reference))["given_back"]
    assert [(one["amount_minor"], one["asked"], one["status"]) for one in counted] == [
        (AMOUNT - 1, 3, "accepted"), (2, 1, "refused"), (1, 1, "accepted"),
    ]  # fmt: skip


async def test_what_never_came_is_not_taken_back(
    schemes: RunningSchemes, profile: RailProfile, console: SchemeConsole, gateway: Gateway
) -> None:
    assert await give_back(schemes, "INnever", 1) == "AG09"
    gateway.refusal = "AC04"
    refused = await credited(console, profile, "refused")
    assert await give_back(schemes, refused, 1) == "AM02"


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("Ayu Lestari", [("pacs.004", "FOCR")]),
        ("Sandbox Recall Refused", [("camt.029", "CUST")]),
        ("Sandbox Recall Refused AC04", [("camt.029", "AC04")]),
        ("Sandbox Recall Silence", []),
        ("Sandbox Reject", [("camt.029", "NOOR")]),
    ],
)
async def test_a_recall_is_answered_as_the_payee_wishes(
    schemes: RunningSchemes,
    profile: RailProfile,
    console: SchemeConsole,
    gateway: Gateway,
    name: str,
    answers: list[tuple[str, str]],
) -> None:
    asked = payout(profile, name=name)
    rail = open_rail(RAIL, schemes.connection(RAIL))
    await rail.submit([asked])
    await rail.close()
    tx_id = asked.end_to_end_id.replace("-", "")
    body = recall_message("C" + tx_id, asked.end_to_end_id, tx_id, asked.amount_minor, asked.currency, "DUPL")
    for _ in range(2):
        await post(schemes, "camt.056", body)
    await until(lambda: len(gateway.about(asked.end_to_end_id)) >= len(answers))
    found = gateway.about(asked.end_to_end_id)
    came = [(one.name, one.text("RtrRsnInf/Rsn/Cd") or one.text("CxlStsRsnInf/Rsn/Cd")) for one in found]
    assert came == answers
    known = (await console.payment(asked.end_to_end_id))["payments"][0]["recalls"]
    assert [(one["reason"], one["asked"]) for one in known] == [("DUPL", 2)]


async def test_a_credit_is_recalled_by_its_payer(
    schemes: RunningSchemes, profile: RailProfile, console: SchemeConsole, gateway: Gateway
) -> None:
    reference = await credited(console, profile)
    recall_id = await console.recall(reference, "FRAD")
    await until(lambda: bool(gateway.named("camt.056")))
    [came] = [one for one in gateway.named("camt.056") if one.text("CxlId") == recall_id]
    assert (came.text("CxlId"), came.text("OrgnlTxId")) == (recall_id, reference)
    assert (came.text("CxlRsnInf/Rsn/Cd"), came.amount("OrgnlIntrBkSttlmAmt")) == ("FRAD", AMOUNT)
    kept = Cancellation(recall_id, "NOTPROVIDED", reference, "FRAD")
    await post(schemes, "camt.029", refusal_of_recall("K1", [kept], "CUST"))
    found = await console.collection(recall_id)
    assert (found["kind"], found["status"], found["reason"]) == ("camt.056", "refused", "CUST")


def balances(found: Message) -> Mapping[str, int]:
    """Code → minor units, below zero when owed."""
    shown: dict[str, int] = {}
    for one in found.root.iterfind(".//{*}Bal"):
        balance = Message(found.rail, "", one)
        sign_of = -1 if balance.text("CdtDbtInd") == "DBIT" else 1
        shown[balance.text("Tp/CdOrPrtry/Cd")] = sign_of * balance.amount("Amt")
    return shown


def entries(found: Message) -> list[tuple[Any, ...]]:
    each = [Message(found.rail, "", one) for one in found.root.iterfind(".//{*}Ntry")]
    return [(one.text("CdtDbtInd"), one.amount("Amt"), one.text("NtryRef"), one.text("Fmly/SubFmlyCd")) for one in each]


async def test_a_days_statement_has_every_entry(
    schemes: RunningSchemes, profile: RailProfile, console: SchemeConsole, gateway: Gateway
) -> None:
    yesterday = (await console.state()).now.date()
    before = (await console.statement()).balance_minor
    await console.advance(timedelta(days=1))
    asked = payout(profile)
    rail = open_rail(RAIL, schemes.connection(RAIL))
    await rail.submit([asked])
    await rail.close()
    reference = await credited(console, profile)
    return_id = await console.give_back(asked.end_to_end_id, 700)

    async def returned() -> bool:
        return bool((await console.returned(return_id))["status"] == "accepted")

    await until(returned)
    await give_back(schemes, reference, 300, back := f"R{uuid4().hex}")
    today = Message(RAIL, "camt.053", etree.fromstring(await console.day_statement()))
    moved = AMOUNT + 700 - 300 - asked.amount_minor
    assert balances(today) == {"OPBD": before, "CLBD": before + moved}
    assert entries(today) == [
        ("DBIT", asked.amount_minor, asked.end_to_end_id.replace("-", ""), "ESCT"),
        ("CRDT", AMOUNT, reference, "ESCT"),
        ("CRDT", 700, return_id, "RRTN"),
        ("DBIT", 300, back, "RRTN"),
    ]
    old = Message(RAIL, "camt.053", etree.fromstring(await console.day_statement(yesterday)))
    assert balances(old)["CLBD"] == before
