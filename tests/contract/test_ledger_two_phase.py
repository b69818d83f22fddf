"""Holds: pending, then posted in whole or in part, voided, or expired; once."""

from dataclasses import replace

import pytest

from cells.ledger.entry import AMOUNT_MAX, AccountFlag, PostingFlag, PostingResult
from cells.ledger.ledger import Ledger
from tests.contract.ledger_engines import (
    balances,
    fresh_id,
    funded_wallet,
    open_accounts,
    post,
    posting,
    void,
)
from tests.support.waiting import until

R = PostingResult
PENDING = PostingFlag.PENDING


async def test_a_hold_counts_against_the_balance_and_moves_nothing(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    assert await ledger.create_postings([posting(wallet, house, 7, PENDING)]) == [R.CREATED]
    assert await balances(ledger, wallet, house) == [(7, 0, 0, 10), (0, 10, 7, 0)]
    assert await ledger.create_postings([posting(wallet, house, 4)]) == [R.EXCEEDS_CREDITS]
    assert await ledger.create_postings([posting(wallet, house, 3)]) == [R.CREATED]


@pytest.mark.parametrize("amount", [7, AMOUNT_MAX])
async def test_a_hold_is_posted_whole(ledger: Ledger, amount: int) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING)
    assert await ledger.create_postings([hold, post(hold, amount)]) == [R.CREATED, R.CREATED]
    assert await balances(ledger, wallet, house) == [(0, 7, 0, 10), (0, 10, 0, 7)]


async def test_a_hold_posted_in_part_gives_the_rest_back(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING)
    part = post(hold, 3)
    assert await ledger.create_postings([hold, part]) == [R.CREATED, R.CREATED]
    assert await balances(ledger, wallet, house) == [(0, 3, 0, 10), (0, 10, 0, 3)]
    assert (await ledger.lookup_postings([part.id]))[part.id].amount == 3
    assert await ledger.create_postings([post(hold, 4)]) == [R.PENDING_TRANSFER_ALREADY_POSTED]


async def test_a_hold_may_be_posted_with_nothing(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING)
    assert await ledger.create_postings([hold, post(hold, 0)]) == [R.CREATED, R.CREATED]
    assert await balances(ledger, wallet, house) == [(0, 0, 0, 10), (0, 10, 0, 0)]


@pytest.mark.parametrize("amount", [7, 0])
async def test_a_void_gives_the_hold_back(ledger: Ledger, amount: int) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING)
    assert await ledger.create_postings([hold, replace(void(hold), amount=amount)]) == [R.CREATED, R.CREATED]
    assert await balances(ledger, wallet, house) == [(0, 0, 0, 10), (0, 10, 0, 0)]


async def test_a_hold_is_resolved_once(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    posted, voided = posting(wallet, house, 4, PENDING), posting(wallet, house, 5, PENDING)
    await ledger.create_postings([posted, voided, post(posted, 4), void(voided)])
    answers = await ledger.create_postings([post(posted, 4), void(posted), post(voided, 5), void(voided)])
    assert answers == [
        R.PENDING_TRANSFER_ALREADY_POSTED,
        R.PENDING_TRANSFER_ALREADY_POSTED,
        R.PENDING_TRANSFER_ALREADY_VOIDED,
        R.PENDING_TRANSFER_ALREADY_VOIDED,
    ]
    assert await balances(ledger, wallet) == [(0, 4, 0, 10)]


async def test_a_resolution_takes_from_the_hold_what_it_leaves_out(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = replace(posting(wallet, house, 7, PENDING, payment=fresh_id()), user_data_64=2**64 - 1, user_data_32=8)
    bare = posting(0, 0, AMOUNT_MAX, PostingFlag.POST_PENDING, pending_id=hold.id, ledger=0, code=0)
    assert await ledger.create_postings([hold, bare]) == [R.CREATED, R.CREATED]
    recorded = (await ledger.lookup_postings([bare.id]))[bare.id]
    assert replace(recorded, timestamp=0) == replace(
        hold, id=bare.id, flags=int(PostingFlag.POST_PENDING), pending_id=hold.id
    )
    assert await ledger.create_postings([bare]) == [R.EXISTS]


async def test_a_resolution_must_mean_the_hold_it_names(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING)
    direct = posting(wallet, house, 1)
    await ledger.create_postings([hold, direct])
    named = post(hold, 7)
    wrong = [
        (replace(named, debit_account_id=house), R.PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID),
        (replace(named, credit_account_id=wallet), R.PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID),
        (replace(named, ledger=360), R.PENDING_TRANSFER_HAS_DIFFERENT_LEDGER),
        (replace(named, code=2), R.PENDING_TRANSFER_HAS_DIFFERENT_CODE),
        (replace(named, amount=8), R.EXCEEDS_PENDING_TRANSFER_AMOUNT),
        (replace(void(hold), amount=6), R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT),
        (replace(named, pending_id=direct.id), R.PENDING_TRANSFER_NOT_PENDING),
        (replace(named, pending_id=fresh_id()), R.PENDING_TRANSFER_NOT_FOUND),
        (replace(named, pending_id=0), R.PENDING_ID_MUST_NOT_BE_ZERO),
        (replace(named, pending_id=2**128 - 1), R.PENDING_ID_MUST_NOT_BE_INT_MAX),
        (replace(named, timeout_s=1), R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER),
        (replace(named, flags=int(named.flags | PENDING)), R.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (replace(named, flags=int(named.flags | PostingFlag.VOID_PENDING)), R.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (
            replace(named, flags=int(named.flags | PostingFlag.BALANCING_DEBIT)),
            R.FLAGS_ARE_MUTUALLY_EXCLUSIVE,
        ),
    ]
    events = [replace(event, id=fresh_id()) for event, _ in wrong]
    assert await ledger.create_postings(events) == [result for _, result in wrong]
    itself = fresh_id()
    assert await ledger.create_postings([replace(named, id=itself, pending_id=itself)]) == [
        R.PENDING_ID_MUST_BE_DIFFERENT
    ]
    assert await balances(ledger, wallet) == [(7, 1, 0, 10)]


async def test_a_hold_with_a_timeout_expires_by_itself(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    hold = posting(wallet, house, 7, PENDING, timeout_s=1)
    lasting = posting(wallet, house, 2, PENDING, timeout_s=3600)
    await ledger.create_postings([hold, lasting])
    assert await balances(ledger, wallet) == [(9, 0, 0, 10)]

    async def expired() -> bool:
        return await balances(ledger, wallet) == [(2, 0, 0, 10)]

    # Nobody announces an expiry: asking is the only way to see it.
    await until(expired)
    answers = await ledger.create_postings([post(hold, 7), void(hold), post(lasting, 2)])
    assert answers == [R.PENDING_TRANSFER_EXPIRED, R.PENDING_TRANSFER_EXPIRED, R.CREATED]
    assert await balances(ledger, wallet) == [(0, 2, 0, 10)]
    # An expiry is no posting: neither the account's postings nor its history show it.
    history = await ledger.account_balances(wallet, limit=10)
    assert [one.debits_pending for one in history] == [0, 7, 9, 0]
    assert len(await ledger.account_postings(wallet, limit=10)) == 4


async def test_a_timeout_belongs_to_a_hold_and_stays_within_time(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    answers = await ledger.create_postings(
        [posting(a, b, 1, timeout_s=1), posting(a, b, 1, PENDING, timeout_s=2**32 - 1)]
    )
    assert answers == [R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER, R.CREATED]


async def test_a_closing_hold_closes_the_account_until_it_is_voided(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    closing = posting(wallet, house, 0, PENDING | PostingFlag.CLOSING_DEBIT)
    assert await ledger.create_postings([closing]) == [R.CREATED]
    assert (await ledger.lookup_accounts([wallet]))[wallet].flags & AccountFlag.CLOSED
    refused = [posting(wallet, house, 1), posting(house, wallet, 1), post(closing, 0)]
    assert await ledger.create_postings(refused) == [
        R.DEBIT_ACCOUNT_ALREADY_CLOSED,
        R.CREDIT_ACCOUNT_ALREADY_CLOSED,
        R.DEBIT_ACCOUNT_ALREADY_CLOSED,
    ]
    assert await ledger.create_postings([void(closing), posting(wallet, house, 1)]) == [R.CREATED, R.CREATED]
    assert not (await ledger.lookup_accounts([wallet]))[wallet].flags & AccountFlag.CLOSED
    only_held = posting(wallet, house, 1, PostingFlag.CLOSING_DEBIT)
    assert await ledger.create_postings([only_held]) == [R.CLOSING_TRANSFER_MUST_BE_PENDING]
