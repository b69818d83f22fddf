"""L1, L2, L3 and L9: what one cell's books must say by themselves. Pure functions of CellFacts."""

from collections import Counter

from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.payments.machine import Leg, State
from cells.reconciliation.batches import Reserve
from cells.reconciliation.facts import CellFacts, LegSum
from cells.reconciliation.fold import Figures
from cells.reconciliation.report import Finding
from cells.reconciliation.standing import Standing, is_in, moving

# A collection whose arrival, or whose return, the ledger holds.
_PASSING = frozenset({"received", "giving_back"})
# What may never be overdrawn (LEDGER.md, accounts), and what is empty at rest.
_NEVER_BELOW_ZERO = frozenset(
    {
        AccountType.TENANT_WALLET,
        AccountType.PENDING_INBOUND,
        AccountType.PENDING_OUTBOUND,
        AccountType.BATCH_RESERVE,
        AccountType.SUSPENSE,
        AccountType.BLOCKED_FUNDS,
    }
)


def balanced(facts: CellFacts) -> list[Finding]:
    """L1. Over the figures before whatever was applied while the accounts were read; and each account is its postings' sum."""
    totals: dict[int, Figures] = {}
    for account, figures in facts.settled.items():
        ledger = account & 0xFFFFFF
        totals[ledger] = totals.get(ledger, Figures()).plus(figures)
    found = [
        Finding(
            "L1",
            (facts.cell,),
            f"ledger {chart.CURRENCY_OF_LEDGER.get(ledger, ledger)}",
            f"debits and credits, {name}",
            chart.ledger_amount(debited, ledger),
            chart.ledger_amount(credited, ledger),
        )
        for ledger, sums in sorted(totals.items())
        for name, debited, credited in (
            ("posted", sums.debits_posted, sums.credits_posted),
            ("pending", sums.debits_pending, sums.credits_pending),
        )
        if debited != credited
    ]
    return found + [
        Finding(
            "L1",
            (facts.cell,),
            facts.name_of(one.account),
            "balances against its postings",
            one.expected.text(one.account),
            one.found.text(one.account) if one.found else "no account",
        )
        for one in facts.account_faults
    ]


def not_below_zero(facts: CellFacts) -> list[Finding]:
    """L2. At every instant, so over the figures exactly as the ledger reported them."""
    return [
        Finding(
            "L2",
            (facts.cell,),
            facts.name_of(account.id),
            "what is left of posted credits",
            f"{chart.ledger_amount(0, account.id)} or more",
            chart.ledger_amount(account.available, account.id),
        )
        for account in facts.reported.values()
        if account.code in _NEVER_BELOW_ZERO and account.available < 0
    ]


def passages(facts: CellFacts) -> list[Finding]:
    """L3. PI, PO and RSV hold, account by account, the sums over payments and batches on their way; every open hold is for one of
    them; and each batch adds up."""
    found = list(facts.batch_findings)
    for kind in (AccountType.PENDING_INBOUND, AccountType.PENDING_OUTBOUND, AccountType.BATCH_RESERVE):
        accounts = {chart.platform(kind, CURRENCIES[one].number) for one in facts.currencies} | set(
            facts.books.accounts(kind)
        )
        if kind is AccountType.BATCH_RESERVE:
            accounts |= set(facts.reserves)
        for account in sorted(accounts):
            figures, expected = facts.books.account(account), _on_the_way(facts, account)
            reserve = facts.reserves.get(account, Reserve())
            for name, must, has in (
                ("posted", reserve.balance, figures.balance),
                ("pending in", expected, figures.credits_pending),
                ("pending out", reserve.held, figures.debits_pending),
            ):
                if must != has:
                    found.append(facts.amount_finding("L3", account, name, must, has))
    return found + [
        Finding(
            "L3",
            (facts.cell,),
            f"posting {one.posting.id:032x} of {one.payment_id or 'no payment'}",
            f"open hold on {facts.name_of(one.posting.debit_account_id)}",
            "a payment on its way",
            one.state or "none",
        )
        for one in facts.open_holds
        if not _holds_now(one.leg, one.state)
    ]


def in_motion(facts: CellFacts) -> Counter[str]:
    """Payments, collections and batches on their way, by leg and state."""
    counts: Counter[str] = Counter()
    for one in facts.leg_sums:
        if moving(one.state):
            counts[f"{one.leg} {one.state}"] += one.count
    for collection in facts.collections:
        if collection.state == "received":
            counts["collection received"] += collection.count
    for order in facts.orders:
        counts[f"order to {order.kind.replace('_', ' ')} {order.state}"] += order.count
    for one_sum in facts.return_sums:
        counts[f"{one_sum.leg} return on its way"] += one_sum.moving
    counts.update(facts.batches_moving)
    return +counts


def _on_the_way(facts: CellFacts, account: int) -> int:
    """What a passage account must hold, pending, by the journal's states."""
    key = chart.read_account_id(account)
    currency = chart.CURRENCY_OF_LEDGER.get(key.ledger, "")
    if key.owner != chart.PLATFORM_OWNER:
        return 0
    if key.account_type is AccountType.PENDING_OUTBOUND:
        return sum(
            _outbound(one)
            for one in facts.leg_sums
            if one.target_currency == currency and is_in(one.leg, one.state, Standing.HELD)
        )
    if key.account_type is AccountType.PENDING_INBOUND:
        return sum(
            one.posting.amount
            for one in facts.open_holds
            if one.state in _PASSING and one.posting.credit_account_id == account
        )
    return 0


def _outbound(one: LegSum) -> int:
    match one.leg:
        case Leg.DESTINATION | Leg.IN_REGION:
            return one.target - one.recipient_fee
        case Leg.ORIGIN:
            return 0


def _holds_now(leg: Leg | None, state: str | None) -> bool:
    """Whether a payment in that state has an open hold. A collection has one while it arrives, and while it goes back."""
    if leg is None or state is None or state not in State.__members__:
        return state in _PASSING
    return is_in(leg, State(state), Standing.HELD)
