"""A resolution as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.ledger.asked import Asked
from cells.ledger.chart import AccountType
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action
from cells.payments.lives import ledger_of
from cells.resolutions.resolution import Order
from residency.ids import number


def life_of_resolution(order: Order, wallet_account: int) -> Life:
    """What is decided of a credit, which the postings name as their payment."""
    return Life(
        LedgerLeg.RESOLUTION, number(order.collection_id), wallet_account,
        drawn_on=AccountType.SUSPENSE if order.suspended else AccountType.TENANT_WALLET, rail=order.rail,
        target_ledger=ledger_of(order.currency), amount=order.amount, number=order.number,
    )  # fmt: skip


def action_of_resolution(order: Order) -> Action | None:
    """What an order's state waits for; None while it waits for the scheme, or for nobody."""
    match order.state:
        case "ordered":
            return Action.ASSIGN if order.kind == "assign" else Action.HOLD
        case "answered":
            return Action.POST if order.outcome == "settled" else Action.VOID
    return None


def chains_asked(order: Order, wallet_account: int) -> list[Asked]:
    """Every chain that an order on record has asked the ledger for."""
    life = life_of_resolution(order, wallet_account)
    first = Action.ASSIGN if order.kind == "assign" else Action.HOLD
    if order.state in ("ordered", "failed"):
        return [Asked(life, first, "planned" if order.state == "ordered" else "failed", at=order.created_at)]
    asked = [Asked(life, first, "applied", at=order.created_at)]
    if first is Action.HOLD and order.state != "held":
        second = Action.POST if order.outcome == "settled" else Action.VOID
        asked.append(Asked(life, second, "planned" if order.state == "answered" else "applied", at=order.updated_at))
    return asked
