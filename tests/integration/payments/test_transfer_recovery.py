"""A kill at any line: the ledger's answer lost before or after it was carried out, at every request of a payment's way.

After each, the sweep's one question (`resume`) must bring the payment to the same end as if nothing had happened.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from cells.kit.command import Command
from cells.ledger.entry import Posting, PostingResult
from cells.ledger.ledger import Ledger, LedgerUnknown
from cells.parties.models import BankAccount
from cells.payments.machine import Event, State
from cells.payments.transfer import Told, Transfer
from cells.tenants.tenant import Wallet
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

BCA = BankAccount(bank_code="014", account_number="1234567890")


class LosesAnAnswer:
    """A ledger that is whole, on a line that breaks once: when it is told to, before or after the request gets through."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.breaks: str | None = None

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        breaks, self.breaks = self.breaks, None
        if breaks == "before":
            raise LedgerUnknown()
        results = await self._ledger.create_postings(postings)
        if breaks == "after":
            raise LedgerUnknown()
        return results

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        for cell in (opened.eu, opened.id):
            cell.saga._ledger = LosesAnAnswer(cell.ledger)
        yield opened


async def resume(cell: HandCell, transfer: Transfer) -> None:
    command = Command(f"{transfer.transfer_id}:resume", transfer.wallet_id, "resume", transfer.transfer_id)
    await cell.ask(command)


async def survive(cell: HandCell, breaks: str, command: Command, transfer_id: str) -> None:
    """Ask with a breaking line, see that the outcome is unknown, and take the transfer up again as the sweep does."""
    cell.saga._ledger.breaks = breaks  # type: ignore[attr-defined]
    with pytest.raises(LedgerUnknown):
        await cell.ask(command)
    await resume(cell, await cell.transfer(transfer_id))


def told(transfer: Transfer, event: Event, **facts: Any) -> Command:
    return Command(
        f"{transfer.transfer_id}:{event}", transfer.wallet_id, "tell", Told(transfer.transfer_id, event, facts)
    )


@pytest.mark.parametrize("breaks", ["before", "after"])
@pytest.mark.parametrize("outcome", [Event.RAIL_SETTLED, Event.RAIL_REFUSED])
async def test_a_line_that_breaks_at_every_ledger_request(cells: TwoCells, breaks: str, outcome: Event) -> None:
    eu, indonesia = cells.eu, cells.id
    wallet: Wallet = await eu.wallet(cells.tenant, "EUR")
    await eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await indonesia.recipient(cells.tenant, "IDR", BCA)
    payer = await eu.payer(cells.tenant)
    quote = await eu.quote(cells.tenant, "EUR", "IDR", 100_000, "bi_fast")

    accept = eu.acceptance(wallet, quote, recipient, payer, "order-1")
    transfer_id = accept.body.transfer_id
    await survive(eu, breaks, accept, transfer_id)
    assert (await eu.transfer(transfer_id)).state is State.FUNDS_HELD
    # The partner, who got no answer, asks again with the same key and learns the truth.
    [answer] = await eu.ask(eu.acceptance(wallet, quote, recipient, payer, "order-1"))
    assert (answer.status, answer.body["id"]) == (202, transfer_id)

    await indonesia.admit(await eu.export(), act=False)
    leg = await indonesia.transfer(transfer_id)
    await survive(indonesia, breaks, told(leg, Event.TAKEN), transfer_id)
    facts = {"scheme_reference": "BF-1"} if outcome is Event.RAIL_SETTLED else {"reason_code": "AC04"}
    await survive(indonesia, breaks, told(leg, outcome, **facts), transfer_id)

    await eu.admit(await indonesia.export(), act=False)
    transfer = await eu.transfer(transfer_id)
    event = Event.SETTLED if outcome is Event.RAIL_SETTLED else Event.RAIL_REJECTED
    await survive(eu, breaks, told(transfer, event), transfer_id)

    done = await eu.transfer(transfer_id)
    settled = outcome is Event.RAIL_SETTLED
    assert done.state is (State.COMPLETED if settled else State.REFUNDED)
    assert await eu.balance(wallet) == {"available_minor": 400_000 if settled else 500_000, "held_minor": 0}


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_deposit_whose_answer_was_lost_is_credited_once(cells: TwoCells, breaks: str) -> None:
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.balance(wallet)
    cells.eu.saga._ledger.breaks = breaks  # type: ignore[attr-defined]
    with pytest.raises(LedgerUnknown):
        await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    # What the sweep asks is the same collection; here the partner's next deposit shows that nothing was doubled.
    await cells.eu.deposit(wallet, 1, "sepa_instant")
    expected = 500_001 if breaks == "after" else 1
    assert await cells.eu.balance(wallet) == {"available_minor": expected, "held_minor": 0}


async def test_messages_repeated_lost_and_repeated_again_change_nothing(cells: TwoCells) -> None:
    eu, indonesia = cells.eu, cells.id
    wallet = await eu.wallet(cells.tenant, "EUR")
    await eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await indonesia.recipient(cells.tenant, "IDR", BCA)
    payer = await eu.payer(cells.tenant)
    quote = await eu.quote(cells.tenant, "EUR", "IDR", 100_000, "bi_fast")
    transfer_id = (await eu.accept(wallet, quote, recipient, payer)).body["id"]

    instruction = await eu.export()
    for _ in range(3):
        await indonesia.admit(instruction)
    leg = await indonesia.transfer(transfer_id)
    for _ in range(3):
        await indonesia.tell(leg, Event.RAIL_SETTLED, scheme_reference="BF-1")
    answer = await indonesia.export()
    for _ in range(3):
        await eu.admit(answer)
        await resume(eu, await eu.transfer(transfer_id))
    assert (await eu.transfer(transfer_id)).state is State.COMPLETED
    assert await eu.balance(wallet) == {"available_minor": 400_000, "held_minor": 0}
