"""Postings added up, account by account: what a ledger's balances must be if nothing but its postings made them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from cells.ledger.chart import AccountType, ledger_amount
from cells.ledger.codes import Code
from cells.ledger.entry import Account, Posting, PostingFlag

_RESOLVES = PostingFlag.POST_PENDING | PostingFlag.VOID_PENDING


@dataclass(slots=True)
class Figures:
    """The four figures of an account, minor units."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance(self) -> int:
        """Posted credits less posted debits."""
        return self.credits_posted - self.debits_posted

    def plus(self, other: "Figures") -> "Figures":
        return Figures(
            self.debits_pending + other.debits_pending,
            self.debits_posted + other.debits_posted,
            self.credits_pending + other.credits_pending,
            self.credits_posted + other.credits_posted,
        )

    def text(self, account: int) -> str:
        """As figures of that account, in its currency."""
        posted, pending = ledger_amount(self.debits_posted, account), ledger_amount(self.debits_pending, account)
        came, coming = ledger_amount(self.credits_posted, account), ledger_amount(self.credits_pending, account)
        return f"debits {posted} (+{pending} pending), credits {came} (+{coming} pending)"


def figures_of(account: Account) -> Figures:
    """What the ledger reports."""
    return Figures(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted)


@dataclass(slots=True)
class Fold:
    """Figures by account and code, and the holds that nothing has resolved yet."""

    by_code: dict[int, dict[int, Figures]] = field(default_factory=dict)
    open_holds: dict[int, Posting] = field(default_factory=dict)

    def add(self, posting: Posting) -> None:
        """One posting, in the ledger's order: a post or void follows its hold."""
        debit, credit = (
            self._figures(posting.debit_account_id, posting),
            self._figures(posting.credit_account_id, posting),
        )
        if posting.flags & PostingFlag.PENDING:
            self.open_holds[posting.id] = posting
            debit.debits_pending += posting.amount
            credit.credits_pending += posting.amount
            return
        if posting.flags & _RESOLVES:
            hold = self.open_holds.pop(posting.pending_id, None)
            if hold is not None:
                debit.debits_pending -= hold.amount
                credit.credits_pending -= hold.amount
            if posting.flags & PostingFlag.VOID_PENDING:
                return
        debit.debits_posted += posting.amount
        credit.credits_posted += posting.amount

    def account(self, account: int) -> Figures:
        """All codes together."""
        return self._sum(self.by_code.get(account, {}).values())

    def without_cap(self, account: int) -> Figures:
        """REG less its prefunding: what is really owed."""
        return self._sum(figures for code, figures in self.by_code.get(account, {}).items() if code != Code.CAP)

    def accounts(self, kind: AccountType) -> list[int]:
        return sorted(account for account in self.by_code if account >> 24 & 0xFF == kind)

    def copy_of(self, accounts: Iterable[int]) -> dict[int, Figures]:
        return {account: self.account(account) for account in accounts}

    def _figures(self, account: int, posting: Posting) -> Figures:
        return self.by_code.setdefault(account, {}).setdefault(posting.code, Figures())

    def _sum(self, parts: Iterable[Figures]) -> Figures:
        return reduce(Figures.plus, parts, Figures())
