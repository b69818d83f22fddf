"""L6: each applied posting row of the journal ↔ one posting of the ledger, field by field, both ways. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cells.ledger.chart import AccountType, ledger_amount
from cells.ledger.codes import Code
from cells.ledger.entry import Posting, PostingFlag
from cells.reconciliation.facts import describe
from cells.reconciliation.report import Finding

RowState = Literal["planned", "applied", "failed"]
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
class JournalRow:
    """A row of the journal's `postings`, told as the ledger would tell it."""

    posting: Posting
    payment_id: str
    effect: str
    state: RowState


@dataclass(frozen=True, slots=True)
class Sorted:
    """A page of the ledger beside the journal's snapshot.

    `counted`: what the books of the snapshot's instant contain; `house`: belongs to no payment; `later`: to be looked for in the
    journal once more; `applied`: how many applied rows were met.
    """

    counted: list[Posting]
    house: list[Posting]
    later: list[Posting]
    applied: int
    findings: list[Finding]


def sort_page(cell: str, page: Sequence[Posting], rows: Mapping[int, JournalRow]) -> Sorted:
    """Put a page of the ledger's postings, in its order, against the journal rows of the same ids."""
    made = Sorted([], [], [], 0, [])
    applied = 0
    for posting in page:
        row = rows.get(posting.id)
        if row is None:
            if is_house(posting):
                made.house.append(posting)
                made.counted.append(posting)
            else:
                made.later.append(posting)
        elif row.state == "planned":
            made.later.append(posting)
        else:
            made.counted.append(posting)
            made.findings.extend(row_findings(cell, row, posting))
            applied += row.state == "applied"
    return Sorted(made.counted, made.house, made.later, applied, made.findings)


def is_house(posting: Posting) -> bool:
    """Prefunding: between REG and its own cap account, and nothing else."""
    if posting.code != Code.CAP or posting.flags & ~PostingFlag.LINKED:
        return False
    sides = (posting.debit_account_id, posting.credit_account_id)
    # The same owner and currency on both sides: what differs is the account type alone.
    return {side >> 24 & 0xFF for side in sides} == _CAP_TYPES and len({side & ~(0xFF << 24) for side in sides}) == 1


def row_findings(cell: str, row: JournalRow, posting: Posting) -> Iterator[Finding]:
    """Where a journal row and the ledger's posting under its id differ. The ledger's word is what is expected."""
    subject = f"posting {posting.id:032x} of {row.payment_id} ({row.effect})"
    if row.state == "failed":
        yield Finding("L6", (cell,), subject, "state in the journal", "applied, as in the ledger", "failed")
        return
    for name in _FIELDS:
        if getattr(posting, name) != getattr(row.posting, name):
            what = f"{name} in the journal against the ledger"
            yield Finding("L6", (cell,), subject, what, _shown(name, posting), _shown(name, row.posting))


def _shown(name: str, posting: Posting) -> str:
    """A field of a posting as a person reads it."""
    if name == "amount":
        return ledger_amount(posting.amount, posting.ledger)
    return describe(getattr(posting, name)) if name in _ACCOUNTS else str(getattr(posting, name))


def stray_finding(cell: str, posting: Posting, payment: str) -> Finding:
    """A posting in the ledger that the journal never planned. `payment`: what it says it is part of."""
    accounts = f"from {describe(posting.debit_account_id)} to {describe(posting.credit_account_id)}"
    moved = f"{ledger_amount(posting.amount, posting.ledger)} {accounts}"
    return Finding(
        "L6",
        (cell,),
        f"posting {posting.id:032x} of {payment}",
        "posting in the ledger",
        "a row in the journal",
        f"none; it moves {moved}",
    )


def missing_findings(cell: str, rows: Sequence[JournalRow], found: Mapping[int, Posting]) -> list[Finding]:
    """Rows that the journal calls applied, and the ledger does not have."""
    return [
        Finding(
            "L6",
            (cell,),
            f"posting {row.posting.id:032x} of {row.payment_id} ({row.effect})",
            "posting that the journal calls applied",
            f"{ledger_amount(row.posting.amount, row.posting.ledger)} in the ledger",
            "none",
        )
        for row in rows
        if row.posting.id not in found
    ]
