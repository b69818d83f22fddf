"""L8: what two cells owe each other, each by its own books and one against the other. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells.kit.money import CURRENCIES, amount_text
from cells.ledger import chart
from cells.payments.machine import Leg
from cells.reconciliation.facts import CellFacts
from cells.reconciliation.report import Finding
from cells.reconciliation.returns import came_between, position_change
from cells.reconciliation.standing import Standing, is_in, moving


@dataclass(frozen=True, slots=True)
class Position:
    """One cell, one peer, one currency, minor units: owed to the peer (negative: owed by it)."""

    cell: str
    peer: str
    currency: str
    by_books: int
    by_payments: int


def positions(facts: CellFacts) -> list[Position]:
    """REG less its prefunding, beside the sums of payments that the journal shows posted. Those without either are left out."""
    by_payments = position_change(facts.return_sums)
    for one in facts.leg_sums:
        if is_in(one.leg, one.state, Standing.POSTED):
            if one.leg is Leg.ORIGIN:
                by_payments[one.destination_cell, one.target_currency] += one.target
            elif one.leg is Leg.DESTINATION:
                by_payments[one.origin_cell, one.target_currency] -= one.target
    found = []
    for peer, number in facts.peers.items():
        for currency, declared in CURRENCIES.items():
            owed = facts.books.without_cap(chart.settlement(number, declared.number)).balance
            if owed or by_payments[peer, currency]:
                found.append(Position(facts.cell, peer, currency, owed, by_payments[peer, currency]))
    return found


def own_positions(facts: CellFacts) -> list[Finding]:
    """What one cell can say alone: REG is what its own payments make it."""
    return [
        Finding(
            "L8", (one.cell,), f"REGIONAL_SETTLEMENT {one.currency} with {one.peer}", "position against settled payments",
            amount_text(one.by_payments, one.currency), amount_text(one.by_books, one.currency),
        )
        for one in positions(facts)
        if one.by_books != one.by_payments
    ]  # fmt: skip


def mirrored(cells: Sequence[CellFacts]) -> tuple[list[Finding], dict[str, int], set[str]]:
    """Findings, what is in flight, and the peers whose record is missing.

    In flight, the two positions differ by the payments that the paying-out cell has settled and the paying cell has yet to hear
    of (or heard of between the two snapshots).
    """
    by_cell = {one.cell: one for one in cells}
    held = {(one.cell, one.peer, one.currency): one for facts in cells for one in positions(facts)}
    findings: list[Finding] = []
    in_flight: dict[str, int] = {}
    missing = {one.peer for one in held.values() if one.peer not in by_cell}
    pairs = {
        (min(one.cell, one.peer), max(one.cell, one.peer), one.currency) for one in held.values() if one.peer in by_cell
    }
    for left, right, currency in sorted(pairs):
        ours = held.get((left, right, currency), Position(left, right, currency, 0, 0))
        theirs = held.get((right, left, currency), Position(right, left, currency, 0, 0))
        difference, explained = ours.by_books + theirs.by_books, ours.by_payments + theirs.by_payments
        travelling = _travelling(by_cell, left, right, currency)
        if explained and explained == difference and travelling:
            settled = amount_text(abs(explained), currency)
            in_flight[f"position between {left} and {right}: {settled} settled there and not yet reported here"] = 1
        elif difference:
            findings.append(
                Finding("L8", (left, right), f"REGIONAL_SETTLEMENT {currency}", f"{left} owes {right}, against the other's books",
                        amount_text(-theirs.by_books, currency), amount_text(ours.by_books, currency))
            )  # fmt: skip
    return findings, in_flight, missing


def skewed(cells: Sequence[CellFacts]) -> bool:
    """Whether two positions differ by exactly what each cell's own payments say, with none of them on its way: a payment that ran
    from end to end between the two snapshots looks so, and is gone at the next look; one that was lost stays."""
    by_cell = {one.cell: one for one in cells}
    owed: dict[tuple[str, str, str], list[int]] = {}
    for one in (position for facts in cells for position in positions(facts) if position.peer in by_cell):
        sums = owed.setdefault((min(one.cell, one.peer), max(one.cell, one.peer), one.currency), [0, 0])
        sums[0] += one.by_books
        sums[1] += one.by_payments
    return any(
        books and books == payments and not _travelling(by_cell, *pair) for pair, (books, payments) in owed.items()
    )


def _travelling(cells: Mapping[str, CellFacts], left: str, right: str, currency: str) -> bool:
    """Whether a payment between the two is on its way, by either journal."""
    pair = {left, right}
    came = [came_between(cells[name].return_sums, leg, pair, currency) for leg in Leg for name in (left, right)]
    # In one of the two it is an origin's, in the other a destination's: booked here, and not yet there.
    if sum(came[0:2]) != sum(came[2:4]):
        return True
    return any(
        {one.origin_cell, one.destination_cell} == pair
        and one.target_currency == currency
        and moving(one.state)
        and not is_in(one.leg, one.state, Standing.NONE)
        for name in (left, right)
        for one in cells[name].leg_sums
    )
