"""What it costs to have given money back for a payment that was made after all: L1 IN_DOUBT_LOSS → RAIL, out of the house's own."""

from cells.ledger import chart
from cells.ledger.chain import Chain, Draft, link
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Leg, Phase, Step


def in_doubt_loss(payment: int, rail: int, ledger: int, amount: int, *, attempt: int = 1) -> Chain:
    """The scheme has paid `amount` from our account there, and the hold it was for is gone."""
    draft = Draft(payment, Leg.LOSS, attempt)
    loss = chart.platform(AccountType.IN_DOUBT_LOSS, ledger)
    draft.add(Step.L1, Phase.DIRECT, ledger, loss, rail, amount, Code.IN_DOUBT_LOSS)
    return link(draft.postings)
