"""Money that comes back after completion, through two cells' real journals, ledgers and border gates."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cells.backends.postgres import transaction
from cells.events import feed
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.payments.machine import Event, State
from cells.payments.transfer import Transfer
from cells.rails.rail import ReturnReceived, Settlement, end_to_end_id, transaction_id
from cells.returns import store as store_returns
from cells.returns.book import return_command
from cells.tenants.tenant import Wallet
from tests.integration.payments.test_transfer_journey import GERMAN, accepted, cross, position
from tests.support.two_cells import HandCell, TwoCells, open_two_cells


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def completed(cells: TwoCells) -> tuple[Wallet, Transfer]:
    """A payment to Indonesia that has been paid."""
    wallet, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    await cells.id.tell(await cells.id.transfer(transfer.transfer_id), Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    await cross(cells.id, cells.eu)
    done = await cells.eu.transfer(transfer.transfer_id)
    assert done.state is State.COMPLETED
    return wallet, done


def back(transfer: Transfer, amount: int, reference: str = "RTR-1", **more: str) -> ReturnReceived:
    e2e = end_to_end_id(transfer.transfer_id)
    said = {"end_to_end_id": e2e, "transaction_id": transaction_id(e2e), "currency": transfer.target_currency}
    return ReturnReceived(
        rail=transfer.rail, scheme_reference=reference, amount_minor=amount, reason_code="AC04",
        received_at=datetime.now(UTC), **{**said, **more},
    )  # fmt: skip


async def available(cell: HandCell, wallet: Wallet) -> int:
    balance = await cell.balance(wallet)
    assert balance["held_minor"] == 0
    return balance["available_minor"]


async def events(cell: HandCell, transfer_id: str) -> list[tuple[str, dict]]:
    async with transaction(cell.institution.pool) as connection:
        found = await feed.read_resources(connection, cell.spec.region, [transfer_id])
    return [(one.event_type, json.loads(one.body)) for one in found]


async def test_a_whole_return_comes_back_across_the_border_to_the_cent(cells: TwoCells) -> None:
    wallet, transfer = await completed(cells)
    before = await available(cells.eu, wallet)

    reception = await cells.id.receive_return(back(transfer, transfer.target_amount))
    assert reception.refusals == {}
    assert (await cells.id.transfer(transfer.transfer_id)).state is State.COMPLETED
    await cross(cells.id, cells.eu)

    returned = await cells.eu.transfer(transfer.transfer_id)
    assert (returned.state, returned.reason_code) == (State.RETURNED, "AC04")
    # The fee is kept; principal and margin come back as they were.
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin
    assert await position(cells.eu, 3, "IDR") == 0 == await position(cells.id, 1, "IDR")
    assert [one.state for one in await cells.eu.returns(transfer.transfer_id)] == ["booked"]
    assert [one.state for one in await cells.id.returns(transfer.transfer_id)] == ["exported"]
    assert (await events(cells.eu, transfer.transfer_id))[-1][0] == "transfer.returned"


async def test_partial_returns_add_up_and_a_duplicate_is_answered_as_the_first(cells: TwoCells) -> None:
    wallet, transfer = await completed(cells)
    before, whole = await available(cells.eu, wallet), transfer.target_amount
    parts = [whole // 3, whole // 7, whole - whole // 3 - whole // 7]
    for place, part in enumerate(parts):
        for _ in range(2):
            reception = await cells.id.receive_return(back(transfer, part, f"RTR-{place}"))
            assert reception.refusals == {}
        await cross(cells.id, cells.eu)
        expected = State.RETURNED if place == 2 else State.PARTIALLY_RETURNED
        assert (await cells.eu.transfer(transfer.transfer_id)).state is expected
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin
    assert await position(cells.eu, 3, "IDR") == 0 == await position(cells.id, 1, "IDR")
    told = [name for name, _ in await events(cells.eu, transfer.transfer_id)][-3:]
    assert told == ["transfer.partially_returned", "transfer.partially_returned", "transfer.returned"]


async def test_a_return_that_settles_later_is_booked_on_its_day(
    cells: TwoCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, transfer = await completed(cells)
    before, day = await available(cells.eu, wallet), datetime.now(UTC) + timedelta(days=3)
    later = replace(back(transfer, transfer.target_amount), settlement=Settlement(day.date(), day))
    for _ in range(2):
        reception = await cells.id.receive_return(later)
        assert (reception.refusals, reception.open) == ({}, [])
    [row] = reception.rows
    # However it is brought, the wallet's actor books nothing before the day.
    await cells.id.ask(return_command(row, "early"))
    await cross(cells.id, cells.eu)
    assert [one.state for one in await cells.id.returns(transfer.transfer_id)] == ["received"]
    assert await available(cells.eu, wallet) == before
    monkeypatch.setattr("cells.returns.book.utc_now", lambda: day)
    await cells.id.ask(return_command(row, "on its day"))
    await cross(cells.id, cells.eu)
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin
    never = replace(back(transfer, 1, "RTR-2"), settlement=Settlement(reason_code="DT01"))
    assert (await cells.id.receive_return(never)).refusals == {"RTR-2": "DT01"}


async def test_what_cannot_be_returned_is_refused_and_moves_nothing(cells: TwoCells) -> None:
    wallet, transfer = await completed(cells)
    before, whole = await available(cells.eu, wallet), transfer.target_amount
    stranger = end_to_end_id("tr_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0")

    async def refusal(one: ReturnReceived) -> str | None:
        return (await cells.id.receive_return(one)).refusals.get(one.scheme_reference)

    assert await refusal(back(transfer, whole + 1)) == "AM02"
    assert await refusal(back(transfer, whole, currency="EUR")) == "AM03"
    assert await refusal(back(transfer, whole, end_to_end_id=stranger, transaction_id="")) == "AG09"
    assert await refusal(back(transfer, whole, end_to_end_id="NOTPROVIDED", transaction_id="x")) == "AG09"
    assert await refusal(back(transfer, whole - 1)) is None
    assert await refusal(back(transfer, whole)) == "AM05"
    assert await refusal(back(transfer, 2, "RTR-2")) == "AM02"
    # By the transaction id alone, and for no more than what is left.
    assert await refusal(back(transfer, 1, "RTR-2", end_to_end_id="NOTPROVIDED")) is None
    await cross(cells.id, cells.eu)
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin


async def test_a_return_before_the_answer_waits_for_the_payment(cells: TwoCells) -> None:
    """The scheme's return is the first that is heard of a payment in doubt: taken, and booked once the payment is completed."""
    wallet, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    leg = await cells.id.transfer(transfer.transfer_id)
    reception = await cells.id.receive_return(back(transfer, transfer.target_amount))
    assert reception.refusals == {}
    [waiting] = await cells.id.returns(transfer.transfer_id)
    assert waiting.state == "received"
    assert await cells.id.export() == []

    await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    await cells.id.book([waiting])
    assert (await cells.id.returns(transfer.transfer_id))[0].state == "received"  # its `settled` has not left yet
    await cross(cells.id, cells.eu)
    await cells.id.book([waiting])
    await cross(cells.id, cells.eu)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert await available(cells.eu, wallet) == 500_000 - transfer.fee


async def test_a_return_that_nobody_was_told_of_is_booked_by_the_sweep_once(cells: TwoCells) -> None:
    _, transfer = await completed(cells)
    await cells.id.receive_return(back(transfer, 700), act=False)
    for _ in range(3):
        [row] = await cells.id.returns(transfer.transfer_id)
        await cells.id.book([row])
    await cells.eu.admit(await cells.id.export(), act=False)
    for _ in range(3):
        await cells.eu.book(await cells.eu.returns(transfer.transfer_id))
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PARTIALLY_RETURNED
    assert await position(cells.eu, 3, "IDR") == transfer.target_amount - 700 == -await position(cells.id, 1, "IDR")
    assert len([one for one, _ in await events(cells.eu, transfer.transfer_id) if one.endswith("returned")]) == 1


async def test_the_fee_goes_back_where_the_tenants_policy_says_so(cells: TwoCells) -> None:
    wallet, transfer = await completed(cells)
    assert transfer.fee > 0
    async with transaction(cells.eu.institution.pool) as connection:
        assert await store_returns.set_policy(connection, "EU", transfer.tenant_id, "original_and_fee")
    for place, part in enumerate((1_000, transfer.target_amount - 1_000)):
        await cells.id.receive_return(back(transfer, part, f"RTR-{place}"))
        await cross(cells.id, cells.eu)
    assert await available(cells.eu, wallet) == 500_000


async def test_an_in_region_payment_comes_back_without_a_border(cells: TwoCells) -> None:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    quote = await cells.eu.quote(cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    answer = await cells.eu.accept(wallet, quote, recipient, await cells.eu.payer(cells.tenant))
    transfer = await cells.eu.transfer(answer.body["id"])
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.eu.receive_return(back(transfer, 4_000))
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PARTIALLY_RETURNED
    await cells.eu.receive_return(back(transfer, transfer.principal - 4_000, "RTR-2"))
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert await available(cells.eu, wallet) == 500_000 - transfer.fee
    inbound = chart.platform(AccountType.PENDING_INBOUND, 978)
    account = (await cells.eu.ledger.lookup_accounts([inbound]))[inbound]
    assert (account.credit_balance, account.credits_pending) == (0, 0)
    assert await cells.eu.export() == []
