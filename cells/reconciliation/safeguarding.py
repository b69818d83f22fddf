"""L9: what is owed to tenants is there; each wallet is what its collections and payments make it; and suspense what rests. Pure.

LEDGER.md says: what is owed to tenants ≤ the safeguarded balance at rails and banks. A cell that pays out for a peer does so from
the house's money at its rail until positions are netted, so its rail balance falls by what the peer then owes it (REG, capped by
the prefunding). That claim stands in for the money until netting brings it, and is therefore added, and shown on its own. What
was paid although it had been given back (IN_DOUBT_LOSS) is the house's to make good: added and shown likewise.
"""

from dataclasses import dataclass

from cells.kit.money import CURRENCIES, amount_text
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.payments.machine import Leg
from cells.reconciliation.facts import CellFacts, StatementFacts, StrangeCredit
from cells.reconciliation.report import Finding
from cells.reconciliation.standing import Standing, is_in

_OWED = (
    AccountType.TENANT_WALLET,
    AccountType.SUSPENSE,
    AccountType.BATCH_RESERVE,
    AccountType.PENDING_INBOUND,
    AccountType.PENDING_OUTBOUND,
    AccountType.BLOCKED_FUNDS,
)


@dataclass(frozen=True, slots=True)
class Safeguarded:
    """One currency of one cell, minor units. `at_rails`: what the rails owe us by our books; `owed_by_peers`: paid out for them;
    `lost`: paid although given back, for the house to make good."""

    currency: str
    owed: int
    at_rails: int
    owed_by_peers: int
    lost: int = 0

    @property
    def covered(self) -> bool:
        return self.owed <= self.cover

    @property
    def cover(self) -> int:
        return self.at_rails + self.owed_by_peers + self.lost

    def __str__(self) -> str:
        parts = [
            ("owed to tenants", self.owed),
            ("at rails", self.at_rails),
            ("paid out for peers", self.owed_by_peers),
            *([("lost in doubt, for the house to make good", self.lost)] if self.lost else []),
        ]
        return ", ".join(f"{name} {amount_text(amount, self.currency)}" for name, amount in parts)


def safeguarded(facts: CellFacts) -> list[Safeguarded]:
    """By currency that the cell holds money in."""
    books, found = facts.books, []
    for currency in facts.currencies:
        ledger = CURRENCIES[currency].number
        owed = sum(
            books.account(account).balance
            for kind in _OWED
            for account in books.accounts(kind)
            if account & 0xFFFFFF == ledger
        )
        rails = sum(
            -books.account(account).balance
            for account in books.accounts(AccountType.RAIL_SETTLEMENT)
            if account & 0xFFFFFF == ledger
        )
        positions = [books.without_cap(chart.settlement(number, ledger)).balance for number in facts.peers.values()]
        lost = -books.account(chart.platform(AccountType.IN_DOUBT_LOSS, ledger)).balance
        found.append(Safeguarded(currency, owed, rails, -sum(min(one, 0) for one in positions), lost))
    return found


def safeguarding(facts: CellFacts) -> list[Finding]:
    """L9 in full: cover by currency, wallet by wallet, and against the rails' own statements."""
    short = [
        Finding(
            "L9",
            (facts.cell,),
            f"safeguarded money in {one.currency}",
            "what is owed to tenants",
            f"at most {amount_text(one.cover, one.currency)}",
            amount_text(one.owed, one.currency),
        )
        for one in safeguarded(facts)
        if not one.covered
    ]
    return [*short, *_wallets(facts), *_suspense(facts), *_statements(facts)]


def _wallets(facts: CellFacts) -> list[Finding]:
    known = {one.account: one for one in facts.wallets}
    found = []
    for account in sorted(known.keys() | set(facts.books.accounts(AccountType.TENANT_WALLET))):
        figures, wallet = facts.books.account(account), known.get(account)
        balance = wallet.credited - wallet.spent - wallet.frozen + wallet.returned + wallet.moved if wallet else 0
        balance -= facts.reserved.get(account, 0)
        held = wallet.held if wallet else 0
        for what, must, has in (
            ("balance against collections and payments", balance, figures.balance),
            ("held for payments on their way", held, figures.debits_pending),
        ):
            if must != has:
                found.append(facts.amount_finding("L9", account, what, must, has))
    return found


def _suspense(facts: CellFacts) -> list[Finding]:
    """SUS holds exactly the credits that rest, and what of them goes back just now is held."""
    found = []
    for currency in facts.currencies:
        account = chart.platform(AccountType.SUSPENSE, CURRENCIES[currency].number)
        figures = facts.books.account(account)
        rests = sum(one.amount for one in facts.collections if (one.state, one.currency) == ("suspended", currency))
        leaves = sum(one.amount for one in facts.orders if one.holds and one.suspended and one.currency == currency)
        for what, must, has in (
            ("balance against credits that rest", rests, figures.balance),
            ("held for credits that go back", leaves, figures.debits_pending),
        ):
            if must != has:
                found.append(facts.amount_finding("L9", account, what, must, has))
    return found


def _statements(facts: CellFacts) -> list[Finding]:
    found = []
    for one in _at_odds(facts):
        low, high = _statement_range(facts, one)
        lowest, highest = amount_text(low, one.currency), amount_text(high, one.currency)
        found.append(
            Finding(
                "L9",
                (facts.cell,),
                f"statement of {one.rail}",
                f"balance in {one.currency}",
                lowest if low == high else f"{lowest} to {highest}",
                amount_text(one.after, one.currency),
            )
        )
    return [*found, *(_strange(facts, one) for one in facts.strange_credits)]


def rails_at_odds(facts: CellFacts) -> list[str]:
    """The rails whose own statement is not what our books say."""
    return [one.rail for one in _at_odds(facts)]


def _at_odds(facts: CellFacts) -> list[StatementFacts]:
    """A statement that moved while the books were read says nothing exact about them."""
    found = []
    for one in facts.statements:
        low, high = _statement_range(facts, one)
        if one.before == one.after and not low <= one.after <= high:
            found.append(one)
    return found


def _strange(facts: CellFacts, one: StrangeCredit) -> Finding:
    return Finding(
        "L9",
        (facts.cell,),
        f"credit {one.collection_id} ({one.scheme_reference})",
        f"a credit that the books of {one.rail} do not know"
        if one.booked is None
        else f"a credit in the books of {one.rail}",
        f"{amount_text(one.amount, one.currency)} in its statement",
        "no such credit there" if one.booked is None else amount_text(one.booked, one.currency),
    )


def _statement_range(facts: CellFacts, statement: StatementFacts) -> tuple[int, int]:
    """Our books' balance at the rail, less what it may have paid already, plus what it may have taken in already."""
    books = -facts.books.account(chart.rail(statement.rail, CURRENCIES[statement.currency].number)).balance
    leaving = sum(
        one.target - one.recipient_fee
        for one in facts.leg_sums
        if one.leg is not Leg.ORIGIN
        and one.target_currency == statement.currency
        and is_in(one.leg, one.state, Standing.HELD)
    ) + facts.restored.get(statement.rail, 0)
    leaving += sum(one.amount for one in facts.orders if one.holds and one.rail == statement.rail)
    arriving = sum(
        one.amount for one in facts.collections if one.currency == statement.currency and one.state == "received"
    ) + sum(
        one.came.recorded - one.came.amount
        for one in facts.return_sums
        if one.leg is not Leg.ORIGIN and one.rail == statement.rail
    )
    return books - leaving, books + arriving
