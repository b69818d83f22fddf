"""Payments through two cells' real journals, ledgers and border gates, moved by hand: what each step leaves behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cells.idempotency.answer import Answer
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.parties.models import BankAccount
from cells.payments.machine import Event, State
from cells.payments.transfer import Transfer
from cells.tenants.tenant import Wallet
from tests.support.asking import cancel_command
from tests.support.position import position as position_of
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

BCA = BankAccount(bank_code="014", account_number="1234567890")
GERMAN = BankAccount(iban="DE89370400440532013000")


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def position(cell: HandCell, peer: int, currency: str) -> int:
    ledger = CURRENCIES[currency].number
    ids = [chart.settlement(peer, ledger), chart.settlement_cap(peer, ledger)]
    found = await cell.ledger.lookup_accounts(ids)
    return position_of(found[ids[0]], found[ids[1]])


async def accepted(cells: TwoCells, amount: int = 100_000) -> tuple[Wallet, Transfer]:
    """EUR 5,000.00 in the wallet, and a payment of `amount` to an Indonesian account, accepted."""
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.id.recipient(cells.tenant, "IDR", BCA)
    payer = await cells.eu.payer(cells.tenant)
    quote = await cells.eu.quote(cells.tenant, "EUR", "IDR", amount, "bi_fast")
    answer = await cells.eu.accept(wallet, quote, recipient, payer)
    assert (answer.status, answer.body["status"]) == (202, "FUNDS_HELD"), answer
    return wallet, await cells.eu.transfer(answer.body["id"])


async def cross(origin: HandCell, destination: HandCell) -> None:
    await destination.admit(await origin.export())
    for receipt in await destination.receipts():
        await origin.take_receipt(receipt)


async def test_euro_to_rupiah_settles_in_both_cells(cells: TwoCells) -> None:
    wallet, transfer = await accepted(cells)
    assert await cells.eu.balance(wallet) == {"available_minor": 400_000, "held_minor": 100_000}

    await cross(cells.eu, cells.id)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.PENDING_RAIL
    leg = await cells.id.transfer(transfer.transfer_id)
    assert leg.state is State.PENDING_RAIL
    await cells.id.saga.handed()
    assert cells.id.rails.transfer_ids == [transfer.transfer_id]

    await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    await cross(cells.id, cells.eu)

    done = await cells.eu.transfer(transfer.transfer_id)
    assert (done.state, done.scheme_reference) == (State.COMPLETED, "BIFAST-1")
    assert (await cells.id.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await cells.eu.balance(wallet) == {"available_minor": 400_000, "held_minor": 0}
    owed = await position(cells.eu, 3, "IDR")
    assert owed == transfer.target_amount == -await position(cells.id, 1, "IDR")


async def test_a_refusal_of_the_rail_restores_the_wallet_to_the_cent(cells: TwoCells) -> None:
    wallet, transfer = await accepted(cells)
    await cross(cells.eu, cells.id)
    await cells.id.tell(await cells.id.transfer(transfer.transfer_id), Event.RAIL_REFUSED, reason_code="AC04")
    await cross(cells.id, cells.eu)

    refunded = await cells.eu.transfer(transfer.transfer_id)
    assert (refunded.state, refunded.reason_code) == (State.REFUNDED, "AC04")
    assert await cells.eu.balance(wallet) == {"available_minor": 500_000, "held_minor": 0}
    assert await position(cells.eu, 3, "IDR") == 0 == await position(cells.id, 1, "IDR")


async def test_an_in_region_payment_needs_no_border(cells: TwoCells) -> None:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    payer = await cells.eu.payer(cells.tenant)
    quote = await cells.eu.quote(cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    answer = await cells.eu.accept(wallet, quote, recipient, payer)
    assert answer.status == 202, answer
    transfer = await cells.eu.transfer(answer.body["id"])
    assert transfer.state is State.PENDING_RAIL
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await cells.eu.balance(wallet) == {"available_minor": 489_980, "held_minor": 0}
    assert await cells.eu.export() == []


async def test_a_cancel_that_worked_says_so_to_everybody_who_asked(cells: TwoCells) -> None:
    """Eight ask at once, in one batch and in two at a time; whoever asks later hears the same."""
    wallet, transfer = await accepted(cells)
    asked = [cancel_command(transfer, f"cancel-{number}") for number in range(9)]
    together, others = await asyncio.gather(cells.eu.ask(*asked[:4]), cells.eu.ask(*asked[4:8]))
    [later] = await cells.eu.ask(asked[8])
    for reply in (*together, *others, later):
        assert isinstance(reply, Answer), reply
        assert (reply.status, reply.body["status"]) == (200, "CANCELLED")
    assert await cells.eu.balance(wallet) == {"available_minor": 500_000, "held_minor": 0}
