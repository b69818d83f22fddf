"""Invariant L8 as one figure, which the tests hold the ledger to; `kovra reconcile` computes it from the postings instead."""

from cells.ledger.entry import Account


def position(settlement: Account, cap: Account) -> int:
    """What a cell owes its peer (positive) or is owed by it (negative), in minor units: REG without its cap.

    L8 at rest: position(REG(B), cap(B)) in A = −position(REG(A), cap(A)) in B.
    """
    return settlement.credit_balance + cap.credit_balance
