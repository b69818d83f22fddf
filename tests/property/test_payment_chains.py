"""Whatever the integers of a payment are, its chains balance, come to rest, and name each posting once."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from cells.kit.money import AMOUNT_MAX_MINOR
from cells.ledger import chart, house
from cells.ledger.chart import AccountType
from cells.ledger.entry import Account, PostingFlag, PostingResult
from cells.ledger.life import Life
from cells.ledger.memory import MemoryLedger
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import submit_chains
from tests.support import lives
from tests.support.position import position

EUR, IDR = 978, 360
TENANT, EU, INDONESIA = 77, 1, 3
WALLET = chart.wallet(TENANT, EUR)
MONEY = st.integers(1, AMOUNT_MAX_MINOR)
FEE = st.integers(0, AMOUNT_MAX_MINOR)
ATTEMPT = st.integers(1, 2**32 - 1)

ORIGINS = st.builds(
    lives.origin,
    payment=st.builds(lambda: uuid7().int),
    wallet=st.just(WALLET),
    peer=st.just(INDONESIA),
    principal=MONEY,
    margin=FEE,
    fee=FEE,
    amount=MONEY,
)


async def _run(*applied: Chain) -> dict[int, Account]:
    """All accounts after the chains, applied one by one to a ledger with a rich wallet and an ample cap."""
    ledger = MemoryLedger()
    plenty = 10**20
    rails = [("sepa_instant", EUR), ("bi_fast", IDR)]
    accounts = house.platform_accounts([EUR, IDR], [], [EU, INDONESIA], rails)
    await ledger.create_accounts([*accounts, chart.opening(WALLET)])
    setup = [lives.granted(uuid7().int, EU, plenty), *lives.funding(uuid7().int, plenty, WALLET)]
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


@given(ORIGINS, ATTEMPT, st.booleans(), st.data())
def test_a_payment_across_the_border_balances_and_rests(
    origin: Life, attempt: int, settles: bool, data: st.DataObject
) -> None:
    amount = origin.amount
    destination = lives.destination(origin.payment, EU, amount, data.draw(st.integers(0, amount - 1)))
    ending = Action.POST if settles else Action.VOID
    accounts = asyncio.run(
        _run(
            postings_of(origin, Action.HOLD, attempt),
            postings_of(destination, Action.HOLD, attempt),
            postings_of(destination, ending, attempt),
            postings_of(origin, ending, attempt),
        )
    )
    _check_balanced(accounts)
    owed_there = position(accounts[chart.settlement(EU, IDR)], accounts[chart.settlement_cap(EU, IDR)])
    owed_here = position(accounts[chart.settlement(INDONESIA, IDR)], accounts[chart.settlement_cap(INDONESIA, IDR)])
    assert owed_here == -owed_there == (amount if settles else 0)
    spent = 10**20 - accounts[WALLET].available
    assert spent == (origin.principal + origin.margin + origin.fee if settles else 0)
    for kind, earned in ((AccountType.FX_MARGIN, origin.margin), (AccountType.FEE_REVENUE, origin.fee)):
        assert accounts[chart.platform(kind, EUR)].credits_posted == (earned if settles else 0)


@given(MONEY, FEE, FEE, st.booleans())
def test_a_payment_in_the_region_balances_and_rests(net: int, fee: int, recipient_fee: int, settles: bool) -> None:
    life = lives.in_region(uuid7().int, WALLET, net, fee, recipient_fee)
    ending = Action.POST if settles else Action.VOID
    accounts = asyncio.run(_run(postings_of(life, Action.HOLD), postings_of(life, ending)))
    _check_balanced(accounts)
    assert 10**20 - accounts[WALLET].available == (net + fee + recipient_fee if settles else 0)
    earned = accounts[chart.platform(AccountType.FEE_REVENUE, EUR)].credits_posted
    assert earned == (fee + recipient_fee if settles else 0)
    assert accounts[chart.rail("sepa_instant", EUR)].credits_posted == (net if settles else 0)


@given(ORIGINS)
def test_every_chain_is_linked_without_gaps_and_without_zeros(life: Life) -> None:
    made = [postings_of(life, action) for action in (Action.HOLD, Action.POST, Action.VOID)]
    for chain in made:
        assert [bool(posting.flags & PostingFlag.LINKED) for posting in chain] == [True] * (len(chain) - 1) + [False]
        assert all(posting.amount > 0 for posting in chain)
        assert len(chain) == 2 + bool(life.margin) + bool(life.fee)
        assert all(posting.user_data_128 == life.payment for posting in chain)
    ids = [posting.id for chain in made for posting in chain]
    assert len(set(ids)) == len(ids)
