"""The ledger on a TigerBeetle cluster, through the official client (cells/backends/tigerbeetle.py).

The server says nothing of how many events it takes in a request (8,189 in production, 253 when formatted for
development), and refuses what is too large before it is sent. So `open` asks with requests that can do no
harm: postings with the id 0, each of which answers ID_MUST_NOT_BE_ZERO. A later refusal, after the server was
replaced, makes it ask again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from cells.backends.tigerbeetle import Account as AccountRecord
from cells.backends.tigerbeetle import ClientAsync, NoAnswer, RequestTooLarge, Session, Transfer
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
from cells.ledger.tigerbeetle_records import (
    account_filter,
    account_of,
    account_record,
    balance_of,
    posting_of,
    query_filter,
    transfer_record,
)

BATCH_LIMIT_MAX = 8189
"""What a production server takes: a message of 1 MiB, less its header and trailer, in events of 128 bytes."""

_DEADLINE_S = 10.0

_Event = TypeVar("_Event", Account, Posting)
_Answer = TypeVar("_Answer")
_Payload = TypeVar("_Payload")
_Row = TypeVar("_Row", Account, Posting, Balance)


class TigerBeetleLedger:
    """A Ledger on a cluster. Open it with `open`; all of a process share one client session."""

    engine = "tigerbeetle"

    def __init__(self, session: Session, *, deadline_s: float) -> None:
        self.batch_limit = BATCH_LIMIT_MAX
        self._session: Session | None = session
        self._deadline_s = deadline_s

    @classmethod
    async def open(cls, cluster_id: int, addresses: str, *, deadline_s: float = _DEADLINE_S) -> "TigerBeetleLedger":
        """`addresses` as `tigerbeetle start` takes them. Raises LedgerUnknown when no server answers in
        time.
        """
        ledger = cls(Session.open(cluster_id, addresses), deadline_s=deadline_s)
        try:
            await ledger._learn_limit()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def create_accounts(self, accounts: Sequence[Account]) -> list[AccountResult]:
        """See Ledger."""
        check_accounts(accounts)
        answers = await self._send(
            accounts,
            lambda request: self._ask(ClientAsync.create_accounts, [account_record(one) for one in request]),
        )
        return [AccountResult(answer.status.value) for answer in answers]

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        """See Ledger."""
        check_postings(postings)
        answers = await self._send(
            postings,
            lambda request: self._ask(ClientAsync.create_transfers, [transfer_record(one) for one in request]),
        )
        return [PostingResult(answer.status.value) for answer in answers]

    async def lookup_accounts(self, ids: Sequence[int]) -> dict[int, Account]:
        """See Ledger."""
        found: list[AccountRecord] = []
        for start in range(0, len(ids), self.batch_limit):
            found += await self._ask(ClientAsync.lookup_accounts, list(ids[start : start + self.batch_limit]))
        return {record.id: account_of(record) for record in found}

    async def lookup_postings(self, ids: Sequence[int]) -> dict[int, Posting]:
        """See Ledger."""
        found: list[Transfer] = []
        for start in range(0, len(ids), self.batch_limit):
            found += await self._ask(ClientAsync.lookup_transfers, list(ids[start : start + self.batch_limit]))
        return {record.id: posting_of(record) for record in found}

    async def account_postings(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Posting]:
        """See Ledger."""

        async def page(after: int, size: int) -> list[Posting]:
            wanted = account_filter(account_id, size, after, newest_first)
            return [posting_of(record) for record in await self._ask(ClientAsync.get_account_transfers, wanted)]

        return await self._pages(page, limit, after_timestamp)

    async def account_balances(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Balance]:
        """See Ledger."""

        async def page(after: int, size: int) -> list[Balance]:
            wanted = account_filter(account_id, size, after, newest_first)
            return [balance_of(record) for record in await self._ask(ClientAsync.get_account_balances, wanted)]

        return await self._pages(page, limit, after_timestamp)

    async def query_accounts(
        self, *, limit: int, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Account]:
        """See Ledger."""

        async def page(after: int, size: int) -> list[Account]:
            wanted = query_filter(size, 0, ledger, code, after)
            return [account_of(record) for record in await self._ask(ClientAsync.query_accounts, wanted)]

        return await self._pages(page, limit, after_timestamp)

    async def query_postings(
        self, *, limit: int, user_data_128: int = 0, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Posting]:
        """See Ledger."""

        async def page(after: int, size: int) -> list[Posting]:
            wanted = query_filter(size, user_data_128, ledger, code, after)
            return [posting_of(record) for record in await self._ask(ClientAsync.query_transfers, wanted)]

        return await self._pages(page, limit, after_timestamp)

    async def close(self) -> None:
        """See Ledger."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self, operation: Callable[[ClientAsync, _Payload], Awaitable[Sequence[_Answer]]], payload: _Payload
    ) -> Sequence[_Answer]:
        """One request. Raises LedgerUnknown, RequestTooLarge."""
        if self._session is None:
            raise LedgerUnknown("The ledger has been closed.")
        try:
            return await self._session.request(operation, payload, deadline_s=self._deadline_s)
        except NoAnswer as error:
            raise LedgerUnknown() from error

    async def _send(
        self, events: Sequence[_Event], ask: Callable[[Sequence[_Event]], Awaitable[Sequence[_Answer]]]
    ) -> list[_Answer]:
        """All events in as few requests as the server takes, in order. Raises ChainTooLong before anything is
        sent.
        """
        answers: list[_Answer] = []
        requests = split(events, self.batch_limit)
        while requests:
            try:
                answers += await ask(requests[0])
                requests = requests[1:]
            except RequestTooLarge:
                await self._learn_limit()
                requests = split(events[len(answers) :], self.batch_limit)
        return answers

    async def _learn_limit(self) -> None:
        """Find the largest request the server takes: nearly always the first guess, else by halving."""
        taken, refused = 0, BATCH_LIMIT_MAX + 1
        guess = BATCH_LIMIT_MAX
        while refused - taken > 1:
            try:
                await self._ask(ClientAsync.create_transfers, [Transfer()] * guess)
                taken = guess
            except RequestTooLarge:
                refused = guess
            guess = (taken + refused) // 2
        self.batch_limit = taken

    async def _pages(
        self, page: Callable[[int, int], Awaitable[list[_Row]]], limit: int, after_timestamp: int
    ) -> list[_Row]:
        """Ask for pages of what fits a reply until there are `limit` rows, or no more."""
        rows: list[_Row] = []
        while len(rows) < limit:
            size = min(limit - len(rows), self.batch_limit)
            found = await page(rows[-1].timestamp if rows else after_timestamp, size)
            rows += found
            if len(found) < size:
                break
        return rows
