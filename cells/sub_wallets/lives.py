"""A transfer between a tenant's own wallets as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.ledger.asked import Asked, Outcome
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action
from cells.payments.lives import ledger_of
from cells.payments.transfer import InsufficientFunds
from cells.sub_wallets.internal_transfer import Book
from residency.ids import number


def life_of_internal_transfer(book: Book, source: int, target: int, amount: int) -> Life:
    """Money between a tenant's own wallets. `source`, `target`: their W; `amount`: of a close, what was in it."""
    return Life(
        LedgerLeg.INTERNAL_TRANSFER, number(book.book_id), source,
        other_wallet=target, target_ledger=ledger_of(book.currency), amount=amount,
    )  # fmt: skip


def chains_asked(book: Book, source: int, target: int) -> list[Asked]:
    """The chain that a transfer between wallets on record has asked the ledger for; none where there was nothing to move, or where it was
    refused before."""
    outcomes: dict[str, Outcome] = {"planned": "planned", "applied": "applied"}
    outcome = "failed" if book.reason == InsufficientFunds.code else outcomes.get(book.state)
    if outcome is None or not book.amount:
        return []
    life = life_of_internal_transfer(book, source, target, book.amount)
    return [Asked(life, Action.TRANSFER, outcome, at=book.created_at)]
