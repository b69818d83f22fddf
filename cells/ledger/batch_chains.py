"""The two chains of a batch beside its lines' own: E1 funds its reserve, once, and E2 gives back what is left of it.

A pending transfer resolves once, so lines cannot share one hold: each holds its own amount, from the reserve, by the chains of any
payment (S1 to S4, I1 and I2) with RSV in the place of W.
"""

from cells.ledger.chain import Chain, Draft, link
from cells.ledger.chart import reserve
from cells.ledger.codes import Code, Leg, Phase, Step


def fund(batch: int, wallet: int, amount: int, ledger: int) -> Chain:
    """E1 W → RSV, the whole."""
    draft = Draft(batch, Leg.BATCH, 1)
    draft.add(Step.E1, Phase.DIRECT, ledger, wallet, reserve(wallet), amount, Code.BATCH_FUNDING)
    return link(draft.postings)


def give_back(batch: int, wallet: int, amount: int, ledger: int) -> Chain:
    """E2 RSV → W, what no line has spent."""
    draft = Draft(batch, Leg.BATCH, 1)
    draft.add(Step.E2, Phase.DIRECT, ledger, reserve(wallet), wallet, amount, Code.BATCH_REMAINDER)
    return link(draft.postings)
