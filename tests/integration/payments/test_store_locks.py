"""Two copies of one wallet's actor at a time: the one writes down what the ledger answered while the other takes the same row up again. Each
waits for the other in one order, so neither is ever the victim of a deadlock."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from cells.backends.postgres import transaction
from cells.batches.batch import State
from cells.credits.credit import Deposit
from cells.kit.command import Command, Reply
from cells.payments.machine import Event
from cells.payments.machine import State as PaymentState
from cells.wallets import handler, side_operations
from residency.ids import mint
from tests.support.batch_cells import BatchCells, open_batch_cells
from tests.support.waiting import until


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[BatchCells]:
    async with open_batch_cells(cell_database) as opened:
        yield opened


@pytest.fixture
async def both(cells: BatchCells, monkeypatch: pytest.MonkeyPatch):
    """Runs a command, and beside it another that begins in the middle of the first one's second transaction, which goes on when the other
    waits for a row, or has nothing to wait for."""

    async def at_once(first: Command, second: Command) -> Sequence[Reply]:
        other: list[asyncio.Task[Sequence[Reply]]] = []
        plain = side_operations.close

        async def interrupted(*arguments):
            if not other:
                other.append(asyncio.get_running_loop().create_task(cells.eu.ask(second)))
                await until(lambda: _waits_for_a_row(cells, other[0]), "the other copy to meet a lock", timeout_s=120)
            return await plain(*arguments)

        monkeypatch.setattr(handler.side_operations, "close", interrupted)
        [reply] = await cells.eu.ask(first)
        [again] = await other[0]
        return [reply, again]

    return at_once


async def _waits_for_a_row(cells: BatchCells, other: asyncio.Task[Sequence[Reply]]) -> bool:
    async with transaction(cells.eu.institution.pool) as connection:
        waits = await connection.fetchval(
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
        )
    return bool(waits) or other.done()


def command(name: str, wallet_id: str, body: object) -> Command:
    return Command(mint("req", "eu-1"), wallet_id, name, body)


async def test_a_batch_that_two_copies_fund_is_funded_once(cells: BatchCells, both) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.at_home(2_000)])
    wallet_id = cells.reconciled.wallet.wallet_id
    while (await cells.batch(batch_id)).state is not State.FUNDING:
        assert await cells.worker._prepare(await cells.batch(batch_id))
    await both(command("fund", wallet_id, batch_id), command("fund", wallet_id, batch_id))
    assert (await cells.batch(batch_id)).state is State.FUNDED
    assert await cells.reserve() == (3_000, 0)
    assert await cells.balance() == 500_000 - 3_000


async def test_a_remainder_that_two_copies_give_back_comes_back_once(cells: BatchCells, both) -> None:
    batch_id = await cells.submit([cells.at_home(1_000), cells.at_home(2_000)])
    wallet_id = cells.reconciled.wallet.wallet_id
    await cells.drive()
    for one in await cells.payments(batch_id):
        await cells.tell(one, Event.RAIL_REFUSED, reason_code="AC04")
    await both(command("give_back", wallet_id, batch_id), command("give_back", wallet_id, batch_id))
    assert (await cells.batch(batch_id)).state is State.FAILED
    assert await cells.reserve() == (0, 0)
    assert await cells.balance() == 500_000


async def test_a_payment_that_is_taken_up_again_while_it_is_accepted_is_held_once(cells: BatchCells, both) -> None:
    eu, of = cells.eu, cells.reconciled
    quote = await eu.quote(of.cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    accept = eu.acceptance(of.wallet, quote, of.weiss, of.payer)
    transfer_id = accept.body.transfer_id
    await both(accept, command("resume", of.wallet.wallet_id, transfer_id))
    assert (await eu.transfer(transfer_id)).state is PaymentState.PENDING_RAIL
    report = await of.report()
    assert report.ok, report.to_json()


async def test_a_request_that_is_made_again_while_it_is_accepted_pays_once(cells: BatchCells, both) -> None:
    eu, of = cells.eu, cells.reconciled
    quote = await eu.quote(of.cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    accept = eu.acceptance(of.wallet, quote, of.weiss, of.payer, "key-1")
    again = eu.acceptance(of.wallet, quote, of.weiss, of.payer, "key-1")
    first, second = await both(accept, again)
    assert first.body["id"] == second.body["id"] == accept.body.transfer_id
    report = await of.report()
    assert report.ok, report.to_json()


async def test_a_credit_that_two_copies_book_is_booked_once(cells: BatchCells, both) -> None:
    of = cells.reconciled
    one = Deposit(mint("col", "eu-1"), of.wallet.tenant_id, of.wallet.wallet_id, "sepa_instant", 7_000, "EUR")
    await both(command("deposit", one.wallet_id, one), command("deposit", one.wallet_id, one))
    assert await cells.balance() == 507_000
