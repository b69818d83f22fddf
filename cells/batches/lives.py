"""A batch as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.batches.batch import Batch
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.payments.lives import ledger_of
from residency.ids import number


def life_of_batch(batch: Batch, wallet_account: int, amount: int) -> Life:
    """A batch beside its lines' payments. `amount`: what its chain moves, the whole or what is left."""
    return Life(
        LedgerLeg.BATCH, number(batch.batch_id), wallet_account,
        target_ledger=ledger_of(batch.source_currency), amount=amount,
    )  # fmt: skip
