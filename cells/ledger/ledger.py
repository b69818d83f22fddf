"""The port to a cell's ledger: what the rest of the cell may ask of it, whichever engine answers.

Invariants, kept by one conformance suite over every engine (tests/contract/test_ledger_*.py):
- one answer per event, in the order of the events; an answer is definite, and an unknown outcome is an
  exception;
- a batch is not a transaction: only a chain (events joined by LINKED) stands or falls together;
- an engine may split a batch to its server's limit, at chain boundaries only;
- the same event sent again answers EXISTS; a chain sent again answers EXISTS, then LINKED_EVENT_FAILED:
  confirm it by looking up every member (`cells.ledger.submit` does).
"""

from collections.abc import Sequence
from typing import Protocol

from cells.ledger.entry import Account, AccountResult, Balance, Posting, PostingResult
from residency.errors import KovraError


class LedgerUnknown(KovraError):
    """The ledger did not answer in time, or the line broke: the request may have been applied, or be yet to
    come.

    Never a failure: send the same ids again until the answer is definite (LEDGER.md, ids and recovery).
    """

    code = "ledger-unknown"
    status = 503
    retryable = True
    title = "The ledger has not answered; the outcome is not known yet"


class ChainTooLong(KovraError):
    """A chain has more postings than the ledger takes in one request. It cannot be split, so it cannot be
    sent.
    """

    code = "ledger-chain-too-long"
    status = 422
    retryable = False
    title = "The chain is longer than the ledger takes in one request"


class Ledger(Protocol):
    """One cell's ledger. Every method raises LedgerUnknown when no definite answer came within the
    deadline.
    """

    @property
    def engine(self) -> str:
        """`tigerbeetle`, `postgres` or `memory`."""

    @property
    def batch_limit(self) -> int:
        """Events in one request to the server, as far as known; callers need not split, chains must fit."""

    async def create_accounts(self, accounts: Sequence[Account]) -> list[AccountResult]:
        """Open accounts; EXISTS when the same account is there. Raises ChainTooLong, LedgerUnknown."""

    async def create_postings(self, postings: Sequence[Posting]) -> list[PostingResult]:
        """Apply postings; one result each, in order. Raises ChainTooLong (nothing sent), LedgerUnknown."""

    async def lookup_accounts(self, ids: Sequence[int]) -> dict[int, Account]:
        """The accounts that exist among `ids`."""

    async def lookup_postings(self, ids: Sequence[int]) -> dict[int, Posting]:
        """The applied postings among `ids`, as recorded (actual amount, inherited fields filled in)."""

    async def account_postings(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Posting]:
        """Postings on either side of the account, by time. `after_timestamp` excludes what is at or before
        it; with `newest_first` it excludes what is at or after it (0: from the newest)."""

    async def account_balances(
        self, account_id: int, *, limit: int, after_timestamp: int = 0, newest_first: bool = False
    ) -> list[Balance]:
        """The history of an account opened with HISTORY, paged as `account_postings`; empty for any other."""

    async def query_accounts(
        self, *, limit: int, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Account]:
        """Accounts in order of creation; 0 means no filter. Page by the last one's timestamp."""

    async def query_postings(
        self, *, limit: int, user_data_128: int = 0, ledger: int = 0, code: int = 0, after_timestamp: int = 0
    ) -> list[Posting]:
        """Postings in order of time; 0 means no filter. Page by the last one's timestamp."""

    async def close(self) -> None:
        """Give back the session. Idempotent."""
