"""A credit as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.credits.credit import Deposit
from cells.ledger.asked import Asked, Outcome
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action
from cells.payments.lives import ledger_of
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails.store_collections import CollectionRow
from residency.ids import number


def life_of_credit(deposit: Deposit, wallet_account: int) -> Life:
    """Money that a rail brought in."""
    return Life(
        LedgerLeg.CREDIT, number(deposit.collection_id), wallet_account,
        rail=deposit.rail, target_ledger=ledger_of(deposit.currency), amount=deposit.amount,
    )  # fmt: skip


def is_suspended(tenant_id: str) -> bool:
    """Whether nobody was found for a credit: it is then the house's own tenant's, and no wallet's money."""
    return tenant_id.startswith(PEER_TENANT_PREFIX)


def actions_of_credit(suspended: bool) -> tuple[Action, Action]:
    """What the ledger is asked for a credit, in order."""
    return Action.HOLD, Action.SUSPEND if suspended else Action.CREDIT


def chains_asked(row: CollectionRow, wallet_account: int, *, resolved: bool) -> list[Asked]:
    """Every chain that a credit on record has asked the ledger for. `resolved`: whether a resolution has found it in suspense, and its row
    may say another owner since."""
    if row.tenant_id is None or row.wallet_id is None:
        return []
    deposit = Deposit(row.collection_id, row.tenant_id, row.wallet_id, row.rail, row.amount, row.currency)
    life = life_of_credit(deposit, wallet_account)
    outcome: Outcome = "planned" if row.state == "received" else "applied"
    actions = actions_of_credit(resolved or is_suspended(row.tenant_id))
    return [Asked(life, action, outcome, at=row.received_at) for action in actions]
