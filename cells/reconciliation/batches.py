"""Batches within one cell: each funded by the prices of its lines, and at rest with nothing of it left in the reserve. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cells.batches.batch import AT_REST, FUNDED_STATES, State
from cells.ledger import chart
from cells.reconciliation.report import Finding


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """One batch as its cell's journal tells it, minor units of its wallet's currency. `remainder`: None before all lines had ended;
    `priced`: the prices of its lines, `of_lines` of those that became payments, `lines` how many; `payments`, `of_payments`: the
    payments that name it; `spent`, `held`, `frozen`: by their states."""

    batch_id: str
    state: State
    wallet_account: int
    funding: int
    remainder: int | None
    priced: int
    of_lines: int
    lines: int
    of_payments: int
    payments: int
    spent: int
    held: int
    frozen: int

    @property
    def funded(self) -> bool:
        """Whether the reserve has had its money, by the journal."""
        return self.state in FUNDED_STATES or self.remainder is not None

    @property
    def given_back(self) -> int:
        return (self.remainder or 0) if self.state in AT_REST else 0

    @property
    def reserved(self) -> int:
        """What has left the wallet for it and has not come back."""
        return self.funding - self.given_back if self.funded else 0


@dataclass(slots=True)
class Reserve:
    """What one reserve must hold, posted, and how much of it is held for payments on their way."""

    balance: int = 0
    held: int = 0


def reserves(batches: Iterable[BatchFacts], known: dict[int, Reserve]) -> None:
    """Add batches to what the reserves must hold, by account."""
    for one in batches:
        reserve = known.setdefault(chart.reserve(one.wallet_account), Reserve())
        reserve.balance += one.reserved - one.spent - one.frozen
        reserve.held += one.held


def batch_findings(cell: str, batches: Sequence[BatchFacts]) -> list[Finding]:
    """Where a batch's row, its lines and its payments do not say the same."""
    return [
        Finding("L3", (cell,), one.batch_id, what, must, has)
        for one in batches
        for what, must, has in _compared(one)
        if must != has
    ]


def _compared(one: BatchFacts) -> Iterable[tuple[str, str, str]]:
    """(what, expected, found)."""
    yield "payments that are its lines", str(one.lines), str(one.payments)
    for what, must, has in _compared_amounts(one):
        yield what, chart.ledger_amount(must, one.wallet_account), chart.ledger_amount(has, one.wallet_account)


def _compared_amounts(one: BatchFacts) -> Iterable[tuple[str, int, int]]:
    """The same of what is money, in minor units."""
    if one.funding:
        yield "funding against the prices of its lines", one.priced, one.funding
    if one.state in FUNDED_STATES - {State.CLOSING}:
        yield "remainder, before every line has ended", 0, one.remainder or 0
    yield "amount of the payments that are its lines", one.of_lines, one.of_payments
    if one.state in AT_REST:
        yield "what its lines have spent, at rest", one.reserved, one.spent + one.frozen
        yield "held for its lines, at rest", 0, one.held
