"""Returns through broken lines and empty accounts: what the sweep takes up again is booked once, on either side of the border."""

from collections.abc import AsyncIterator

import pytest

from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code
from cells.ledger.entry import Posting, PostingResult
from cells.ledger.ledger import LedgerUnknown
from cells.payments.machine import Event, State
from cells.returns.book import return_command
from residency.ids import mint, number
from tests.integration.payments.test_returns import available, back, completed
from tests.integration.payments.test_transfer_journey import GERMAN, cross, position
from tests.integration.payments.test_transfer_recovery import LosesAnAnswer
from tests.support.two_cells import HandCell, TwoCells, open_two_cells


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        for cell in (opened.eu, opened.id):
            cell.saga._ledger = LosesAnAnswer(cell.ledger)
        yield opened


async def survive(cell: HandCell, breaks: str, transfer_id: str) -> None:
    """Ask for what stands on a line that breaks, and again as the sweep does, twice."""
    [one] = [row for row in await cell.returns(transfer_id) if row.state == "received"]
    cell.saga._ledger.breaks = breaks  # type: ignore[attr-defined]
    with pytest.raises(LedgerUnknown):
        await cell.ask(return_command(one))
    assert [row.state for row in await cell.returns(transfer_id)][-1] == "received"
    for word in ("first", "second"):
        await cell.ask(return_command(one, word))


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_line_that_breaks_at_every_ledger_request_of_a_return(cells: TwoCells, breaks: str) -> None:
    wallet, transfer = await completed(cells)
    before, half = await available(cells.eu, wallet), transfer.target_amount // 2
    for place, amount in enumerate((half, transfer.target_amount - half)):
        await cells.id.receive_return(back(transfer, amount, f"RTR-{place}"), act=False)
        await survive(cells.id, breaks, transfer.transfer_id)
        for envelopes in [await cells.id.export()] * 2:
            await cells.eu.admit(envelopes, act=False)
        await survive(cells.eu, breaks, transfer.transfer_id)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin
    assert await position(cells.eu, 3, "IDR") == 0 == await position(cells.id, 1, "IDR")
    assert [one.state for one in await cells.id.returns(transfer.transfer_id)] == ["exported"] * 2


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_the_same_in_region(cells: TwoCells, breaks: str) -> None:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.eu.recipient(cells.tenant, "EUR", GERMAN, "Jürgen Weiß")
    quote = await cells.eu.quote(cells.tenant, "EUR", "EUR", 10_020, "sepa_instant")
    answer = await cells.eu.accept(wallet, quote, recipient, await cells.eu.payer(cells.tenant))
    transfer = await cells.eu.transfer(answer.body["id"])
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    await cells.eu.receive_return(back(transfer, transfer.principal), act=False)
    await survive(cells.eu, breaks, transfer.transfer_id)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert await available(cells.eu, wallet) == 500_000 - transfer.fee


async def netted(cell: HandCell, amount: int, *, restored: bool = False) -> None:
    """What the cell owes Indonesia is paid by other means, or that is undone: REG(ID) → FX, as LEDGER.md nets positions."""
    ledger = CURRENCIES["IDR"].number
    sides = chart.settlement(3, ledger), chart.platform(AccountType.FX_POSITION, ledger)
    debit, credit = reversed(sides) if restored else sides
    payment = number(mint("req", "eu-1"))
    [result] = await cell.ledger.create_postings([Posting(payment, debit, credit, amount, ledger, int(Code.DEALING))])
    assert result is PostingResult.CREATED


async def test_a_return_that_the_origin_cannot_take_from_its_peer_waits_and_is_booked_under_a_new_attempt(
    cells: TwoCells,
) -> None:
    wallet, transfer = await completed(cells)
    before = await available(cells.eu, wallet)
    account = chart.settlement(3, CURRENCIES["IDR"].number)
    owed = (await cells.eu.ledger.lookup_accounts([account]))[account].available
    await netted(cells.eu, owed)
    await cells.id.receive_return(back(transfer, transfer.target_amount))
    await cross(cells.id, cells.eu)
    [waiting] = await cells.eu.returns(transfer.transfer_id)
    assert (waiting.state, waiting.attempt) == ("received", 2)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.COMPLETED
    assert await available(cells.eu, wallet) == before
    await cells.eu.ask(return_command(waiting, "still"))
    [waiting] = await cells.eu.returns(transfer.transfer_id)
    assert (waiting.state, waiting.attempt) == ("received", 3)
    await netted(cells.eu, owed, restored=True)
    for word in ("now", "again"):
        await cells.eu.ask(return_command(waiting, word))
    [booked] = await cells.eu.returns(transfer.transfer_id)
    assert (booked.state, booked.attempt) == ("booked", 3)
    assert (await cells.eu.transfer(transfer.transfer_id)).state is State.RETURNED
    assert await available(cells.eu, wallet) == before + transfer.principal + transfer.margin
