"""The ledger in memory: the embedded engine's evaluator with nothing under it. For the explorer and for
tests.

Holds no lock because it never awaits in the middle: each call is one step of the event loop.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from cells.ledger.batching import split
from cells.ledger.entry import (
    Account,
    AccountResult,
    Balance,
    Posting,
    PostingResult,
    check_accounts,
    check_postings,
)
from cells.ledger.evaluate import create_accounts, create_postings, expire_holds
from cells.ledger.working_set import Changes, WorkingSet

_Row = TypeVar("_Row", Account, Posting, Balance)


class MemoryLedger:
    """A Ledger that lives and dies with the process. `clock_ns` answers nanoseconds since 1970."""

    engine = "memory"

    def __init__(self, *, batch_limit: int = 8189, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.batch_limit = batch_limit
        self._clock_ns = clock_ns
        self._books = WorkingSet()
        self._timestamp = 0
        self._accounts_by_time: list[int] = []
        self._postings_by_time: list[Posting] = []
        self._history: dict[int, list[Balance]] = {}

    async def create_accounts(self, accounts: Sequence[Account]) -> list[AccountResult]:
        check_accounts(accounts)
        results: list[AccountResult] = []
        for request in split(accounts, self.batch_limit):
            results += create_accounts(self._books, request, self._advance(len(request)))
            self._keep()
        return results

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        check_postings(postings)
        results: list[PostingResult] = []
        for request in split(postings, self.batch_limit):
            self._expire()
            results += create_postings(self._books, request, self._advance(len(request)))
            self._keep()
        return results

    async def lookup_accounts(self, ids: Sequence[int]) -> dict[int, Account]:
        self._expire()
        return {number: self._books.accounts[number].account() for number in ids if number in self._books.accounts}

    async def lookup_postings(self, ids: Sequence[int]) -> dict[int, Posting]:
        return {number: self._books.postings[number] for number in ids if number in self._books.postings}

    async def account_postings(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Posting]:
        touching = [
            posting
            for posting in self._postings_by_time
            if account_id in (posting.debit_account_id, posting.credit_account_id)
        ]
        return _page(touching, limit, after_timestamp, newest_first)

    async def account_balances(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Balance]:
        self._expire()
        return _page(self._history.get(account_id, []), limit, after_timestamp, newest_first)

    async def query_accounts(
        self, *, limit: int, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Account]:
        self._expire()
        accounts = [self._books.accounts[number].account() for number in self._accounts_by_time]
        matching = [account for account in accounts if ledger in (0, account.ledger) and code in (0, account.code)]
        return _page(matching, limit, after_timestamp, newest_first=False)

    async def query_postings(
        self, *, limit: int, user_data_128: int = 0, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Posting]:
        matching = [
            posting
            for posting in self._postings_by_time
            if user_data_128 in (0, posting.user_data_128)
            and ledger in (0, posting.ledger)
            and code in (0, posting.code)
        ]
        return _page(matching, limit, after_timestamp, newest_first=False)

    async def close(self) -> None:
        pass

    def _advance(self, events: int) -> int:
        """The timestamp of a batch's last event."""
        self._timestamp = max(self._timestamp + events, self._clock_ns())
        return self._timestamp

    def _expire(self) -> None:
        """End the holds whose time is up, before anything looks at them."""
        deadlines = self._books.deadlines
        if not deadlines:
            return
        now = max(self._timestamp, self._clock_ns())
        expire_holds(
            self._books,
            [self._books.postings[number] for number, deadline in deadlines.items() if deadline <= now],
        )
        self._keep()

    def _keep(self) -> None:
        """Index what the evaluator did."""
        changes, self._books.changes = self._books.changes, Changes()
        self._accounts_by_time += [account.id for account in changes.opened]
        self._postings_by_time += changes.postings
        for account_id, balance in changes.balances:
            self._history.setdefault(account_id, []).append(balance)


def _page(rows: Sequence[_Row], limit: int, after_timestamp: int, newest_first: bool) -> list[_Row]:
    """One page of rows that are in order of time."""
    if newest_first:
        before = after_timestamp or 2**63
        return [row for row in reversed(rows) if row.timestamp < before][:limit]
    return [row for row in rows if row.timestamp > after_timestamp][:limit]
