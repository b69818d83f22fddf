"""L6: each posting that follows from the journal ↔ one posting of the ledger, field by field, both ways. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cells.ledger.asked import Outcome
from cells.ledger.chart import AccountType, ledger_amount
from cells.ledger.codes import Code
from cells.ledger.entry import Posting, PostingFlag
from cells.reconciliation.facts import describe
from cells.reconciliation.report import Finding

_CAP_TYPES = {AccountType.REGIONAL_SETTLEMENT, AccountType.REGIONAL_CAP}
_FIELDS = (
    "debit_account_id",
    "credit_account_id",
    "amount",
    "ledger",
    "code",
    "flags",
    "pending_id",
    "user_data_128",
    "user_data_64",
    "user_data_32",
)
_ACCOUNTS = frozenset({"debit_account_id", "credit_account_id"})


@dataclass(frozen=True, slots=True)
class Expected:
    """A posting that follows from a life, and what the life says became of it. `effect`: what it was asked for; `at`, `result`: see Asked."""

    posting: Posting
    payment_id: str
    effect: str
    state: Outcome
    at: datetime | None = None
    result: int | None = None


@dataclass(frozen=True, slots=True)
class Sorted:
    """A page of the ledger beside the journal's snapshot.

    `counted`: what the books of the snapshot's instant contain; `house`: belongs to no payment; `later`: to be looked for in the
    journal once more; `applied`: how many postings were met that the journal calls applied.
    """

    counted: list[Posting]
    house: list[Posting]
    later: list[Posting]
    applied: int
    findings: list[Finding]


def sort_page(cell: str, page: Sequence[Posting], expected: Mapping[int, Expected]) -> Sorted:
    """Put a page of the ledger's postings, in its order, against those that follow from the journal under the same ids."""
    made = Sorted([], [], [], 0, [])
    applied = 0
    for posting in page:
        one = expected.get(posting.id)
        if one is None:
            if is_house(posting):
                made.house.append(posting)
                made.counted.append(posting)
            else:
                made.later.append(posting)
        elif one.state == "planned":
            made.later.append(posting)
        else:
            made.counted.append(posting)
            made.findings.extend(differences(cell, one, posting))
            applied += one.state == "applied"
    return Sorted(made.counted, made.house, made.later, applied, made.findings)


def is_house(posting: Posting) -> bool:
    """Prefunding: between REG and its own cap account, and nothing else."""
    if posting.code != Code.CAP or posting.flags & ~PostingFlag.LINKED:
        return False
    sides = (posting.debit_account_id, posting.credit_account_id)
    # The same owner and currency on both sides: what differs is the account type alone.
    return {side >> 24 & 0xFF for side in sides} == _CAP_TYPES and len({side & ~(0xFF << 24) for side in sides}) == 1


def differences(cell: str, one: Expected, posting: Posting) -> Iterator[Finding]:
    """Where the ledger's posting is not what follows from the journal under its id."""
    subject = f"posting {posting.id:032x} of {one.payment_id} ({one.effect})"
    if one.state == "failed":
        yield Finding("L6", (cell,), subject, "posting in the ledger", "none: the journal calls it failed", "applied")
        return
    for name in _FIELDS:
        if getattr(posting, name) != getattr(one.posting, name):
            what = f"{name} in the ledger against the journal"
            yield Finding("L6", (cell,), subject, what, _shown(name, one.posting), _shown(name, posting))


def _shown(name: str, posting: Posting) -> str:
    """A field of a posting as a person reads it."""
    if name == "amount":
        return ledger_amount(posting.amount, posting.ledger)
    return describe(getattr(posting, name)) if name in _ACCOUNTS else str(getattr(posting, name))


def stray_finding(cell: str, posting: Posting, payment: str) -> Finding:
    """A posting in the ledger that no life asks for. `payment`: what it says it is part of."""
    accounts = f"from {describe(posting.debit_account_id)} to {describe(posting.credit_account_id)}"
    moved = f"{ledger_amount(posting.amount, posting.ledger)} {accounts}"
    return Finding(
        "L6",
        (cell,),
        f"posting {posting.id:032x} of {payment}",
        "posting in the ledger",
        "a life that asks for it",
        f"none; it moves {moved}",
    )


def missing_findings(cell: str, applied: Sequence[Expected], found: Mapping[int, Posting]) -> Iterator[Finding]:
    """Postings that the journal calls applied, and the ledger does not have, or has for another payment."""
    for one in applied:
        there = found.get(one.posting.id)
        if there is None:
            subject = f"posting {one.posting.id:032x} of {one.payment_id} ({one.effect})"
            expected = f"{ledger_amount(one.posting.amount, one.posting.ledger)} in the ledger"
            yield Finding("L6", (cell,), subject, "posting that the journal calls applied", expected, "none")
        elif there.user_data_128 != one.posting.user_data_128:
            yield from differences(cell, one, there)
