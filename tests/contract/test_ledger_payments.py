"""The payment chains of LEDGER.md on every engine: they balance, come to rest, and may be sent again at any point."""

from dataclasses import dataclass

import pytest
from uuid_utils.compat import uuid7

from cells.ledger import chart, house
from cells.ledger.chart import AccountType
from cells.ledger.codes import Leg
from cells.ledger.entry import Account, AccountResult, PostingResult
from cells.ledger.ledger import Ledger
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import submit_chains
from tests.contract.ledger_engines import fresh_id
from tests.support import lives
from tests.support.position import position as position_of

EUR, IDR = 978, 360
PRINCIPAL, MARGIN, FEE, TARGET = 98_500, 800, 700, 1_700_000_00
TOTAL = PRINCIPAL + MARGIN + FEE
CAP = 2_000_000_00


@dataclass
class Books:
    """One ledger that stands for two cells, kept apart by their peers' numbers: EU owes `indonesia`, ID is owed by `eu`."""

    ledger: Ledger
    tenant: int
    indonesia: int
    eu: int

    @property
    def wallet(self) -> int:
        return chart.wallet(self.tenant, EUR)

    def origin(self, payment: int) -> Life:
        return lives.origin(
            payment, self.wallet, self.indonesia, principal=PRINCIPAL, margin=MARGIN, fee=FEE, amount=TARGET
        )

    def destination(self, payment: int, recipient_fee: int = 0) -> Life:
        return lives.destination(payment, self.eu, TARGET, recipient_fee)

    async def do(self, life: Life, *actions: Action, attempt: int = 1) -> None:
        """Apply the chains of these actions, one after the other."""
        for action in actions:
            await self.apply(postings_of(life, action, attempt))

    async def apply(self, chain: Chain) -> None:
        """Apply a chain, then send it again: both times it is there, and it counts once."""
        first = await submit_chains(self.ledger, [chain])
        again = await submit_chains(self.ledger, [chain])
        assert [result.reason for result in first] == [PostingResult.CREATED]
        assert [result.applied for result in again] == [True]
        assert again[0].reason is PostingResult.EXISTS

    async def fund(self, amount: int) -> None:
        """A SEPA Instant collection into the wallet."""
        await self.do(lives.credit(uuid7().int, amount, self.wallet), Action.HOLD, Action.CREDIT)

    async def at(self, number: int) -> Account:
        return (await self.ledger.lookup_accounts([number]))[number]

    async def available(self) -> int:
        return (await self.at(self.wallet)).available

    async def owed_by_eu(self) -> int:
        """The position of the destination cell with the paying one."""
        regional = await self.at(chart.settlement(self.eu, IDR))
        return position_of(regional, await self.at(chart.settlement_cap(self.eu, IDR)))


@pytest.fixture
async def books(ledger: Ledger) -> Books:
    seed = fresh_id() & 0xFFFFFF | 1 << 24
    made = Books(ledger, tenant=fresh_id() & 2**63 - 1 | 1, indonesia=seed, eu=seed << 1)
    rails = [("sepa_instant", EUR), ("bi_fast", IDR)]
    accounts = [
        *house.platform_accounts([EUR, IDR], [], [made.indonesia, made.eu], rails),
        chart.opening(made.wallet),
    ]
    opened = set(await ledger.create_accounts(accounts))
    assert opened <= {AccountResult.CREATED, AccountResult.EXISTS}
    assert set(await ledger.create_accounts(accounts)) == {AccountResult.EXISTS}
    await made.apply(lives.granted(uuid7().int, made.eu, CAP))
    return made


async def test_a_payment_across_the_border_settles_and_mirrors(books: Books) -> None:
    await books.fund(500_000)
    payment = uuid7().int
    await books.do(books.origin(payment), Action.HOLD)
    assert await books.available() == 500_000 - TOTAL
    await books.do(books.destination(payment), Action.HOLD, Action.POST)
    await books.do(books.origin(payment), Action.POST)
    wallet = await books.at(books.wallet)
    assert (wallet.available, wallet.debits_pending) == (500_000 - TOTAL, 0)
    regional = await books.at(chart.settlement(books.indonesia, IDR))
    assert regional.credit_balance == TARGET
    assert await books.owed_by_eu() == -TARGET


async def test_a_refused_payment_restores_the_wallet_to_the_cent(books: Books) -> None:
    await books.fund(500_000)
    payment = uuid7().int
    await books.do(books.origin(payment), Action.HOLD)
    await books.do(books.destination(payment), Action.HOLD, Action.VOID)
    await books.do(books.origin(payment), Action.VOID)
    wallet = await books.at(books.wallet)
    assert (wallet.available, wallet.debits_posted, wallet.debits_pending) == (500_000, 0, 0)
    assert await books.owed_by_eu() == 0
    late = await submit_chains(books.ledger, [postings_of(books.origin(payment), Action.POST)])
    assert (late[0].applied, late[0].reason) == (False, PostingResult.PENDING_TRANSFER_ALREADY_VOIDED)


async def test_insufficient_funds_holds_nothing_and_a_new_attempt_may_follow(books: Books) -> None:
    await books.fund(TOTAL - 1)
    life = books.origin(uuid7().int)
    first = postings_of(life, Action.HOLD)
    (result,) = await submit_chains(books.ledger, [first])
    assert result.lacks_funds
    assert result.burnt
    assert result.position == 2  # the fee found the wallet a cent short
    assert await books.available() == TOTAL - 1
    await books.fund(1)
    (again,) = await submit_chains(books.ledger, [first])
    assert (again.applied, again.reason, again.burnt) == (False, PostingResult.ID_ALREADY_FAILED, True)
    await books.do(life, Action.HOLD, Action.POST, attempt=2)


async def test_a_payment_over_the_peers_cap_waits_until_there_is_room(books: Books) -> None:
    one, two = (books.destination(uuid7().int) for _ in range(2))
    results = await submit_chains(books.ledger, [postings_of(one, Action.HOLD), postings_of(two, Action.HOLD)])
    assert [(result.applied, result.lacks_funds) for result in results] == [(True, False), (False, True)]
    lower = lives.withdrawn(uuid7().int, books.eu, CAP)
    assert (await submit_chains(books.ledger, [lower]))[0].lacks_funds
    await books.apply(lives.granted(uuid7().int, books.eu, CAP))
    await books.do(two, Action.HOLD, attempt=2)
    await books.do(one, Action.POST)
    await books.do(two, Action.POST, attempt=2)
    assert await books.owed_by_eu() == -2 * TARGET


async def test_a_fee_that_the_recipient_pays_stays_in_the_destination(books: Books) -> None:
    fee, revenue = 2_500_00, chart.platform(AccountType.FEE_REVENUE, IDR)
    before = await books.at(revenue)
    await books.do(books.destination(uuid7().int, fee), Action.HOLD, Action.POST)
    after = await books.at(revenue)
    assert after.credits_posted - before.credits_posted == fee
    assert await books.owed_by_eu() == -TARGET


async def test_a_payment_in_the_region(books: Books) -> None:
    await books.fund(10_000)
    paid, refused = (lives.in_region(uuid7().int, books.wallet, 3_990, 50, 10) for _ in range(2))
    await books.do(paid, Action.HOLD)
    await books.do(refused, Action.HOLD)
    assert await books.available() == 10_000 - 2 * 4_050
    await books.do(paid, Action.POST)
    await books.do(refused, Action.VOID)
    assert await books.available() == 10_000 - 4_050


@pytest.mark.parametrize("across", [True, False])
async def test_what_is_frozen_is_released_or_held_anew(books: Books, across: bool) -> None:
    await books.fund(500_000)
    for ended, attempt in ((Action.UNFREEZE, 1), (Action.RESUME, 2)):
        payment = uuid7().int
        life = books.origin(payment) if across else lives.in_region(payment, books.wallet, TOTAL - 60, 50, 10)
        before = await books.at(books.wallet)
        await books.do(life, Action.HOLD, Action.FREEZE)
        assert (await books.at(books.wallet)).credit_balance == before.credit_balance - TOTAL
        await books.do(life, ended, attempt=attempt)
        after = await books.at(books.wallet)
        assert after.credit_balance == before.credit_balance
        assert after.debits_pending == before.debits_pending + (TOTAL if ended is Action.RESUME else 0)
        if ended is Action.RESUME:
            await books.do(life, Action.VOID, attempt=attempt)


async def test_a_credit_may_be_suspended_or_refused(books: Books) -> None:
    suspense = chart.platform(AccountType.SUSPENSE, EUR)
    before = await books.at(suspense)
    await books.do(lives.credit(uuid7().int, 700), Action.HOLD, Action.SUSPEND)
    await books.do(lives.credit(uuid7().int, 900), Action.HOLD, Action.VOID)
    after = await books.at(suspense)
    assert after.credit_balance - before.credit_balance == 700


async def test_at_rest_nothing_is_left_between_rail_and_wallet_and_every_ledger_balances(books: Books) -> None:
    await books.fund(1_000)
    sub_wallet = chart.wallet(books.tenant, EUR, qualifier=7)
    await books.ledger.create_accounts([chart.opening(sub_wallet)])
    moved = Life(Leg.INTERNAL_TRANSFER, uuid7().int, books.wallet, sub_wallet, target_ledger=EUR, amount=300)
    await books.do(moved, Action.TRANSFER)
    assert ((await books.at(sub_wallet)).available, await books.available()) == (300, 700)
    for kind in (AccountType.PENDING_INBOUND, AccountType.PENDING_OUTBOUND):
        for ledger in (EUR, IDR):
            account = await books.at(chart.platform(kind, ledger))
            assert account.available == 0
            assert account.credits_pending == 0
    accounts = await books.ledger.query_accounts(limit=100_000, ledger=EUR)
    assert sum(one.debits_posted for one in accounts) == sum(one.credits_posted for one in accounts)
    assert sum(one.debits_pending for one in accounts) == sum(one.credits_pending for one in accounts)
