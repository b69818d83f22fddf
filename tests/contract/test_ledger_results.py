"""What a ledger answers: which reason comes first, which ids are burnt, what counts as the same posting."""

from dataclasses import replace

import pytest

from cells.ledger.entry import (
    AMOUNT_MAX,
    U128_MAX,
    Account,
    AccountFlag,
    AccountResult,
    Posting,
    PostingFlag,
    PostingResult,
)
from cells.ledger.ledger import Ledger
from tests.contract.ledger_engines import (
    account,
    balances,
    fresh_id,
    funded_wallet,
    link,
    open_accounts,
    post,
    posting,
    void,
)

R = PostingResult
A = AccountResult
NO_OVERDRAFT = AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS
NO_OVERCREDIT = AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS


async def test_debits_must_not_exceed_credits_holds_included(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    answers = await ledger.create_postings(
        [posting(wallet, house, 6, PostingFlag.PENDING), posting(wallet, house, 5), posting(wallet, house, 4)]
    )
    assert answers == [R.CREATED, R.EXCEEDS_CREDITS, R.CREATED]
    # Money that is only on its way in cannot be spent.
    answers = await ledger.create_postings([posting(house, wallet, 9, PostingFlag.PENDING), posting(wallet, house, 1)])
    assert answers == [R.CREATED, R.EXCEEDS_CREDITS]


async def test_credits_must_not_exceed_debits_holds_included(ledger: Ledger) -> None:
    house, asset = await open_accounts(ledger, 0, NO_OVERCREDIT)
    answers = await ledger.create_postings(
        [
            posting(asset, house, 10),
            posting(house, asset, 6, PostingFlag.PENDING),
            posting(house, asset, 5),
            posting(house, asset, 4),
        ]
    )
    assert answers == [R.CREATED, R.CREATED, R.EXCEEDS_DEBITS, R.CREATED]
    assert await balances(ledger, asset) == [(0, 10, 6, 4)]


async def test_a_balancing_posting_moves_what_there_is(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    sweep = posting(wallet, house, AMOUNT_MAX, PostingFlag.BALANCING_DEBIT)
    assert await ledger.create_postings([sweep]) == [R.CREATED]
    assert (await ledger.lookup_postings([sweep.id]))[sweep.id].amount == 10
    assert await balances(ledger, wallet) == [(0, 10, 0, 10)]
    # Sent again, with any limit that the amount fits in, it is the same posting.
    assert await ledger.create_postings([sweep, replace(sweep, amount=10)]) == [R.EXISTS, R.EXISTS]
    assert await ledger.create_postings([replace(sweep, amount=9)]) == [R.EXISTS_WITH_DIFFERENT_AMOUNT]


async def test_a_posting_sent_again_exists_or_says_what_differs(ledger: Ledger) -> None:
    a, b, c = await open_accounts(ledger, 0, 0, 0)
    sent = replace(posting(a, b, 10, PostingFlag.PENDING, timeout_s=3600, payment=5), user_data_64=6, user_data_32=7)
    assert await ledger.create_postings([sent, sent]) == [R.CREATED, R.EXISTS]
    variants = [
        (replace(sent, flags=0, timeout_s=0), R.EXISTS_WITH_DIFFERENT_FLAGS),
        (replace(sent, pending_id=1), R.EXISTS_WITH_DIFFERENT_PENDING_ID),
        (replace(sent, timeout_s=1, amount=9), R.EXISTS_WITH_DIFFERENT_TIMEOUT),
        (replace(sent, debit_account_id=c, amount=9), R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID),
        (replace(sent, credit_account_id=c), R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID),
        (replace(sent, amount=9, user_data_128=1), R.EXISTS_WITH_DIFFERENT_AMOUNT),
        (replace(sent, user_data_128=1, user_data_64=1), R.EXISTS_WITH_DIFFERENT_USER_DATA_128),
        (replace(sent, user_data_64=1, user_data_32=1), R.EXISTS_WITH_DIFFERENT_USER_DATA_64),
        (replace(sent, user_data_32=1, ledger=1), R.EXISTS_WITH_DIFFERENT_USER_DATA_32),
        (replace(sent, ledger=360, code=2), R.EXISTS_WITH_DIFFERENT_LEDGER),
        (replace(sent, code=2), R.EXISTS_WITH_DIFFERENT_CODE),
    ]
    assert await ledger.create_postings([event for event, _ in variants]) == [result for _, result in variants]
    assert await balances(ledger, a) == [(10, 0, 0, 0)]


async def test_a_resolution_sent_again_exists_or_says_what_differs(ledger: Ledger) -> None:
    a, b, c = await open_accounts(ledger, 0, 0, 0)
    hold = posting(a, b, 10, PostingFlag.PENDING, payment=5)
    other = posting(a, b, 10, PostingFlag.PENDING)
    voided = posting(a, b, 10, PostingFlag.PENDING)
    part, back = replace(post(hold, 4), user_data_128=6), void(voided)
    assert await ledger.create_postings([hold, other, voided, part, back]) == [R.CREATED] * 5
    variants = [
        (part, R.EXISTS),
        (back, R.EXISTS),
        (replace(back, amount=0), R.EXISTS),
        (replace(part, debit_account_id=0, credit_account_id=0, ledger=0, code=0), R.EXISTS),
        (replace(part, flags=int(PostingFlag.VOID_PENDING)), R.EXISTS_WITH_DIFFERENT_FLAGS),
        (replace(part, pending_id=other.id), R.EXISTS_WITH_DIFFERENT_PENDING_ID),
        (replace(part, debit_account_id=c), R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID),
        (replace(part, credit_account_id=c), R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID),
        (replace(part, amount=AMOUNT_MAX), R.EXISTS_WITH_DIFFERENT_AMOUNT),
        (replace(back, amount=9), R.EXISTS_WITH_DIFFERENT_AMOUNT),
        (replace(part, user_data_128=0), R.EXISTS_WITH_DIFFERENT_USER_DATA_128),
        (replace(part, user_data_64=1), R.EXISTS_WITH_DIFFERENT_USER_DATA_64),
        (replace(part, user_data_32=1), R.EXISTS_WITH_DIFFERENT_USER_DATA_32),
        (replace(part, ledger=360), R.EXISTS_WITH_DIFFERENT_LEDGER),
        (replace(part, code=2), R.EXISTS_WITH_DIFFERENT_CODE),
    ]
    assert await ledger.create_postings([event for event, _ in variants]) == [result for _, result in variants]


async def test_a_posting_that_failed_for_a_passing_reason_has_burnt_its_id(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 0)
    missing = fresh_id()
    hold = posting(house, wallet, 5, PostingFlag.PENDING)
    burnt = [
        (posting(wallet, house, 5), R.EXCEEDS_CREDITS),
        (posting(missing, house, 5), R.DEBIT_ACCOUNT_NOT_FOUND),
        (posting(house, missing, 5), R.CREDIT_ACCOUNT_NOT_FOUND),
        (post(hold, 5), R.PENDING_TRANSFER_NOT_FOUND),
    ]
    assert await ledger.create_postings([event for event, _ in burnt]) == [result for _, result in burnt]
    # What was missing is there now, and it does not help.
    assert await ledger.create_accounts([account(number=missing)]) == [A.CREATED]
    assert await ledger.create_postings([posting(house, wallet, 100), hold]) == [R.CREATED, R.CREATED]
    assert await ledger.create_postings([event for event, _ in burnt]) == [R.ID_ALREADY_FAILED] * 4
    assert await ledger.create_postings([replace(burnt[0][0], id=fresh_id())]) == [R.CREATED]


async def test_an_id_burnt_in_a_chain_stays_burnt_and_its_neighbours_do_not(ledger: Ledger) -> None:
    house, wallet = await funded_wallet(ledger, 10)
    chain = link([posting(wallet, house, 5), posting(wallet, house, 6), posting(wallet, house, 1)])
    failed = [R.LINKED_EVENT_FAILED, R.EXCEEDS_CREDITS, R.LINKED_EVENT_FAILED]
    assert await ledger.create_postings(chain) == failed
    await ledger.create_postings([posting(house, wallet, 100)])
    again = [R.LINKED_EVENT_FAILED, R.ID_ALREADY_FAILED, R.LINKED_EVENT_FAILED]
    assert await ledger.create_postings(chain) == again
    alone = [replace(chain[0], flags=0), replace(chain[2], flags=0)]
    assert await ledger.create_postings(alone) == [R.CREATED, R.CREATED]


async def test_a_posting_that_failed_for_a_lasting_reason_may_be_sent_right(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    wrong = posting(a, b, 5, code=0)
    assert await ledger.create_postings([wrong, replace(wrong, code=1)]) == [
        R.CODE_MUST_NOT_BE_ZERO,
        R.CREATED,
    ]


async def test_ledgers_do_not_mix(ledger: Ledger) -> None:
    euro, rupiah = account(), account(ledger=360)
    other = account()
    assert await ledger.create_accounts([euro, rupiah, other]) == [A.CREATED] * 3
    answers = await ledger.create_postings([posting(euro.id, rupiah.id, 1), posting(euro.id, other.id, 1, ledger=360)])
    assert answers == [R.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER, R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS]


async def test_malformed_postings_are_named_in_order_of_precedence(ledger: Ledger) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    good = posting(a, b, 1)
    malformed: list[tuple[Posting, PostingResult]] = [
        (replace(good, timestamp=1, id=0), R.TIMESTAMP_MUST_BE_ZERO),
        (replace(good, flags=1 << 9, id=0), R.RESERVED_FLAG),
        (replace(good, id=0, debit_account_id=0), R.ID_MUST_NOT_BE_ZERO),
        (replace(good, id=U128_MAX), R.ID_MUST_NOT_BE_INT_MAX),
        (replace(good, debit_account_id=0, credit_account_id=0), R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (replace(good, debit_account_id=U128_MAX), R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (replace(good, credit_account_id=0, ledger=0), R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (replace(good, credit_account_id=U128_MAX), R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (replace(good, credit_account_id=a, pending_id=3), R.ACCOUNTS_MUST_BE_DIFFERENT),
        (replace(good, pending_id=3, ledger=0), R.PENDING_ID_MUST_BE_ZERO),
        (replace(good, ledger=0, code=0), R.LEDGER_MUST_NOT_BE_ZERO),
        (replace(good, code=0), R.CODE_MUST_NOT_BE_ZERO),
    ]
    assert await ledger.create_postings([event for event, _ in malformed]) == [result for _, result in malformed]


async def test_no_balance_can_overflow(ledger: Ledger) -> None:
    pending = PostingFlag.PENDING
    a, b, c, d = await open_accounts(ledger, 0, 0, 0, 0)
    answers = await ledger.create_postings(
        [
            posting(a, b, AMOUNT_MAX),
            posting(a, c, 1),
            posting(c, b, 1),
            posting(a, c, 1, pending),
            posting(c, b, 1, pending),
            posting(c, d, AMOUNT_MAX, pending),
            posting(c, a, 1, pending),
            posting(a, d, 0, pending),
            posting(b, d, 1, pending),
        ]
    )
    assert answers == [
        R.CREATED,
        R.OVERFLOWS_DEBITS_POSTED,
        R.OVERFLOWS_CREDITS_POSTED,
        R.OVERFLOWS_DEBITS_POSTED,
        R.OVERFLOWS_CREDITS_POSTED,
        R.CREATED,
        R.OVERFLOWS_DEBITS_PENDING,
        R.CREATED,
        R.OVERFLOWS_CREDITS_PENDING,
    ]
    assert await ledger.create_postings([posting(c, a, 1), posting(b, d, 1)]) == [
        R.OVERFLOWS_DEBITS,
        R.OVERFLOWS_CREDITS,
    ]
    assert await balances(ledger, a, b) == [(0, AMOUNT_MAX, 0, 0), (0, 0, 0, AMOUNT_MAX)]


async def test_accounts_sent_again_exist_or_say_what_differs(ledger: Ledger) -> None:
    sent = replace(account(AccountFlag.HISTORY), user_data_128=1, user_data_64=2, user_data_32=3)
    assert await ledger.create_accounts([sent, sent]) == [A.CREATED, A.EXISTS]
    variants: list[tuple[Account, AccountResult]] = [
        (replace(sent, flags=0, code=2), A.EXISTS_WITH_DIFFERENT_FLAGS),
        (replace(sent, user_data_128=9, user_data_64=9), A.EXISTS_WITH_DIFFERENT_USER_DATA_128),
        (replace(sent, user_data_64=9, user_data_32=9), A.EXISTS_WITH_DIFFERENT_USER_DATA_64),
        (replace(sent, user_data_32=9, ledger=9), A.EXISTS_WITH_DIFFERENT_USER_DATA_32),
        (replace(sent, ledger=9, code=9), A.EXISTS_WITH_DIFFERENT_LEDGER),
        (replace(sent, code=9), A.EXISTS_WITH_DIFFERENT_CODE),
    ]
    assert await ledger.create_accounts([event for event, _ in variants]) == [result for _, result in variants]


async def test_malformed_accounts_are_named_in_order_of_precedence(ledger: Ledger) -> None:
    good = account()
    malformed: list[tuple[Account, AccountResult]] = [
        (replace(good, timestamp=1, id=0), A.TIMESTAMP_MUST_BE_ZERO),
        (replace(good, flags=1 << 6, id=0), A.RESERVED_FLAG),
        (replace(good, id=0), A.ID_MUST_NOT_BE_ZERO),
        (replace(good, id=U128_MAX), A.ID_MUST_NOT_BE_INT_MAX),
        (replace(good, flags=int(NO_OVERDRAFT | NO_OVERCREDIT), ledger=0), A.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (replace(good, debits_pending=1, debits_posted=1), A.DEBITS_PENDING_MUST_BE_ZERO),
        (replace(good, debits_posted=1, credits_pending=1), A.DEBITS_POSTED_MUST_BE_ZERO),
        (replace(good, credits_pending=1, credits_posted=1), A.CREDITS_PENDING_MUST_BE_ZERO),
        (replace(good, credits_posted=1, ledger=0), A.CREDITS_POSTED_MUST_BE_ZERO),
        (replace(good, ledger=0, code=0), A.LEDGER_MUST_NOT_BE_ZERO),
        (replace(good, code=0), A.CODE_MUST_NOT_BE_ZERO),
    ]
    assert await ledger.create_accounts([event for event, _ in malformed]) == [result for _, result in malformed]
    assert await ledger.create_accounts([good]) == [A.CREATED]


@pytest.mark.parametrize("field", ["amount", "id", "pending_id", "code", "flags", "user_data_64"])
async def test_what_no_engine_can_encode_is_a_bug_and_never_sent(ledger: Ledger, field: str) -> None:
    a, b = await open_accounts(ledger, 0, 0)
    for value in (-1, 2**128):
        with pytest.raises(ValueError, match="out of range"):
            await ledger.create_postings([replace(posting(a, b, 1), **{field: value})])
