"""A credit as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.credits.credit import Deposit
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.payments.lives import ledger_of
from residency.ids import number


def life_of_credit(deposit: Deposit, wallet_account: int) -> Life:
    """Money that a rail brought in."""
    return Life(
        LedgerLeg.CREDIT, number(deposit.collection_id), wallet_account,
        rail=deposit.rail, target_ledger=ledger_of(deposit.currency), amount=deposit.amount,
    )  # fmt: skip
