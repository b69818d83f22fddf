"""The payment chains of LEDGER.md on every engine: they balance, come to rest, and may be sent again at any point."""

from dataclasses import dataclass

import pytest
from uuid_utils.compat import uuid7

from cells.ledger import chains, chart, house
from cells.ledger.chain import Chain
from cells.ledger.chart import AccountType
from cells.ledger.entry import Account, AccountResult, PostingResult
from cells.ledger.ledger import Ledger
from cells.ledger.submit import submit_chains
from tests.contract.ledger_engines import fresh_id
from tests.position import position as position_of

EUR, IDR = 978, 360
TERMS = chains.CrossBorderTerms(
    principal=98_500, margin=800, fee=700, target_amount=1_700_000_00, source_ledger=EUR, target_ledger=IDR
)
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

    @property
    def origin(self) -> chains.OriginAccounts:
        return chains.OriginAccounts.of(self.wallet, self.indonesia, TERMS)

    @property
    def destination(self) -> chains.DestinationAccounts:
        return chains.DestinationAccounts.of(self.eu, "bi_fast", IDR)

    async def apply(self, chain: Chain) -> None:
        """Apply a chain, then send it again: both times it is there, and it counts once."""
        first = await submit_chains(self.ledger, [chain])
        again = await submit_chains(self.ledger, [chain])
        assert [result.reason for result in first] == [PostingResult.CREATED]
        assert [result.applied for result in again] == [True]
        assert again[0].reason is PostingResult.EXISTS

    async def fund(self, amount: int) -> None:
        """A SEPA Instant collection into the wallet."""
        payment = uuid7().int
        accounts = chains.CollectionAccounts.of("sepa_instant", EUR)
        await self.apply(chains.collection_hold(payment, accounts, amount, EUR))
        await self.apply(chains.collection_accept(payment, accounts, self.wallet, amount, EUR))

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
    await made.apply(house.grant_cap(uuid7().int, made.eu, IDR, CAP))
    return made


async def test_a_payment_across_the_border_settles_and_mirrors(books: Books) -> None:
    await books.fund(500_000)
    payment = uuid7().int
    await books.apply(chains.cross_border_hold(payment, books.origin, TERMS))
    assert await books.available() == 500_000 - TERMS.source_total
    terms = (payment, books.destination, TERMS.target_amount, IDR)
    await books.apply(chains.destination_hold(*terms))
    await books.apply(chains.destination_post(*terms))
    await books.apply(chains.cross_border_post(payment, books.origin, TERMS))
    wallet = await books.at(books.wallet)
    assert (wallet.available, wallet.debits_pending) == (500_000 - TERMS.source_total, 0)
    regional = await books.at(books.origin.settlement)
    assert regional.credit_balance == TERMS.target_amount
    assert await books.owed_by_eu() == -TERMS.target_amount


async def test_a_refused_payment_restores_the_wallet_to_the_cent(books: Books) -> None:
    await books.fund(500_000)
    payment = uuid7().int
    terms = (payment, books.destination, TERMS.target_amount, IDR)
    await books.apply(chains.cross_border_hold(payment, books.origin, TERMS))
    await books.apply(chains.destination_hold(*terms))
    await books.apply(chains.destination_void(*terms))
    await books.apply(chains.cross_border_void(payment, books.origin, TERMS))
    wallet = await books.at(books.wallet)
    assert (wallet.available, wallet.debits_posted, wallet.debits_pending) == (500_000, 0, 0)
    assert await books.owed_by_eu() == 0
    late = await submit_chains(books.ledger, [chains.cross_border_post(payment, books.origin, TERMS)])
    assert (late[0].applied, late[0].reason) == (False, PostingResult.PENDING_TRANSFER_ALREADY_VOIDED)


async def test_insufficient_funds_holds_nothing_and_a_new_attempt_may_follow(books: Books) -> None:
    await books.fund(TERMS.source_total - 1)
    payment = uuid7().int
    first = chains.cross_border_hold(payment, books.origin, TERMS)
    (result,) = await submit_chains(books.ledger, [first])
    assert result.lacks_funds
    assert result.burnt
    assert result.position == 2  # the fee found the wallet a cent short
    assert await books.available() == TERMS.source_total - 1
    await books.fund(1)
    (again,) = await submit_chains(books.ledger, [first])
    assert (again.applied, again.reason, again.burnt) == (False, PostingResult.ID_ALREADY_FAILED, True)
    second = chains.cross_border_hold(payment, books.origin, TERMS, attempt=2)
    await books.apply(second)
    await books.apply(chains.cross_border_post(payment, books.origin, TERMS, hold_attempt=2))


async def test_a_payment_over_the_peers_cap_waits_until_there_is_room(books: Books) -> None:
    def hold(payment: int, attempt: int = 1) -> Chain:
        return chains.destination_hold(payment, books.destination, TERMS.target_amount, IDR, attempt=attempt)

    one, two = uuid7().int, uuid7().int
    results = await submit_chains(books.ledger, [hold(one), hold(two)])
    assert [(result.applied, result.lacks_funds) for result in results] == [(True, False), (False, True)]
    lower = house.withdraw_cap(uuid7().int, books.eu, IDR, CAP)
    assert (await submit_chains(books.ledger, [lower]))[0].lacks_funds
    await books.apply(house.grant_cap(uuid7().int, books.eu, IDR, CAP))
    await books.apply(hold(two, attempt=2))
    await books.apply(chains.destination_post(one, books.destination, TERMS.target_amount, IDR))
    await books.apply(chains.destination_post(two, books.destination, TERMS.target_amount, IDR, hold_attempt=2))
    assert await books.owed_by_eu() == -2 * TERMS.target_amount


async def test_a_fee_that_the_recipient_pays_stays_in_the_destination(books: Books) -> None:
    payment, fee = uuid7().int, 2_500_00
    before = await books.at(books.destination.fee)
    terms = (payment, books.destination, TERMS.target_amount, IDR)
    await books.apply(chains.destination_hold(*terms, recipient_fee=fee))
    await books.apply(chains.destination_post(*terms, recipient_fee=fee))
    after = await books.at(books.destination.fee)
    assert after.credits_posted - before.credits_posted == fee
    assert await books.owed_by_eu() == -TERMS.target_amount


async def test_a_payment_in_the_region(books: Books) -> None:
    await books.fund(10_000)
    accounts = chains.InRegionAccounts.of(books.wallet, "sepa_instant", EUR)
    paid, refused = uuid7().int, uuid7().int
    terms = chains.InRegionTerms(3_990, 50, 10, EUR)
    for payment in (paid, refused):
        await books.apply(chains.in_region_hold(payment, accounts, terms))
    assert await books.available() == 10_000 - 2 * 4_050
    await books.apply(chains.in_region_post(paid, accounts, terms))
    await books.apply(chains.in_region_void(refused, accounts, terms))
    assert await books.available() == 10_000 - 4_050


async def test_a_collection_may_be_suspended_or_refused(books: Books) -> None:
    accounts = chains.CollectionAccounts.of("sepa_instant", EUR)
    before = await books.at(accounts.suspense)
    kept, refused = uuid7().int, uuid7().int
    await books.apply(chains.collection_hold(kept, accounts, 700, EUR))
    await books.apply(chains.collection_suspend(kept, accounts, 700, EUR))
    await books.apply(chains.collection_hold(refused, accounts, 900, EUR))
    await books.apply(chains.collection_refuse(refused, accounts, 900, EUR))
    after = await books.at(accounts.suspense)
    assert after.credit_balance - before.credit_balance == 700


async def test_at_rest_nothing_is_left_between_rail_and_wallet_and_every_ledger_balances(books: Books) -> None:
    await books.fund(1_000)
    sub_wallet = chart.wallet(books.tenant, EUR, qualifier=7)
    await books.ledger.create_accounts([chart.opening(sub_wallet)])
    await books.apply(chains.book(uuid7().int, books.wallet, sub_wallet, 300, EUR))
    assert ((await books.at(sub_wallet)).available, await books.available()) == (300, 700)
    for kind in (AccountType.PENDING_INBOUND, AccountType.PENDING_OUTBOUND):
        for ledger in (EUR, IDR):
            account = await books.at(chart.platform(kind, ledger))
            assert account.available == 0
            assert account.credits_pending == 0
    accounts = await books.ledger.query_accounts(limit=100_000, ledger=EUR)
    assert sum(one.debits_posted for one in accounts) == sum(one.credits_posted for one in accounts)
    assert sum(one.debits_pending for one in accounts) == sum(one.credits_pending for one in accounts)
