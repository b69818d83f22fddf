"""A scheme's silence, and words of a scheme that contradict each other: the money, the record, and what is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cells.backends.postgres import transaction
from cells.kit.command import Command
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.payments import doubts
from cells.payments.machine import Event, State
from cells.payments.transfer import NotYet, Transfer
from cells.rails import store as submissions
from cells.rails.rail import InDoubt, Outcome, Refused, Settled, end_to_end_id, outcome_after
from cells.rails.registry import profile_of
from cells.rails.store import NewSubmission
from cells.returns.returned import TIMED_OUT
from cells.tenants.tenant import Wallet
from tests.integration.payments.test_returns import available, back, events
from tests.integration.payments.test_transfer_journey import GERMAN, accepted, cross, position
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

NOW = datetime.now(UTC)
PAID, REFUSED = Settled("SCT-1", NOW), Refused("AC04", "Closed.", NOW)


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def at_home(cells: TwoCells) -> tuple[Wallet, Transfer]:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    quote = await cells.eu.quote(cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    answer = await cells.eu.accept(wallet, quote, recipient, await cells.eu.payer(cells.tenant))
    return wallet, await cells.eu.transfer(answer.body["id"])


async def asked(cell: HandCell, transfer: Transfer, *, ago: timedelta = timedelta(0), doubtful: bool = False) -> None:
    """The rail's record: asked that long ago, and since then silent."""
    region, one = cell.spec.region, transfer.transfer_id
    async with transaction(cell.institution.pool) as connection:
        await submissions.enqueue(connection, region, transfer.rail, [NewSubmission(one, transfer.tenant_id)])
        await submissions.mark_asked(connection, region, transfer.rail, [one])
        for _ in range(2 if doubtful else 0):  # the payment itself, and an inquiry in vain
            await submissions.record(connection, region, [(one, InDoubt(NOW))])
        await connection.execute("update submissions set asked_at = now() - $1::interval", ago)


async def restore(cell: HandCell) -> list[Command]:
    async with transaction(cell.institution.pool) as connection:
        profiles = [profile_of(name) for name in cell.spec.entry.rails]
        commands = await doubts.restorable(connection, cell.spec.region, profiles)
    await cell.ask(*commands) if commands else None
    return commands


async def late(cell: HandCell, transfer: Transfer, outcome: Outcome) -> list[Command]:
    """A pacs.002 that nobody waited for, told to the wallet as the door does."""
    answers = {end_to_end_id(transfer.transfer_id): outcome}
    async with transaction(cell.institution.pool) as connection:
        commands = await doubts.take_late_answers(connection, cell.spec.region, transfer.rail, answers)
    await cell.ask(*commands) if commands else None
    return commands


async def contradicted(cell: HandCell) -> list[Command]:
    """A round of the sweep over what was paid after it had been given back."""
    async with transaction(cell.institution.pool) as connection:
        commands = await doubts.contradicted(connection, cell.spec.region)
    await cell.ask(*commands) if commands else None
    return commands


async def loss(cell: HandCell, currency: int) -> int:
    account = chart.platform(AccountType.IN_DOUBT_LOSS, currency)
    return -(await cell.ledger.lookup_accounts([account]))[account].credit_balance


async def contradictions(cell: HandCell) -> list[tuple[str, str]]:
    async with transaction(cell.institution.pool) as connection:
        rows = await connection.fetch("select said, rail from contradictions order by found_at")
    return [(row["said"], row["rail"]) for row in rows]


def final(cell: HandCell) -> timedelta:
    return timedelta(seconds=(profile_of("sepa_instant").restore_time_s or 0) + 1)


async def test_a_silent_rail_that_restores_gives_the_money_back_after_its_time_and_not_before(cells: TwoCells) -> None:
    wallet, transfer = await at_home(cells)
    await asked(cells.eu, transfer, ago=timedelta(seconds=8), doubtful=True)
    assert await restore(cells.eu) == []
    await asked(cells.eu, transfer, ago=final(cells.eu))
    await restore(cells.eu)
    given = await cells.eu.transfer(transfer.transfer_id)
    assert (given.state, given.reason_code) == (State.REFUNDED, TIMED_OUT)
    assert await available(cells.eu, wallet) == 500_000
    assert await restore(cells.eu) == []
    # It was never paid: the scheme's refusal, late, agrees with what was done.
    await late(cells.eu, transfer, REFUSED)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.REFUNDED
    assert await loss(cells.eu, 978) == 0
    assert await contradictions(cells.eu) == []


async def test_it_is_asked_after_once_before_it_restores_unless_no_inquiry_gets_through(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    await asked(cells.eu, transfer, ago=final(cells.eu))
    async with transaction(cells.eu.institution.pool) as connection:
        await submissions.record(connection, "EU", [(transfer.transfer_id, InDoubt(NOW))])
    assert await restore(cells.eu) == []
    await asked(cells.eu, transfer, ago=timedelta(seconds=profile_of("sepa_instant").finality_time_s + 1))
    assert len(await restore(cells.eu)) == 1


async def test_what_was_restored_and_is_paid_after_all_is_a_loss_that_is_told(cells: TwoCells) -> None:
    wallet, transfer = await at_home(cells)
    await asked(cells.eu, transfer, ago=final(cells.eu), doubtful=True)
    await restore(cells.eu)
    for _ in range(2):
        await late(cells.eu, transfer, PAID)
    lost = await cells.eu.transfer(transfer.transfer_id)
    assert (lost.state, lost.scheme_reference) == (State.LOST, "SCT-1")
    assert await loss(cells.eu, 978) == transfer.principal
    assert await available(cells.eu, wallet) == 500_000
    name, _ = (await events(cells.eu, transfer.transfer_id))[-1]
    assert name == "transfer.paid_after_refund"


async def test_a_rail_that_holds_never_gives_back_what_is_in_doubt(cells: TwoCells) -> None:
    _, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    await asked(cells.id, leg, ago=timedelta(days=3), doubtful=True)
    assert await restore(cells.id) == []
    assert (await cells.id.transfer(leg.transfer_id)).state is State.PENDING_RAIL


async def test_settled_after_refused_is_a_loss_across_the_border_too(cells: TwoCells) -> None:
    wallet, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    await asked(cells.id, leg)
    await late(cells.id, leg, REFUSED)
    # While the refusal is on its way to the origin the word is kept, and told once the money is back.
    assert await late(cells.id, leg, PAID) == []
    assert await contradicted(cells.id) == []
    assert isinstance(await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="B-1"), NotYet)
    await cross(cells.id, cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.REFUNDED
    await contradicted(cells.id)
    assert (await cells.id.transfer(transfer.transfer_id)).state is State.LOST
    assert await loss(cells.id, 360) == transfer.target_amount
    assert await contradictions(cells.id) == [("settled", "bi_fast")]
    assert await available(cells.eu, wallet) == 500_000
    assert await position(cells.eu, 3, "IDR") == 0 == await position(cells.id, 1, "IDR")
    assert await contradicted(cells.id) == []


async def test_refused_after_settled_moves_nothing_and_is_on_record(cells: TwoCells) -> None:
    wallet, transfer = await at_home(cells)
    await asked(cells.eu, transfer)
    await late(cells.eu, transfer, PAID)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    before = await available(cells.eu, wallet)
    for _ in range(2):
        assert await late(cells.eu, transfer, REFUSED) == []
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await available(cells.eu, wallet) == before
    assert await contradictions(cells.eu) == [("refused", "sepa_instant")]


async def test_an_answer_for_what_was_never_asked_says_nothing(cells: TwoCells) -> None:
    _, transfer = await at_home(cells)
    assert await late(cells.eu, transfer, PAID) == []
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PENDING_RAIL
    await asked(cells.eu, transfer)
    assert await late(cells.eu, transfer, InDoubt(NOW, "pending")) == []


@pytest.mark.parametrize("rail", ["sepa_instant", "faster_payments", "bi_fast"])
def test_a_payment_never_seen_is_refused_only_at_the_finality_time(rail: str) -> None:
    profile = profile_of(rail)
    final, unseen, silent = timedelta(seconds=profile.finality_time_s), InDoubt(NOW, "not_found"), InDoubt(NOW)
    early = NOW + final - timedelta(milliseconds=1)
    assert outcome_after(profile, unseen, NOW, early) == unseen
    assert isinstance(outcome_after(profile, unseen, NOW, NOW + final), Refused)
    assert outcome_after(profile, silent, NOW, NOW + 10 * final) == silent


async def test_the_restored_payment_of_a_destination_ends_rejected_at_its_origin(cells: TwoCells) -> None:
    """A peer's payment over an instant rail that restores: the origin hears a rejection, and nothing is owed."""
    wallet, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    await cells.id.tell(leg, Event.RESTORE, reason_code=TIMED_OUT)
    await cross(cells.id, cells.eu)
    refunded = await cells.eu.transfer(transfer.transfer_id)
    assert (refunded.state, refunded.reason_code) == (State.REFUNDED, TIMED_OUT)
    assert await available(cells.eu, wallet) == 500_000
    assert replace(leg, state=State.REFUNDED).state is (await cells.id.transfer(leg.transfer_id)).state


async def test_what_was_lost_may_come_back_to_the_house(cells: TwoCells) -> None:
    """The remedy for a loss is to ask for the money again: when the scheme returns it, the house gets it, not the payer twice."""
    wallet, transfer = await at_home(cells)
    await asked(cells.eu, transfer, ago=final(cells.eu), doubtful=True)
    await restore(cells.eu)
    reception = await cells.eu.receive_return(back(transfer, transfer.principal))
    assert reception.refusals == {}
    await late(cells.eu, transfer, PAID)
    await cells.eu.book(await cells.eu.returns(transfer.transfer_id))
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.LOST
    assert await loss(cells.eu, 978) == 0
    assert await available(cells.eu, wallet) == 500_000
