"""A batch as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.batches.batch import AT_REST, FUNDED_STATES, Batch, State
from cells.ledger.asked import Asked, Outcome
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action
from cells.payments.lives import ledger_of
from cells.payments.transfer import InsufficientFunds
from residency.ids import number


def life_of_batch(batch: Batch, wallet_account: int, amount: int) -> Life:
    """A batch beside its lines' payments. `amount`: what its chain moves, the whole or what is left."""
    return Life(
        LedgerLeg.BATCH, number(batch.batch_id), wallet_account,
        target_ledger=ledger_of(batch.source_currency), amount=amount,
    )  # fmt: skip


def chains_asked(batch: Batch, wallet_account: int) -> list[Asked]:
    """Every chain that a batch on record has asked the ledger for."""
    asked: list[Asked] = []
    funding, remainder = batch.funding_minor or 0, batch.remainder_minor
    life = life_of_batch(batch, wallet_account, funding)
    if batch.state in FUNDED_STATES or remainder is not None:
        asked.append(Asked(life, Action.FUND, "applied", at=batch.created_at))
    elif batch.state is State.FUNDING:
        asked.append(Asked(life, Action.FUND, "planned", at=batch.created_at))
    elif batch.fault is not None and batch.fault.code == InsufficientFunds.code:
        asked.append(Asked(life, Action.FUND, "failed", at=batch.created_at))
    if remainder:
        outcome: Outcome = "applied" if batch.state in AT_REST else "planned"
        left = life_of_batch(batch, wallet_account, remainder)
        asked.append(Asked(left, Action.RELEASE_REMAINDER, outcome, at=batch.updated_at))
    return asked
