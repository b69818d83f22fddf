"""The chains of money that comes back after a payment was completed: R1 to R6 of LEDGER.md, and the arithmetic of their shares.

Invariants: the id of every posting follows from (payment, step, number of the return, attempt); what goes back of an integer of the
quote is a difference of cumulative floors, so that returns which add up to the whole give the whole back, to the cent, however
they were cut and in whatever order they are booked.
"""

from dataclasses import dataclass

from cells.ledger import chart
from cells.ledger.chain import Chain, Draft, link, resolve
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Leg, Phase, Step

# Returns of one payment are numbered from 1 to 999 (residency.messages.Returned); an attempt is told apart above that.
NUMBERS = 1_000


def share(whole: int, before: int, amount: int, of: int) -> int:
    """What of `whole` goes back with `amount`, when `before` has come back already, of `of` in all: ⌊whole·(before+amount)/of⌋ −
    ⌊whole·before/of⌋. All in minor units."""
    assert 0 <= before < before + amount <= of
    return whole * (before + amount) // of - whole * before // of


@dataclass(frozen=True, slots=True)
class Back:
    """What a return gives back to the wallet, minor units of its currency."""

    principal: int = 0
    margin: int = 0
    fee: int = 0

    @property
    def total(self) -> int:
        return self.principal + self.margin + self.fee


@dataclass(frozen=True, slots=True)
class Place:
    """Which return of which payment, and its how-manieth attempt at the ledger."""

    payment: int
    number: int
    attempt: int = 1

    @property
    def mark(self) -> int:
        """The `attempt` of its postings."""
        return (self.attempt - 1) * NUMBERS + self.number


def arrival(place: Place, rail: int, ledger: int, amount: int) -> Chain:
    """The scheme has sent it back: R1 RAIL → PI, pending."""
    draft = Draft(place.payment, Leg.RETURN, place.mark)
    inbound = chart.platform(AccountType.PENDING_INBOUND, ledger)
    draft.add(Step.R1, Phase.HOLD, ledger, rail, inbound, amount, Code.RETURN)
    return link(draft.postings)


def to_origin(place: Place, rail: int, ledger: int, amount: int, origin_number: int) -> Chain:
    """Where it was paid out for a peer: post R1 · R2 PI → REG(origin)."""
    draft = Draft(place.payment, Leg.RETURN, place.mark)
    inbound = chart.platform(AccountType.PENDING_INBOUND, ledger)
    draft.add(
        Step.R2, Phase.DIRECT, ledger, inbound, chart.settlement(origin_number, ledger), amount, Code.RETURN_POSITION
    )
    return link([*resolve(arrival(place, rail, ledger, amount), Phase.POST, place.mark), *draft.postings])


def to_wallet(place: Place, rail: int, ledger: int, amount: int, wallet: int, fee: int) -> Chain:
    """In region: post R1 · R2 PI → W · R6 FEE → W."""
    draft = Draft(place.payment, Leg.RETURN, place.mark)
    inbound = chart.platform(AccountType.PENDING_INBOUND, ledger)
    draft.add(Step.R2, Phase.DIRECT, ledger, inbound, wallet, amount, Code.RETURN_CREDIT)
    _fee(draft, ledger, wallet, fee)
    return link([*resolve(arrival(place, rail, ledger, amount), Phase.POST, place.mark), *draft.postings])


def to_loss(place: Place, rail: int, ledger: int, amount: int) -> Chain:
    """Of what was paid although it had been given back: post R1 · R2 PI → IN_DOUBT_LOSS."""
    draft = Draft(place.payment, Leg.RETURN, place.mark)
    inbound, loss = (chart.platform(kind, ledger) for kind in (AccountType.PENDING_INBOUND, AccountType.IN_DOUBT_LOSS))
    draft.add(Step.R2, Phase.DIRECT, ledger, inbound, loss, amount, Code.RETURN_RECOVERED)
    return link([*resolve(arrival(place, rail, ledger, amount), Phase.POST, place.mark), *draft.postings])


def from_destination(
    place: Place, destination_number: int, target_ledger: int, amount: int, wallet: int, ledger: int, back: Back
) -> Chain:
    """`returned` admitted: R3 REG(destination) → FX · R4 FX → W · R5 MARGIN → W · R6 FEE → W."""
    draft = Draft(place.payment, Leg.RETURN, place.mark)
    settlement = chart.settlement(destination_number, target_ledger)
    dealt = chart.platform(AccountType.FX_POSITION, target_ledger)
    draft.add(Step.R3, Phase.DIRECT, target_ledger, settlement, dealt, amount, Code.RETURN_DEALING)
    position, margin = (chart.platform(kind, ledger) for kind in (AccountType.FX_POSITION, AccountType.FX_MARGIN))
    draft.add(Step.R4, Phase.DIRECT, ledger, position, wallet, back.principal, Code.RETURN_PRINCIPAL)
    draft.add(Step.R5, Phase.DIRECT, ledger, margin, wallet, back.margin, Code.RETURN_MARGIN)
    _fee(draft, ledger, wallet, back.fee)
    return link(draft.postings)


def _fee(draft: Draft, ledger: int, wallet: int, fee: int) -> None:
    draft.add(
        Step.R6, Phase.DIRECT, ledger, chart.platform(AccountType.FEE_REVENUE, ledger), wallet, fee, Code.RETURN_FEE
    )
