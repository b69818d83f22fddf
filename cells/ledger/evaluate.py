"""What a batch does to the books: the evaluator that the memory twin and the Postgres engine share. Pure, no
I/O.

Checks and their order are TigerBeetle's, read from src/state_machine.zig (execute_create, create_account,
execute_expire_pending_transfers) and src/tigerbeetle.zig; the rules of a single posting are in
posting_rules.py. The conformance suite and a differential test against the real server keep it so.

Event `i` of `n` in a batch stamped `timestamp` gets `timestamp - n + i + 1`, whether it succeeds or not.
"""

# ruff: noqa: C901 - a ladder of refusals in TigerBeetle's own order is easier to compare with it than any other shape

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from cells.ledger.entry import (
    ACCOUNT_PADDING,
    U128_MAX,
    Account,
    AccountFlag,
    AccountResult,
    Posting,
    PostingResult,
)
from cells.ledger.posting_rules import apply_posting, reopen
from cells.ledger.working_set import PendingStatus, WorkingSet

_Event = TypeVar("_Event", Account, Posting)
_Result = TypeVar("_Result", AccountResult, PostingResult)

# Account and posting flags agree on this bit.
_LINKED = int(AccountFlag.LINKED)


def create_accounts(books: WorkingSet, accounts: Sequence[Account], timestamp: int) -> list[AccountResult]:
    """Open accounts. `timestamp` is that of the last event, and later than everything in the books."""
    return _run(
        books,
        accounts,
        timestamp,
        create=lambda account, at: _open_account(books, account, at),
        results_type=AccountResult,
        failed=lambda _account, _result: None,
    )


def create_postings(books: WorkingSet, postings: Sequence[Posting], timestamp: int) -> list[PostingResult]:
    """Apply postings. `timestamp` is that of the last event, and later than everything in the books.

    `books` must hold whatever exists of: the postings' ids and pending_ids (with those of a pending_id's
    accounts), the ids that have failed, and the accounts they name.
    """

    def burn(posting: Posting, result: PostingResult) -> None:
        if result.burns_id:
            books.burnt.add(posting.id)
            books.changes.burnt.append(posting.id)

    return _run(
        books,
        postings,
        timestamp,
        create=lambda posting, at: apply_posting(books, posting, at),
        results_type=PostingResult,
        failed=burn,
    )


def expire_holds(books: WorkingSet, due: Sequence[Posting]) -> None:
    """End holds whose time is up. An expiry is no posting, and the accounts' history does not show it."""
    for hold in due:
        debit, credit = books.accounts[hold.debit_account_id], books.accounts[hold.credit_account_id]
        books.touch(debit)
        books.touch(credit)
        debit.debits_pending -= hold.amount
        credit.credits_pending -= hold.amount
        reopen(hold, debit, credit)
        books.resolve(hold, PendingStatus.EXPIRED)


def _run(
    books: WorkingSet,
    events: Sequence[_Event],
    timestamp: int,
    *,
    create: Callable[[_Event, int], _Result],
    results_type: type[_Result],
    failed: Callable[[_Event, _Result], None],
) -> list[_Result]:
    """The batch loop: chains open at the first LINKED event and close at the first one without it."""
    created, linked_failed = results_type.CREATED, results_type.LINKED_EVENT_FAILED
    results: list[_Result] = []
    chain_start: int | None = None
    broken = False
    first = timestamp - len(events) + 1
    for index, event in enumerate(events):
        linked = bool(event.flags & _LINKED)
        if linked and chain_start is None:
            chain_start = index
            books.open_scope()
        chain_open = linked and index == len(events) - 1
        if chain_open:
            result = results_type.LINKED_EVENT_CHAIN_OPEN
        elif broken:
            result = linked_failed
        elif event.timestamp != 0:
            result = results_type.TIMESTAMP_MUST_BE_ZERO
        else:
            result = create(event, first + index)
        if result is not created:
            if chain_start is not None and not broken:
                broken = True
                books.discard_scope()
                results[chain_start:] = [linked_failed] * (index - chain_start)
            # Outside any scope: an id that failed stays failed, although its chain was undone.
            failed(event, result)
        results.append(result)
        if chain_start is not None and (not linked or chain_open):
            if not broken:
                books.keep_scope()
            chain_start, broken = None, False
    return results


def _open_account(books: WorkingSet, account: Account, timestamp: int) -> AccountResult:
    result = _check_account(books, account)
    if result is AccountResult.CREATED:
        books.open_account(replace(account, timestamp=timestamp))
    return result


def _check_account(books: WorkingSet, account: Account) -> AccountResult:
    """The first reason not to open it, in TigerBeetle's order, or CREATED."""
    if account.flags & ACCOUNT_PADDING:
        return AccountResult.RESERVED_FLAG
    if account.id == 0:
        return AccountResult.ID_MUST_NOT_BE_ZERO
    if account.id == U128_MAX:
        return AccountResult.ID_MUST_NOT_BE_INT_MAX
    standing = books.accounts.get(account.id)
    if standing is not None:
        return _compare_account(account, standing.opening, standing.flags)
    limits = AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS | AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS
    if account.flags & limits == limits:
        return AccountResult.FLAGS_ARE_MUTUALLY_EXCLUSIVE
    if account.debits_pending:
        return AccountResult.DEBITS_PENDING_MUST_BE_ZERO
    if account.debits_posted:
        return AccountResult.DEBITS_POSTED_MUST_BE_ZERO
    if account.credits_pending:
        return AccountResult.CREDITS_PENDING_MUST_BE_ZERO
    if account.credits_posted:
        return AccountResult.CREDITS_POSTED_MUST_BE_ZERO
    if account.ledger == 0:
        return AccountResult.LEDGER_MUST_NOT_BE_ZERO
    if account.code == 0:
        return AccountResult.CODE_MUST_NOT_BE_ZERO
    return AccountResult.CREATED


def _compare_account(account: Account, existing: Account, existing_flags: int) -> AccountResult:
    """How an account sent again differs from the one there is (create_account_exists)."""
    if account.flags != existing_flags:
        return AccountResult.EXISTS_WITH_DIFFERENT_FLAGS
    if account.user_data_128 != existing.user_data_128:
        return AccountResult.EXISTS_WITH_DIFFERENT_USER_DATA_128
    if account.user_data_64 != existing.user_data_64:
        return AccountResult.EXISTS_WITH_DIFFERENT_USER_DATA_64
    if account.user_data_32 != existing.user_data_32:
        return AccountResult.EXISTS_WITH_DIFFERENT_USER_DATA_32
    if account.ledger != existing.ledger:
        return AccountResult.EXISTS_WITH_DIFFERENT_LEDGER
    if account.code != existing.code:
        return AccountResult.EXISTS_WITH_DIFFERENT_CODE
    return AccountResult.EXISTS
