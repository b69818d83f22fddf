"""Whatever the integers of a payment are, its chains balance, come to rest, and name each posting once."""

import asyncio
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from cells.kit.money import AMOUNT_MAX_MINOR
from cells.ledger import chains, chart, house
from cells.ledger.chain import Chain
from cells.ledger.chart import AccountType
from cells.ledger.entry import Account, PostingFlag, PostingResult
from cells.ledger.memory import MemoryLedger
from cells.ledger.submit import submit_chains

EUR, IDR = 978, 360
TENANT, EU, INDONESIA = 77, 1, 3
MONEY = st.integers(1, AMOUNT_MAX_MINOR)
FEE = st.integers(0, AMOUNT_MAX_MINOR)
ATTEMPT = st.integers(1, 2**32 - 1)

TERMS = st.builds(
    chains.CrossBorderTerms,
    principal=MONEY,
    margin=FEE,
    fee=FEE,
    target_amount=MONEY,
    source_ledger=st.just(EUR),
    target_ledger=st.just(IDR),
)


async def _run(*applied: Chain) -> dict[int, Account]:
    """All accounts after the chains, applied one by one to a ledger with a rich wallet and an ample cap."""
    ledger = MemoryLedger()
    wallet, plenty = chart.wallet(TENANT, EUR), 10**20
    rails = [("sepa_instant", EUR), ("bi_fast", IDR)]
    accounts = house.platform_accounts([EUR, IDR], [], [EU, INDONESIA], rails)
    await ledger.create_accounts([*accounts, chart.opening(wallet)])
    collection = chains.CollectionAccounts.of("sepa_instant", EUR)
    funding = uuid7().int
    setup = [
        house.grant_cap(uuid7().int, EU, IDR, plenty),
        chains.collection_hold(funding, collection, plenty, EUR),
        chains.collection_accept(funding, collection, wallet, plenty, EUR),
    ]
    for chain in (*setup, *applied):
        (result,) = await submit_chains(ledger, [chain])
        assert result.reason is PostingResult.CREATED, result
    return {account.id: account for account in await ledger.query_accounts(limit=1000)}


def _check_balanced(accounts: dict[int, Account]) -> None:
    for ledger in (EUR, IDR):
        of_ledger = [account for account in accounts.values() if account.ledger == ledger]
        assert sum(one.debits_posted for one in of_ledger) == sum(one.credits_posted for one in of_ledger)
        assert sum(one.debits_pending for one in of_ledger) == sum(one.credits_pending for one in of_ledger)
        for kind in (AccountType.PENDING_INBOUND, AccountType.PENDING_OUTBOUND):
            resting = accounts[chart.platform(kind, ledger)]
            assert resting.credit_balance == resting.debits_pending == resting.credits_pending == 0


@given(TERMS, ATTEMPT, ATTEMPT, st.data())
def test_a_payment_across_the_border_balances_and_rests(
    terms: chains.CrossBorderTerms, hold_attempt: int, attempt: int, data: st.DataObject
) -> None:
    payment, settles = uuid7().int, data.draw(st.booleans())
    recipient_fee = data.draw(st.integers(0, terms.target_amount - 1))
    origin = chains.OriginAccounts.of(chart.wallet(TENANT, EUR), INDONESIA, terms)
    destination = chains.DestinationAccounts.of(EU, "bi_fast", IDR)
    resolve = chains.cross_border_post if settles else chains.cross_border_void
    settle = chains.destination_post if settles else chains.destination_void
    amount = terms.target_amount
    hold = chains.cross_border_hold(payment, origin, terms, attempt=hold_attempt)
    accounts = asyncio.run(
        _run(
            hold,
            chains.destination_hold(
                payment, destination, amount, IDR, recipient_fee=recipient_fee, attempt=hold_attempt
            ),
            settle(
                payment,
                destination,
                amount,
                IDR,
                recipient_fee=recipient_fee,
                hold_attempt=hold_attempt,
                attempt=attempt,
            ),
            resolve(payment, origin, terms, hold_attempt=hold_attempt, attempt=attempt),
        )
    )
    _check_balanced(accounts)
    owed_there = house.position(accounts[chart.settlement(EU, IDR)], accounts[chart.settlement_cap(EU, IDR)])
    owed_here = house.position(
        accounts[chart.settlement(INDONESIA, IDR)], accounts[chart.settlement_cap(INDONESIA, IDR)]
    )
    assert owed_here == -owed_there == (amount if settles else 0)
    spent = 10**20 - accounts[chart.wallet(TENANT, EUR)].available
    assert spent == (terms.source_total if settles else 0)
    assert accounts[origin.margin].credits_posted == (terms.margin if settles else 0)
    assert accounts[origin.fee].credits_posted == (terms.fee if settles else 0)


@given(MONEY, FEE, FEE, st.booleans())
def test_a_payment_in_the_region_balances_and_rests(net: int, fee: int, recipient_fee: int, settles: bool) -> None:
    payment, wallet = uuid7().int, chart.wallet(TENANT, EUR)
    parties = chains.InRegionAccounts.of(wallet, "sepa_instant", EUR)
    resolve = chains.in_region_post if settles else chains.in_region_void
    terms = chains.InRegionTerms(net, fee, recipient_fee, EUR)
    accounts = asyncio.run(_run(chains.in_region_hold(payment, parties, terms), resolve(payment, parties, terms)))
    _check_balanced(accounts)
    assert 10**20 - accounts[wallet].available == (net + fee + recipient_fee if settles else 0)
    assert accounts[parties.fee].credits_posted == (fee + recipient_fee if settles else 0)
    assert accounts[parties.rail].credits_posted == (net if settles else 0)


@given(TERMS)
def test_every_chain_is_linked_without_gaps_and_without_zeros(terms: chains.CrossBorderTerms) -> None:
    payment = uuid7().int
    origin = chains.OriginAccounts.of(chart.wallet(TENANT, EUR), INDONESIA, terms)
    builders: Sequence[Callable[..., Chain]] = (
        chains.cross_border_hold,
        chains.cross_border_post,
        chains.cross_border_void,
    )
    made = [builder(payment, origin, terms) for builder in builders]
    for chain in made:
        assert [bool(posting.flags & PostingFlag.LINKED) for posting in chain] == [True] * (len(chain) - 1) + [False]
        assert all(posting.amount > 0 for posting in chain)
        assert len(chain) == 2 + bool(terms.margin) + bool(terms.fee)
        assert all(posting.user_data_128 == payment for posting in chain)
    ids = [posting.id for chain in made for posting in chain]
    assert len(set(ids)) == len(ids)
