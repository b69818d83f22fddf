"""Linked chains: whole or not at all, whichever posting fails."""

import pytest

from cells.ledger.entry import Account, AccountFlag, AccountResult, PostingFlag, PostingResult
from cells.ledger.ledger import Ledger
from tests.contract.ledger_engines import account, balances, fresh_id, funded_wallet, link, open_accounts, posting

R = PostingResult


async def test_a_chain_is_applied_whole(ledger: Ledger) -> None:
    a, b, c = await open_accounts(ledger, 0, 0, 0)
    chain = link([posting(a, b, 10), posting(b, c, 4), posting(c, a, 1)])
    assert await ledger.create_postings(chain) == [R.CREATED] * 3
    assert await balances(ledger, a, b, c) == [(0, 10, 0, 1), (0, 4, 0, 10), (0, 1, 0, 4)]


@pytest.mark.parametrize("position", range(4))
async def test_a_chain_that_fails_anywhere_leaves_no_trace(ledger: Ledger, position: int) -> None:
    house, wallet = await funded_wallet(ledger, 100)
    chain = [posting(wallet, house, 10) for _ in range(4)]
    chain[position] = posting(wallet, house, 1000)
    answers = await ledger.create_postings(link(chain))
    expected = [R.LINKED_EVENT_FAILED] * 4
    expected[position] = R.EXCEEDS_CREDITS
    assert answers == expected
    assert await balances(ledger, wallet) == [(0, 0, 0, 100)]
    assert await ledger.lookup_postings([one.id for one in chain]) == {}


async def test_a_posting_sees_what_the_chain_did_before_it(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 0)
    chain = link([posting(house, wallet, 10), posting(wallet, house, 10)])
    assert await ledger.create_postings(chain) == [R.CREATED, R.CREATED]
    assert await balances(ledger, wallet) == [(0, 10, 0, 10)]


async def test_chains_and_single_postings_of_one_batch_are_independent(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    good = link([posting(wallet, house, 4), posting(wallet, house, 4)])
    bad = link([posting(wallet, house, 1), posting(wallet, house, 9)])
    single = posting(wallet, house, 2)
    answers = await ledger.create_postings([*good, *bad, single])
    assert answers == [R.CREATED, R.CREATED, R.LINKED_EVENT_FAILED, R.EXCEEDS_CREDITS, R.CREATED]
    assert await balances(ledger, wallet) == [(0, 10, 0, 10)]


async def test_a_chain_left_open_fails(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    open_chain = [posting(a, b, 1, PostingFlag.LINKED), posting(a, b, 1, PostingFlag.LINKED)]
    answers = await ledger.create_postings(open_chain)
    assert answers == [R.LINKED_EVENT_FAILED, R.LINKED_EVENT_CHAIN_OPEN]
    assert await ledger.create_postings([posting(a, b, 1, PostingFlag.LINKED)]) == [R.LINKED_EVENT_CHAIN_OPEN]


async def test_a_broken_chain_left_open_says_so_at_its_end(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    linked = PostingFlag.LINKED
    events = [posting(a, a, 1, linked), posting(a, b, 1, linked), posting(a, b, 1, linked)]
    answers = await ledger.create_postings(events)
    assert answers == [R.ACCOUNTS_MUST_BE_DIFFERENT, R.LINKED_EVENT_FAILED, R.LINKED_EVENT_CHAIN_OPEN]


async def test_a_completed_chain_sent_again_answers_exists_then_linked_event_failed(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    chain = link([posting(a, b, 10), posting(b, a, 4), posting(a, b, 1)])
    await ledger.create_postings(chain)
    before = await balances(ledger, a, b)
    assert await ledger.create_postings(chain) == [R.EXISTS, R.LINKED_EVENT_FAILED, R.LINKED_EVENT_FAILED]
    assert await balances(ledger, a, b) == before
    assert len(await ledger.lookup_postings([one.id for one in chain])) == 3


async def test_a_hold_of_a_chain_that_broke_cannot_be_posted(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 5, PostingFlag.PENDING)
    assert (await ledger.create_postings(link([hold, posting(wallet, house, 50)])))[1] is R.EXCEEDS_CREDITS
    late = posting(wallet, house, 5, PostingFlag.POST_PENDING, pending_id=hold.id)
    assert await ledger.create_postings([late]) == [R.PENDING_TRANSFER_NOT_FOUND]
    assert await balances(ledger, wallet) == [(0, 0, 0, 10)]


async def test_a_post_in_a_chain_that_broke_leaves_the_hold_pending(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 5, PostingFlag.PENDING)
    await ledger.create_postings([hold])
    resolve = posting(wallet, house, 5, PostingFlag.POST_PENDING, pending_id=hold.id)
    answers = await ledger.create_postings(link([resolve, posting(wallet, house, 50)]))
    assert answers == [R.LINKED_EVENT_FAILED, R.EXCEEDS_CREDITS]
    assert await balances(ledger, wallet) == [(5, 0, 0, 10)]
    assert await ledger.create_postings([resolve]) == [R.CREATED]


async def test_accounts_are_opened_in_chains_too(ledger: Ledger) -> None:
    def chain(last_ledger: int) -> list[Account]:
        first = account(AccountFlag.LINKED)
        return [first, account(number=first.id + 1, ledger=last_ledger)]

    broken, whole = chain(0), chain(978)
    assert await ledger.create_accounts([*broken, *whole]) == [
        AccountResult.LINKED_EVENT_FAILED,
        AccountResult.LEDGER_MUST_NOT_BE_ZERO,
        AccountResult.CREATED,
        AccountResult.CREATED,
    ]
    found = await ledger.lookup_accounts([one.id for one in (*broken, *whole)])
    assert set(found) == {one.id for one in whole}


async def test_an_empty_batch_is_answered(ledger: Ledger) -> None:
    assert await ledger.create_postings([]) == []
    assert await ledger.create_accounts([]) == []
    assert await ledger.lookup_accounts([fresh_id()]) == {}
