"""Parties are decided too, and payments wait for both of theirs, each where its data lives."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cells.backends.postgres import transaction
from cells.compliance.checker import Attestation, Block, Clear, Review, Subject
from cells.compliance.decisions import CaseClosed, Deed, PartyBlocked
from cells.payments.machine import State
from tests.integration.payments.test_transfer_recovery import LosesAnAnswer
from tests.support.officers import ANA, BEN, decide, resume
from tests.support.reconciled_cells import BCA, GERMAN, Reconciled, open_reconciled


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        for cell in (opened.eu, opened.id):
            cell.saga._ledger = LosesAnAnswer(cell.ledger)
        yield opened


async def test_a_payee_under_review_waits_where_it_is_paid_out(cells: Reconciled) -> None:
    for deed, ends in ((Deed.CLEAR, State.PENDING_RAIL), (Deed.REFUSE, State.REFUNDED), (Deed.BLOCK, State.REFUNDED)):
        payee = await cells.id.recipient(cells.cells.tenant, "IDR", BCA, "Kovra Sandbox Review")
        transfer = await replace(cells, budi=payee).abroad(50_000)
        await cells.cross(cells.eu, cells.id)
        there = await cells.id.transfer(transfer.transfer_id)
        assert (there.state, there.screening) == (State.IN_REVIEW, "review")
        assert there.review_reasons
        assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PENDING_RAIL
        assert (await cells.report()).ok
        await decide(cells.id, transfer.transfer_id, deed)
        await resume(cells.id, there)
        await cells.cross(cells.id, cells.eu)
        shown = await cells.id.transfer(transfer.transfer_id)
        assert (shown.state, shown.screening) == (ends, "review")
        assert (await cells.report()).ok
        if deed is not Deed.CLEAR:
            back = await cells.eu.transfer(transfer.transfer_id)
            assert (back.state, back.reason_code) == (State.REFUNDED, "RR04")


async def test_a_payee_who_was_not_screened_is_not_said_to_be_blocked(cells: Reconciled) -> None:
    """Refused for another cause (no such recipient any more): screening said nothing."""
    payee = await cells.id.recipient(cells.cells.tenant, "IDR", BCA)
    transfer = await replace(cells, budi=payee).abroad(50_000)
    tenant_id, row_id = cells.cells.tenant.tenant_id, payee.partition(".")[0]
    async with transaction(cells.id.institution.pool) as connection:
        await cells.id.institution.recipients.delete(connection, tenant_id, [row_id], {})
    await cells.cross(cells.eu, cells.id)
    refused = await cells.id.transfer(transfer.transfer_id)
    assert (refused.state, refused.reason_code, refused.screening) == (State.DESTINATION_REJECTED, "AC01", None)


async def test_a_payer_who_is_found_before_the_payment_leaves_does_not_leave(cells: Reconciled) -> None:
    """Between acceptance and export another screening has found the payer: the payment is a case, or frozen."""
    one = await cells.abroad(50_000)
    await decide(cells.eu, cells.payer, Deed.BLOCK)
    assert await cells.eu.export() == []
    referred = await cells.eu.transfer(one.transfer_id)
    assert (referred.state, referred.screening, referred.review_reasons) == (State.FREEZING, "block", ("officer",))
    assert (await resume(cells.eu, referred)).state is State.BLOCKED
    assert (await cells.report()).ok


async def test_a_party_is_cleared_blocked_and_released_and_a_block_outlives_screenings(cells: Reconciled) -> None:
    eu, standing = cells.eu, cells.eu.institution.standing
    payer = await eu.payer(cells.cells.tenant, "Kovra Sandbox Review")

    async def stands() -> object:
        async with transaction(eu.institution.pool) as connection:
            return (await standing.standing(connection, [payer]))[payer]

    assert isinstance(await stands(), Review)
    with pytest.raises(CaseClosed):
        await decide(eu, payer, Deed.RELEASE)
    with pytest.raises(CaseClosed):
        await decide(eu, payer, Deed.REFUSE)
    first = await decide(eu, payer, Deed.CLEAR)
    cleared = await stands()
    assert isinstance(cleared, Clear)
    assert (cleared.attestation.result, cleared.by) == ("reviewed", ANA)
    assert (await decide(eu, payer, Deed.CLEAR)).decision_id == first.decision_id
    await decide(eu, payer, Deed.BLOCK, BEN)
    async with transaction(eu.institution.pool) as connection:
        # A screening that was under way meanwhile ends after it, and says otherwise.
        await standing.register(connection, cells.cells.tenant.tenant_id, *_late(payer, cleared))
    blocked = await stands()
    assert isinstance(blocked, Block)
    assert blocked.by == BEN
    async with transaction(eu.institution.pool) as connection:
        assert payer in await eu.institution.reviewing_parties.cases(connection)
    assert (await decide(eu, payer, Deed.RELEASE)).state == "proposed"
    assert (await decide(eu, payer, Deed.RELEASE, BEN)).state == "done"
    assert isinstance(await stands(), Clear)
    async with transaction(eu.institution.pool) as connection:
        assert payer not in await eu.institution.reviewing_parties.cases(connection)


def _late(payer: str, verdict: Clear) -> tuple[list[Subject], list[Clear]]:
    later = Attestation(verdict.attestation.lists, "clear", datetime.now(UTC))
    return [Subject(payer, "person", "Somebody")], [Clear(later)]


async def test_an_in_region_case_looks_at_both_parties(cells: Reconciled) -> None:
    payee = await cells.eu.recipient(cells.cells.tenant, "EUR", GERMAN, "Kovra Sandbox Review")
    transfer = await replace(cells, weiss=payee).at_home(20_000)
    assert (transfer.state, transfer.screening) == (State.IN_REVIEW, "review")
    await decide(cells.eu, payee.partition(".")[0], Deed.BLOCK)
    with pytest.raises(PartyBlocked):
        await decide(cells.eu, transfer.transfer_id, Deed.CLEAR)
    await decide(cells.eu, transfer.transfer_id, Deed.REFUSE)
    assert (await resume(cells.eu, transfer)).state is State.REFUNDED
