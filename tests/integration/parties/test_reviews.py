"""A case is decided once, by named officers, whatever else happens to it; the ledger and the record say the same ever after."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cells.backends.postgres import transaction
from cells.compliance import store_decisions
from cells.compliance.decisions import Asked, CaseClosed, Decision, Deed, PartyBlocked, ReasonInvalid
from cells.compliance.rules import LARGE_AMOUNT
from cells.kit.operator import OperatorInvalid
from cells.ledger.ledger import LedgerUnknown
from cells.payments.machine import Event, State
from cells.payments.transfer import TooLateToCancel, Transfer
from residency.errors import KovraError
from tests.integration.payments.test_transfer_recovery import LosesAnAnswer
from tests.support.asking import cancel_command
from tests.support.officers import ANA, BEN, WHY, audited, decide, doubtful, funds, resume
from tests.support.reconciled_cells import Reconciled, open_reconciled


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        for cell in (opened.eu, opened.id):
            cell.saga._ledger = LosesAnAnswer(cell.ledger)
        yield opened


async def test_a_large_payment_waits_for_two_officers_and_goes_on_its_way(cells: Reconciled) -> None:
    await cells.deposit(20_000_000)
    transfer = await cells.abroad(10_000_000)
    assert (transfer.state, transfer.review_reasons, transfer.screening) == (State.IN_REVIEW, (LARGE_AMOUNT,), "clear")
    assert transfer.review_until
    first = await decide(cells.eu, transfer.transfer_id, Deed.CLEAR)
    again = await decide(cells.eu, transfer.transfer_id, Deed.CLEAR, " ANA.ops ")
    assert (first.state, again.decision_id, again.state) == ("proposed", first.decision_id, "proposed")
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.IN_REVIEW
    done = await decide(cells.eu, transfer.transfer_id, Deed.CLEAR, BEN)
    assert (done.state, done.officer, done.second_officer) == ("done", ANA, BEN)
    completed = await cells.complete(await cells.eu.transfer(transfer.transfer_id))
    assert completed.state is State.COMPLETED
    for officer in (ANA, BEN):
        assert (await decide(cells.eu, transfer.transfer_id, Deed.CLEAR, officer)).decision_id == first.decision_id
    assert await audited(cells.eu) == [
        (f"operator:{ANA}", "review.clear.proposed", transfer.transfer_id, WHY[Deed.CLEAR]),
        (f"operator:{BEN}", "review.clear", transfer.transfer_id, WHY[Deed.CLEAR]),
    ]
    assert (await cells.report()).ok


async def test_just_below_the_amount_nobody_looks(cells: Reconciled) -> None:
    await cells.deposit(10_000_000)
    assert (await cells.abroad(4_999_999)).state is State.FUNDS_HELD
    assert (await cells.at_home(5_000_000)).state is State.IN_REVIEW


async def test_a_second_officer_who_decides_otherwise_proposes_anew(cells: Reconciled) -> None:
    await cells.deposit(20_000_000)
    transfer = await cells.abroad(10_000_000)
    await decide(cells.eu, transfer.transfer_id, Deed.CLEAR)
    assert (await decide(cells.eu, transfer.transfer_id, Deed.REFUSE, BEN)).state == "proposed"
    assert (await decide(cells.eu, transfer.transfer_id, Deed.REFUSE, ANA)).state == "done"
    assert (await resume(cells.eu, transfer)).state is State.REFUNDED
    async with transaction(cells.eu.institution.pool) as connection:
        found = (await store_decisions.of_cases(connection, "EU", [transfer.transfer_id]))[transfer.transfer_id]
    assert [(one.deed, one.officer, one.state) for one in found] == [
        (Deed.CLEAR, ANA, "superseded"), (Deed.REFUSE, BEN, "done"),
    ]  # fmt: skip
    assert (await cells.report()).ok


async def test_one_officer_is_enough_below_the_amount_and_must_be_named(cells: Reconciled) -> None:
    transfer = await doubtful(cells)
    for nobody in ("", "  ", "ab", "Ana Ops", "ana@bank", "anä.ops", "a" * 65):
        with pytest.raises(OperatorInvalid):
            Asked(Deed.CLEAR, nobody, WHY[Deed.CLEAR])
    for reason in ("", "She is fine", WHY[Deed.BLOCK]):
        with pytest.raises(ReasonInvalid):
            Asked(Deed.CLEAR, ANA, reason)
    assert (await decide(cells.eu, transfer.transfer_id, Deed.CLEAR)).state == "done"
    envelopes = await cells.eu.export()
    [admitted] = await cells.id.admit(envelopes)
    attested = admitted.opened.message.screening
    assert attested.result == "reviewed"
    assert {"eu-consolidated", "id-dttot"} <= attested.lists.keys()
    with pytest.raises(CaseClosed):
        await decide(cells.eu, transfer.transfer_id, Deed.BLOCK)


async def test_refused_goes_back_and_the_screening_it_shows_is_what_screening_said(cells: Reconciled) -> None:
    transfer, before = await doubtful(cells), (400_000, 100_000)
    assert await funds(cells) == before
    await decide(cells.eu, transfer.transfer_id, Deed.REFUSE)
    assert (await cells.report()).ok
    refunded = await resume(cells.eu, transfer)
    assert (refunded.state, refunded.screening, refunded.reason_code) == (State.REFUNDED, "review", "RR04")
    assert await funds(cells) == (500_000, 0)
    assert (await cells.report()).ok


async def test_blocked_by_an_officer_is_frozen_and_two_release_it(cells: Reconciled) -> None:
    for deed, state in ((Deed.RELEASE_TO_PAYER, State.REFUNDED), (Deed.RELEASE_TO_PAYEE, State.FUNDS_HELD)):
        transfer = await doubtful(cells)
        await decide(cells.eu, transfer.transfer_id, Deed.BLOCK)
        blocked = await resume(cells.eu, transfer)
        assert (blocked.state, blocked.screening) == (State.BLOCKED, "review")
        assert (await funds(cells))[1] == 0
        assert (await cells.report()).ok
        assert (await decide(cells.eu, transfer.transfer_id, deed)).state == "proposed"
        assert (await decide(cells.eu, transfer.transfer_id, deed)).state == "proposed"
        assert (await cells.eu.transfer(transfer.transfer_id)).state is State.BLOCKED
        assert (await decide(cells.eu, transfer.transfer_id, deed, BEN)).state == "done"
        assert (await cells.report()).ok
        released = await resume(cells.eu, transfer)
        assert released.state is state
        assert (await cells.report()).ok
    completed = await cells.complete(released)
    assert completed.state is State.COMPLETED
    assert await funds(cells) == (400_000, 0)
    assert (await cells.report()).ok


@pytest.mark.parametrize("ends", ["cancelled", "refused", "refused by the rail at home"])
async def test_what_goes_on_after_a_freeze_can_still_end_badly(cells: Reconciled, ends: str) -> None:
    """The second hold's void has an id of its own beside that of the first."""
    if ends.endswith("home"):
        payer = await cells.eu.payer(cells.cells.tenant, "Kovra Sandbox Review")
        transfer = await replace(cells, payer=payer).at_home(100_000)
    else:
        transfer = await doubtful(cells)
    await decide(cells.eu, transfer.transfer_id, Deed.BLOCK)
    await resume(cells.eu, transfer)
    for officer in (ANA, BEN):
        await decide(cells.eu, transfer.transfer_id, Deed.RELEASE_TO_PAYEE, officer)
    going = await resume(cells.eu, transfer)
    if ends == "cancelled":
        await cells.eu.ask(cancel_command(transfer))
    elif ends == "refused":
        await cells.refund(going)
    else:
        await cells.eu.tell(going, Event.RAIL_REFUSED, reason_code="AC04")
    assert (await cells.eu.transfer(transfer.transfer_id)).state in (State.CANCELLED, State.REFUNDED)
    assert await funds(cells) == (500_000, 0)
    assert (await cells.report()).ok


async def test_a_listed_payers_funds_stay_frozen_until_the_payer_is_released(cells: Reconciled) -> None:
    transfer = await doubtful(cells, name="Kovra Sandbox Blocked")
    assert transfer.state is State.BLOCKED
    assert transfer.payer_id
    for deed in (Deed.RELEASE_TO_PAYER, Deed.RELEASE_TO_PAYEE):
        with pytest.raises(PartyBlocked):
            await decide(cells.eu, transfer.transfer_id, deed)
    assert (await decide(cells.eu, transfer.payer_id, Deed.RELEASE)).state == "proposed"
    assert (await decide(cells.eu, transfer.payer_id, Deed.RELEASE, BEN)).state == "done"
    for officer in (ANA, BEN):
        await decide(cells.eu, transfer.transfer_id, Deed.RELEASE_TO_PAYER, officer)
    assert (await resume(cells.eu, transfer)).state is State.REFUNDED
    assert await funds(cells) == (500_000, 0)
    assert (await cells.report()).ok


@pytest.mark.writes_by_hand
async def test_the_rate_is_kept_until_the_deadline_and_no_longer(cells: Reconciled) -> None:
    transfer = await doubtful(cells)
    await over(cells, transfer)
    with pytest.raises(CaseClosed, match="rate was kept until"):
        await decide(cells.eu, transfer.transfer_id, Deed.CLEAR)
    assert (await resume(cells.eu, transfer)).state is State.REFUNDED
    with pytest.raises(CaseClosed):
        await decide(cells.eu, transfer.transfer_id, Deed.REFUSE)
    frozen = await doubtful(cells)
    await decide(cells.eu, frozen.transfer_id, Deed.BLOCK)
    await resume(cells.eu, frozen)
    await over(cells, frozen)
    with pytest.raises(CaseClosed, match="release the funds to the payer"):
        await decide(cells.eu, frozen.transfer_id, Deed.RELEASE_TO_PAYEE)


async def over(cells: Reconciled, transfer: Transfer) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await cells.tamper(
        cells.eu, "update transfers set review_until = $1 where transfer_id = $2", past, transfer.transfer_id
    )


async def test_decisions_deadline_and_cancel_race_and_one_wins(cells: Reconciled) -> None:
    """Whatever comes first, the others learn it; nothing is done twice."""
    for _ in range(4):
        transfer = await doubtful(cells, 10_000)
        case = transfer.transfer_id
        cancel = cancel_command(transfer)
        done = await asyncio.gather(
            decide(cells.eu, case, Deed.CLEAR), decide(cells.eu, case, Deed.BLOCK, BEN), decide(cells.eu, case, Deed.REFUSE),
            cells.eu.ask(cancel), return_exceptions=True,
        )  # fmt: skip
        *decisions, answer = done
        stood = [one for one in decisions if isinstance(one, Decision)]
        assert all(isinstance(one, Decision | KovraError) for one in decisions), decisions
        assert len(stood) <= 1 or (stood[0].deed is Deed.CLEAR and len(stood) == 1), stood
        cancelled = not isinstance(answer, BaseException) and not isinstance(answer[0], TooLateToCancel)
        # A cleared payment may still be cancelled before it is instructed; nothing else may be both.
        assert cancelled or len(stood) == 1
        assert not (cancelled and stood and stood[0].deed is not Deed.CLEAR)
        await resume(cells.eu, transfer)
    assert (await cells.report()).ok


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_kill_between_the_deed_and_the_ledger(cells: Reconciled, breaks: str) -> None:
    ledger: LosesAnAnswer = cells.eu.saga._ledger  # type: ignore[assignment]
    refused, frozen = await doubtful(cells), await doubtful(cells)
    for transfer, deeds in (
        (refused, [(Deed.REFUSE, ANA)]),
        (frozen, [(Deed.BLOCK, ANA)]),
        (frozen, [(Deed.RELEASE_TO_PAYEE, ANA), (Deed.RELEASE_TO_PAYEE, BEN)]),
    ):
        for deed, officer in deeds:
            await decide(cells.eu, transfer.transfer_id, deed, officer)
        ledger.breaks = breaks
        with pytest.raises(LedgerUnknown):
            await resume(cells.eu, transfer)
        assert (await cells.report()).ok
        await resume(cells.eu, transfer)
        assert (await cells.report()).ok
    assert (await cells.complete(await cells.eu.transfer(frozen.transfer_id))).state is State.COMPLETED
    assert (await cells.report()).ok
