"""The embedded ledger engine: TigerBeetle's semantics on the cell's own Postgres, so that a laptop needs no
other server.

Each batch is one transaction: take the clock's row, load what the batch can touch, evaluate in Python, write
the changes. Some ten round trips, whatever the size of the batch.

Why one lock for the whole ledger, and not the accounts in order of id: nearly every chain touches the
platform's accounts (FX, FEE, MARGIN) or a peer's, so account locks would queue just the same, and strictly
rising timestamps need one clock in any case. TigerBeetle itself applies one batch at a time. Concurrency pays
off above: what waits here is coalesced there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from cells.backends.postgres import Connection, Pool, StoreUnavailable, open_pool, transaction
from cells.ledger import evaluate, postgres_rows, postgres_writes
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
from cells.ledger.ledger import LedgerUnknown
from cells.ledger.working_set import WorkingSet

BATCH_LIMIT = 8189
"""Events in one request, as a production TigerBeetle server takes them."""

_EXPIRIES_MAX = 8192
_DEADLINE_S = 10.0

_Answer = TypeVar("_Answer")


class PostgresLedger:
    """A Ledger in the schema `ledger` of the cell's database. Open it with `open`; several processes may."""

    engine = "postgres"

    def __init__(self, pool: Pool, *, batch_limit: int, deadline_s: float) -> None:
        self.batch_limit = batch_limit
        self._pool = pool
        self._deadline_s = deadline_s
        # One batch of this process at a time: the others would only hold connections while they wait for the
        # clock.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls, dsn: str, *, name: str, batch_limit: int = BATCH_LIMIT, deadline_s: float = _DEADLINE_S
    ) -> "PostgresLedger":
        """With the DSN of the role kovra_ledger; `name` shows in pg_stat_activity. Raises
        StoreUnavailable.
        """
        pool = await open_pool(dsn, size_max=3, name=name)
        return cls(pool, batch_limit=batch_limit, deadline_s=deadline_s)

    async def create_accounts(self, accounts: Sequence[Account]) -> list[AccountResult]:
        """See Ledger."""
        check_accounts(accounts)
        results: list[AccountResult] = []
        for request in split(accounts, self.batch_limit):
            results += await self._write(partial(_create_accounts, events=request))
        return results

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        """See Ledger."""
        check_postings(postings)
        results: list[PostingResult] = []
        for request in split(postings, self.batch_limit):
            results += await self._write(partial(_create_postings, events=request))
        return results

    async def lookup_accounts(self, ids: Sequence[int]) -> dict[int, Account]:
        """See Ledger."""
        await self._expire()
        found = await self._read(lambda connection: postgres_rows.find_accounts(connection, ids))
        return {account.id: account for account in found}

    async def lookup_postings(self, ids: Sequence[int]) -> dict[int, Posting]:
        """See Ledger."""
        found = await self._read(lambda connection: postgres_rows.find_postings(connection, ids))
        return {posting.id: posting for posting in found}

    async def account_postings(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Posting]:
        """See Ledger."""
        return await self._read(
            lambda connection: postgres_rows.page_of_account(
                connection, account_id, limit, after_timestamp, newest_first
            )
        )

    async def account_balances(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Balance]:
        """See Ledger."""
        await self._expire()
        return await self._read(
            lambda connection: postgres_rows.page_of_balances(
                connection, account_id, limit, after_timestamp, newest_first
            )
        )

    async def query_accounts(
        self, *, limit: int, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Account]:
        """See Ledger."""
        await self._expire()
        return await self._read(
            lambda connection: postgres_rows.page_of_accounts(connection, limit, ledger, code, after_timestamp)
        )

    async def query_postings(
        self, *, limit: int, user_data_128: int = 0, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Posting]:
        """See Ledger."""
        return await self._read(
            lambda connection: postgres_rows.page_of_postings(
                connection,
                limit=limit,
                user_data_128=user_data_128,
                ledger=ledger,
                code=code,
                after_timestamp=after_timestamp,
            )
        )

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def _expire(self) -> None:
        """Before balances are read: end the holds whose time is up."""
        if await self._read(postgres_writes.holds_are_due):
            await self._write(partial(_create_postings, events=()))

    async def _write(self, work: Callable[[Connection], Awaitable[_Answer]]) -> _Answer:
        async with self._turn:
            return await self._read(work)

    async def _read(self, work: Callable[[Connection], Awaitable[_Answer]]) -> _Answer:
        """Do `work` in one transaction within the deadline. Raises LedgerUnknown: a commit may be on its
        way.
        """
        try:
            async with asyncio.timeout(self._deadline_s), transaction(self._pool) as connection:
                return await work(connection)
        except (StoreUnavailable, TimeoutError) as error:
            raise LedgerUnknown() from error


async def _create_accounts(connection: Connection, events: Sequence[Account]) -> list[AccountResult]:
    timestamp = await postgres_writes.advance_clock(connection, len(events))
    books = WorkingSet()
    await postgres_writes.load_accounts(connection, books, {account.id for account in events})
    results = evaluate.create_accounts(books, events, timestamp)
    await postgres_writes.save(connection, books)
    return results


async def _create_postings(connection: Connection, events: Sequence[Posting]) -> list[PostingResult]:
    timestamp = await postgres_writes.advance_clock(connection, len(events))
    books = WorkingSet()
    due = await postgres_writes.load_postings(connection, books, events, timestamp, _EXPIRIES_MAX)
    evaluate.expire_holds(books, due)
    results = evaluate.create_postings(books, events, timestamp)
    await postgres_writes.save(connection, books)
    return results
