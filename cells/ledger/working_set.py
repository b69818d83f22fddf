"""The part of the books that a batch works on, and the record of what it changed: the memory of the
evaluator.

The memory twin keeps all of its books in one WorkingSet; the Postgres engine loads one per batch and writes
`changes` back. Invariant: between `open_scope` and `discard_scope` everything that was done is undone, as if
it had never been.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from cells.ledger.entry import Account, AccountFlag, Balance, Posting, PostingFlag


class PendingStatus(IntEnum):
    """What has become of a posting's hold; NONE for a posting that never was one."""

    NONE = 0
    PENDING = 1
    POSTED = 2
    VOIDED = 3
    EXPIRED = 4


class Standing:
    """An account's changing part beside its opening: four balances, and whether it is closed."""

    __slots__ = (
        "closed",
        "credits_limited",
        "credits_pending",
        "credits_posted",
        "debits_limited",
        "debits_pending",
        "debits_posted",
        "history",
        "opening",
    )

    def __init__(self, account: Account) -> None:
        self.opening = account
        self.debits_pending = account.debits_pending
        self.debits_posted = account.debits_posted
        self.credits_pending = account.credits_pending
        self.credits_posted = account.credits_posted
        self.closed = bool(account.flags & AccountFlag.CLOSED)
        self.debits_limited = bool(account.flags & AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS)
        self.credits_limited = bool(account.flags & AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS)
        self.history = bool(account.flags & AccountFlag.HISTORY)

    @property
    def flags(self) -> int:
        """The account's flags as they are now."""
        return int(self.opening.flags & ~AccountFlag.CLOSED | (AccountFlag.CLOSED if self.closed else 0))

    def account(self) -> Account:
        """The account as a lookup answers it."""
        opening = self.opening
        return Account(
            id=opening.id,
            ledger=opening.ledger,
            code=opening.code,
            flags=self.flags,
            user_data_128=opening.user_data_128,
            user_data_64=opening.user_data_64,
            user_data_32=opening.user_data_32,
            debits_pending=self.debits_pending,
            debits_posted=self.debits_posted,
            credits_pending=self.credits_pending,
            credits_posted=self.credits_posted,
            timestamp=opening.timestamp,
        )

    def balance(self, timestamp: int) -> Balance:
        """The balances as a row of the account's history."""
        return Balance(timestamp, self.debits_pending, self.debits_posted, self.credits_pending, self.credits_posted)


@dataclass(slots=True)
class Changes:
    """What a batch did. `postings` with their final fields; `statuses` and `accounts` name what was
    touched.
    """

    opened: list[Account] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    balances: list[tuple[int, Balance]] = field(default_factory=list)
    burnt: list[int] = field(default_factory=list)
    accounts: set[int] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Scope:
    """How long each list was when the chain began, and the old values of what it changed since, oldest
    first.
    """

    opened: int
    postings: int
    balances: int
    standings: list[tuple[Standing, int, int, int, int, bool]] = field(default_factory=list)
    statuses: list[tuple[int, PendingStatus]] = field(default_factory=list)


class WorkingSet:
    """Accounts and postings by id, the status of holds, the ids that have failed for ever, and the deadlines
    of holds.
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Standing] = {}
        self.postings: dict[int, Posting] = {}
        self.statuses: dict[int, PendingStatus] = {}
        self.burnt: set[int] = set()
        self.deadlines: dict[int, int] = {}
        self.changes = Changes()
        self._scope: _Scope | None = None

    def open_scope(self) -> None:
        """Begin a chain: what follows may have to be undone."""
        assert self._scope is None
        changes = self.changes
        self._scope = _Scope(len(changes.opened), len(changes.postings), len(changes.balances))

    def keep_scope(self) -> None:
        """The chain held."""
        assert self._scope is not None
        self._scope = None

    def discard_scope(self) -> None:
        """The chain broke: undo all of it, newest first."""
        scope, changes = self._scope, self.changes
        assert scope is not None
        for standing, *balances, closed in reversed(scope.standings):
            (
                standing.debits_pending,
                standing.debits_posted,
                standing.credits_pending,
                standing.credits_posted,
            ) = balances
            standing.closed = closed
        for posting_id, status in reversed(scope.statuses):
            self._put_status(posting_id, status)
        for account in changes.opened[scope.opened :]:
            del self.accounts[account.id]
        for posting in changes.postings[scope.postings :]:
            del self.postings[posting.id]
            if posting.flags & PostingFlag.PENDING:
                del self.statuses[posting.id]
                self.deadlines.pop(posting.id, None)
        del changes.opened[scope.opened :]
        del changes.postings[scope.postings :]
        del changes.balances[scope.balances :]
        self._scope = None

    def open_account(self, account: Account) -> None:
        """Add a new account."""
        self.accounts[account.id] = Standing(account)
        self.changes.opened.append(account)

    def touch(self, standing: Standing) -> None:
        """Call before changing a standing: notes that it changes, and its old values when a chain is open."""
        if self._scope is not None:
            self._scope.standings.append(
                (
                    standing,
                    standing.debits_pending,
                    standing.debits_posted,
                    standing.credits_pending,
                    standing.credits_posted,
                    standing.closed,
                )
            )
        self.changes.accounts.add(standing.opening.id)

    def add_posting(self, posting: Posting) -> None:
        """Record a posting that has been applied."""
        self.postings[posting.id] = posting
        self.changes.postings.append(posting)
        if posting.flags & PostingFlag.PENDING:
            self._put_status(posting.id, PendingStatus.PENDING)

    def resolve(self, hold: Posting, status: PendingStatus) -> None:
        """The hold has been posted or voided, or has expired."""
        if self._scope is not None:
            self._scope.statuses.append((hold.id, self.statuses[hold.id]))
        self.changes.statuses.add(hold.id)
        self._put_status(hold.id, status)

    def _put_status(self, posting_id: int, status: PendingStatus) -> None:
        self.statuses[posting_id] = status
        hold = self.postings[posting_id]
        if hold.timeout_s and status is PendingStatus.PENDING:
            self.deadlines[posting_id] = expires_at(hold)
        else:
            self.deadlines.pop(posting_id, None)

    def note_history(self, timestamp: int, *standings: Standing) -> None:
        """Keep the balances after an event, for the accounts that keep a history."""
        for standing in standings:
            if standing.history:
                self.changes.balances.append((standing.opening.id, standing.balance(timestamp)))


def expires_at(hold: Posting) -> int:
    """When a hold with a timeout ends by itself, in nanoseconds since 1970."""
    return hold.timestamp + hold.timeout_s * 1_000_000_000
