"""A transfer between a tenant's own wallets as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.payments.lives import ledger_of
from cells.sub_wallets.internal_transfer import Book
from residency.ids import number


def life_of_internal_transfer(book: Book, source: int, target: int, amount: int) -> Life:
    """Money between a tenant's own wallets. `source`, `target`: their W; `amount`: of a close, what was in it."""
    return Life(
        LedgerLeg.INTERNAL_TRANSFER, number(book.book_id), source,
        other_wallet=target, target_ledger=ledger_of(book.currency), amount=amount,
    )  # fmt: skip
