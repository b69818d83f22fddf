"""What acceptance refuses, reviews, blocks or lets the partner take back: nothing moved that should not have."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cells.backends.postgres import tenant_transaction
from cells.idempotency.answer import Answer
from cells.kit.command import Command, StaleEpoch
from cells.ledger import chart
from cells.ledger.submit import submit_chains
from cells.parties.models import BankAccount, Payer, PayerNew
from cells.payments.acceptance import Acceptance
from cells.payments.lives import chain_of
from cells.payments.machine import Effect, Event, State
from cells.payments.transfer import TooLateToCancel
from tests.support import lives
from tests.support.asking import cancel_command
from tests.support.two_cells import TwoCells, open_two_cells

BCA = BankAccount(bank_code="014", account_number="1234567890")


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


class Desk:
    """A funded EUR wallet, an Indonesian recipient and a payer: what an acceptance needs."""

    def __init__(self, cells: TwoCells) -> None:
        self.cells = cells

    async def open(self, deposit: int = 500_000) -> "Desk":
        cells = self.cells
        self.wallet = await cells.eu.wallet(cells.tenant, "EUR")
        if deposit:
            await cells.eu.deposit(self.wallet, deposit, "sepa_instant")
        self.recipient = await cells.id.recipient(cells.tenant, "IDR", BCA)
        self.payer = await cells.eu.payer(cells.tenant)
        return self

    async def quote(self, amount: int = 100_000, **more):
        return await self.cells.eu.quote(self.cells.tenant, "EUR", "IDR", amount, "bi_fast", **more)

    async def accept(self, quote, *, recipient: str = "", payer: str = "", key: str = "") -> Answer:
        return await self.cells.eu.accept(self.wallet, quote, recipient or self.recipient, payer or self.payer, key)

    async def untouched(self, amount: int = 500_000) -> bool:
        return await self.cells.eu.balance(self.wallet) == {"available_minor": amount, "held_minor": 0}


@pytest.fixture
async def desk(cells: TwoCells) -> Desk:
    return await Desk(cells).open()


def code_of(answer: Answer) -> str:
    assert answer.problem, answer
    return answer.body["code"]


async def test_an_expired_quote_moves_nothing(desk: Desk) -> None:
    quote = await desk.quote(lifetime_s=0.001)
    assert code_of(await desk.accept(quote)) == "quote-expired"
    assert await desk.untouched()


async def test_a_quote_is_used_once(desk: Desk) -> None:
    quote = await desk.quote()
    assert (await desk.accept(quote)).status == 202
    assert code_of(await desk.accept(quote)) == "quote-used"


async def test_two_transfers_of_one_batch_cannot_share_a_quote(desk: Desk) -> None:
    quote, eu = await desk.quote(), desk.cells.eu
    commands = [eu.acceptance(desk.wallet, quote, desk.recipient, desk.payer) for _ in range(5)]
    answers = await eu.ask(*commands)
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409, 409]
    assert await eu.balance(desk.wallet) == {"available_minor": 400_000, "held_minor": 100_000}


async def test_another_tenants_quote_does_not_exist(desk: Desk) -> None:
    foreign = await desk.cells.eu.quote(desk.cells.stranger, "EUR", "IDR", 100_000, "bi_fast")
    assert code_of(await desk.accept(foreign)) == "unknown-quote"


async def test_a_recipient_token_of_another_tenant_is_unknown(desk: Desk) -> None:
    stolen = await desk.cells.id.recipient(desk.cells.stranger, "IDR", BCA)
    assert code_of(await desk.accept(await desk.quote(), recipient=stolen)) == "unknown-recipient"
    assert await desk.untouched()


async def test_a_payer_the_travel_rule_cannot_name_is_refused_before_anything_is_held(desk: Desk) -> None:
    cells = desk.cells
    async with tenant_transaction(cells.eu.api, cells.tenant.tenant_id) as connection:
        [bare] = await cells.eu.institution.payers.create(
            connection, cells.tenant.tenant_id, [PayerNew(name="Ana Bare")]
        )
    assert isinstance(bare, Payer)
    answer = await desk.accept(await desk.quote(), payer=bare.id)
    assert code_of(answer) == "travel-rule-incomplete"
    assert answer.body["pointer"] == "/payer_id"
    assert await desk.untouched()


async def test_insufficient_funds_burn_the_quote_and_end_rejected(cells: TwoCells) -> None:
    desk = await Desk(cells).open(deposit=50_000)
    quote = await desk.quote()
    answer = await desk.accept(quote)
    assert code_of(answer) == "insufficient-funds"
    rejected = await cells.eu.transfer(answer.body["extra"]["transfer_id"])
    assert rejected.state is State.REJECTED
    assert code_of(await desk.accept(quote)) == "quote-used"
    assert await desk.untouched(50_000)


async def test_the_same_key_gives_the_first_answer_and_another_body_is_refused(desk: Desk) -> None:
    quote, eu = await desk.quote(), desk.cells.eu
    first = await desk.accept(quote, key="order-7")
    again = await desk.accept(quote, key="order-7")
    assert (again.replayed, again.body) == (True, first.body)
    command = eu.acceptance(desk.wallet, await desk.quote(), desk.recipient, desk.payer, "order-7")
    other = Command("other-body", command.wallet_id, "accept", _with_hash(command.body, b"x" * 32))
    [refused] = await eu.ask(other)
    assert code_of(refused) == "idempotency-key-reused"
    assert await eu.balance(desk.wallet) == {"available_minor": 400_000, "held_minor": 100_000}


async def test_two_hundred_requests_with_one_key_make_one_payment(desk: Desk) -> None:
    quote, eu = await desk.quote(), desk.cells.eu
    commands = [eu.acceptance(desk.wallet, quote, desk.recipient, desk.payer, "order-8") for _ in range(200)]
    answers = await eu.ask(*commands)
    assert {answer.body["id"] for answer in answers} == {answers[0].body["id"]}
    assert await eu.balance(desk.wallet) == {"available_minor": 400_000, "held_minor": 100_000}


async def test_cancel_before_the_instruction_gives_everything_back(desk: Desk) -> None:
    answer = await desk.accept(await desk.quote())
    transfer = await desk.cells.eu.transfer(answer.body["id"])
    [cancelled] = await desk.cells.eu.ask(cancel_command(transfer))
    assert cancelled.body["status"] == "CANCELLED"
    assert await desk.untouched()
    assert await desk.cells.eu.export() == []


async def test_cancel_after_the_instruction_is_too_late(desk: Desk) -> None:
    answer = await desk.accept(await desk.quote())
    assert len(await desk.cells.eu.export()) == 1
    transfer = await desk.cells.eu.transfer(answer.body["id"])
    [refused] = await desk.cells.eu.ask(cancel_command(transfer))
    assert isinstance(refused, TooLateToCancel)
    assert (await desk.cells.eu.transfer(answer.body["id"])).state is State.INSTRUCTED


async def test_a_payer_for_review_holds_the_funds_and_goes_nowhere_until_cleared(desk: Desk) -> None:
    eu = desk.cells.eu
    doubtful = await eu.payer(desk.cells.tenant, "Kovra Sandbox Review")
    answer = await desk.accept(await desk.quote(), payer=doubtful)
    assert answer.body["status"] == "IN_REVIEW"
    assert await eu.export() == []
    assert await eu.balance(desk.wallet) == {"available_minor": 400_000, "held_minor": 100_000}
    await eu.tell(await eu.transfer(answer.body["id"]), Event.CLEARED)
    assert len(await eu.export()) == 1


async def test_a_review_that_ends_badly_gives_the_money_back(desk: Desk) -> None:
    eu = desk.cells.eu
    doubtful = await eu.payer(desk.cells.tenant, "Kovra Sandbox Review")
    answer = await desk.accept(await desk.quote(), payer=doubtful)
    await eu.tell(await eu.transfer(answer.body["id"]), Event.REVIEW_REFUSED)
    assert (await eu.transfer(answer.body["id"])).state is State.REFUNDED
    assert await desk.untouched()


async def test_a_sanctioned_payers_funds_are_frozen_not_given_back(desk: Desk) -> None:
    eu = desk.cells.eu
    listed = await eu.payer(desk.cells.tenant, "Kovra Sandbox Blocked")
    answer = await desk.accept(await desk.quote(), payer=listed)
    assert (await eu.transfer(answer.body["id"])).state is State.BLOCKED
    assert "Blocked" not in str(answer.body)
    assert await eu.balance(desk.wallet) == {"available_minor": 400_000, "held_minor": 0}
    assert await eu.export() == []


async def test_a_sanctioned_payee_is_refused_where_his_data_lives(desk: Desk) -> None:
    cells = desk.cells
    listed = await cells.id.recipient(cells.tenant, "IDR", BCA, "Kovra Sandbox Blocked Trading")
    answer = await desk.accept(await desk.quote(), recipient=listed)
    assert answer.body["status"] == "FUNDS_HELD"
    await cells.id.admit(await cells.eu.export())
    await cells.eu.admit(await cells.id.export())
    refunded = await cells.eu.transfer(answer.body["id"])
    assert (refunded.state, refunded.reason_code) == (State.REFUNDED, "RR04")
    assert await desk.untouched()


async def test_the_stale_copy_of_a_wallet_cannot_journal(desk: Desk) -> None:
    """Two live copies: the second takes the wallet over; what the first then asks for is not written, and moves nothing."""
    eu = desk.cells.eu
    first_epochs = dict(eu.epochs)
    second = await eu.saga.activate([desk.wallet.wallet_id])
    assert second[desk.wallet.wallet_id] == first_epochs[desk.wallet.wallet_id] + 1
    command = eu.acceptance(desk.wallet, await desk.quote(), desk.recipient, desk.payer)
    [stale] = await eu.saga.run([command], first_epochs, lambda: None)
    assert isinstance(stale, StaleEpoch)
    assert await desk.untouched()
    [fresh] = await eu.saga.run([command], second, lambda: None)
    assert fresh.status == 202


async def test_the_stale_copy_can_at_most_repeat_what_is_journaled(desk: Desk) -> None:
    cells, eu = desk.cells, desk.cells.eu
    answer = await desk.accept(await desk.quote())
    transfer = await eu.transfer(answer.body["id"])
    before = await eu.balance(desk.wallet)
    # The stale copy has planned this very hold before, and asks the ledger for it once more.
    chain = chain_of(transfer, Effect.HOLD, chart.wallet(cells.tenant.owner_number, 978), {"id-1": 3})
    results = await eu.ledger.create_postings(chain)
    assert {result.name for result in results} == {"EXISTS", "LINKED_EVENT_FAILED"}
    assert await eu.balance(desk.wallet) == before


async def test_a_peer_at_its_cap_waits_in_order_and_is_not_refused(desk: Desk) -> None:
    cells = desk.cells
    cap = cells.id.spec.entry.settlement.peer_cap_minor["IDR"]
    leave = 1_000_000_000
    [done] = await submit_chains(cells.id.ledger, [lives.withdrawn(7 << 80 | 1, 1, cap - leave)])
    assert done.applied
    answer = await desk.accept(await desk.quote())
    await cells.id.admit(await cells.eu.export())
    leg = await cells.id.transfer(answer.body["id"])
    assert leg.state is State.WAITING
    [granted] = await submit_chains(cells.id.ledger, [lives.granted(7 << 80 | 2, 1, cap)])
    assert granted.applied
    await cells.id.tell(leg, Event.TAKEN)
    admitted = await cells.id.transfer(answer.body["id"])
    assert (admitted.state, admitted.attempt) == (State.PENDING_RAIL, 2)


def _with_hash(body: Acceptance, sha256: bytes) -> Acceptance:
    return replace(body, request_sha256=sha256)
