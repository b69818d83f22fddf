"""The chains of what is ordered of a credit that came in: A1 gives suspended money to a wallet, G1 and G2 send a credit back.

Invariants: the payment of these postings is the credit itself, and their attempt the order's number, so that two orders never share
an id; what goes back is held from before the scheme is asked until its final word.
"""

from dataclasses import dataclass

from cells.ledger import chart
from cells.ledger.chain import Chain, Draft, link, resolve
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Leg, Phase, Step


@dataclass(frozen=True, slots=True)
class Ordered:
    """Which order of which credit, and the money: `amount` in minor units of `ledger`'s currency."""

    credit: int
    number: int
    ledger: int
    amount: int

    @property
    def suspense(self) -> int:
        """SUS of its currency."""
        return chart.platform(AccountType.SUSPENSE, self.ledger)

    @property
    def inbound(self) -> int:
        """PI of its currency."""
        return chart.platform(AccountType.PENDING_INBOUND, self.ledger)


def assign(one: Ordered, wallet: int) -> Chain:
    """Suspended money has found its owner: A1 SUS → W."""
    draft = Draft(one.credit, Leg.ORDER, one.number)
    draft.add(Step.A1, Phase.DIRECT, one.ledger, one.suspense, wallet, one.amount, Code.SUSPENSE_ASSIGNED)
    return link(draft.postings)


def give_back_hold(one: Ordered, source: int) -> Chain:
    """Before the scheme is asked: G1 SUS or W → PI, pending. `source`: which of the two."""
    draft = Draft(one.credit, Leg.ORDER, one.number)
    draft.add(Step.G1, Phase.HOLD, one.ledger, source, one.inbound, one.amount, Code.GIVE_BACK)
    return link(draft.postings)


def give_back_post(one: Ordered, source: int, rail: int) -> Chain:
    """The scheme has taken it back: post G1 · G2 PI → RAIL."""
    draft = Draft(one.credit, Leg.ORDER, one.number)
    draft.add(Step.G2, Phase.DIRECT, one.ledger, one.inbound, rail, one.amount, Code.GIVEN_BACK)
    return link([*resolve(give_back_hold(one, source), Phase.POST, one.number), *draft.postings])


def give_back_void(one: Ordered, source: int) -> Chain:
    """The scheme has refused it: void G1."""
    return link(resolve(give_back_hold(one, source), Phase.VOID, one.number))
