"""One return of one payment, as the journal keeps it: what comes back, what of it the wallet gets, and whether it may be booked.

A return has a life of its own beside its payment's: `received` → `booked`, and in the cell that paid out for a peer → `exported`.
Pure data and pure functions; the payment's own life hears of it when it is booked (machine.py).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cells.journal.life import Life
from cells.ledger.postings import NUMBERS
from cells.payments.machine import Event, Leg, State
from cells.payments.transfer import Transfer

ReturnState = Literal["received", "booked", "exported"]
Policy = Literal["original", "original_and_fee"]

# ISO 20022 ExternalStatusReason1Code: what a scheme is told of a return that cannot be taken.
DUPLICATE, TOO_MUCH, UNKNOWN, WRONG_CURRENCY = "AM05", "AM02", "AG09", "AM03"

# … timeout of the instructed agent: why a payment was given back whose outcome nobody knew.
TIMED_OUT = "AB06"

# A payment that the rail has been asked for may come back before we have heard that it was made: the return is then the first
# news of it, is put on record, and waits for the payment's own completion.
_MAY_COME_BACK = frozenset(
    {
        State.PENDING_RAIL, State.SETTLING, State.SETTLED, State.COMPLETED, State.PARTIALLY_RETURNED, State.RETURNED,
        State.LOSING, State.LOST,
    }
)  # fmt: skip
RETURNED_STATES: Final = frozenset({State.PARTIALLY_RETURNED, State.RETURNED})
# Given back while nobody knew: it may have been paid, and then it may come back, to the house that bore the loss.
_UNKNOWN_END = frozenset({State.RESTORING, State.RELEASED, State.REFUNDED})
BOOKABLE: Final = frozenset({State.COMPLETED, State.PARTIALLY_RETURNED, State.LOST})


def share(whole: int, before: int, amount: int, of: int) -> int:
    """What of `whole` goes back with `amount`, when `before` has come back already, of `of` in all: ⌊whole·(before+amount)/of⌋ −
    ⌊whole·before/of⌋. All in minor units.

    A difference of cumulative floors: returns that add up to the whole give the whole back, to the cent, however they were cut.
    """
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
class Return:
    """A row of `returns`. `amount` and `before` in minor units of `currency`, the payout's; the three `back` of the wallet's.
    `available_at`: when its settlement date begins, None where it had begun on arrival; it is not booked before.
    """

    return_id: str
    transfer_id: str
    tenant_id: str
    wallet_id: str
    number: int
    rail: str
    scheme_reference: str
    currency: str
    amount: int
    before: int
    principal_back: int
    margin_back: int
    fee_back: int
    reason_code: str
    received_at: datetime
    state: ReturnState = "received"
    attempt: int = 1
    available_at: datetime | None = None
    version: int = 1
    updated_at: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        """Whether it waits for its booking alone, and not for its day."""
        return self.state == "received" and (self.available_at is None or self.available_at <= at)

    @property
    def back(self) -> Back:
        return Back(self.principal_back, self.margin_back, self.fee_back)

    def says(self) -> tuple[str, int, str]:
        """What a repetition of the scheme's message must say again."""
        return self.transfer_id, self.amount, self.currency


RETURN: Final = Life("return", "returns", "return_id", Return, money={"amount": "currency"}, may_exist=True)


@dataclass(frozen=True, slots=True)
class Total:
    """The returns of one payment together: how many, what came back, what of it is booked, and what the wallet got back."""

    count: int = 0
    amount: int = 0
    booked: int = 0
    back: int = 0


def objection(transfer: Transfer | None, rail: str, currency: str, amount: int, total: Total) -> str | None:
    """Why a scheme's return cannot be taken, as an ISO reason code; None when it can. `total`: what came back before."""
    if transfer is None or transfer.leg is Leg.ORIGIN or transfer.rail != rail:
        return UNKNOWN
    restored = transfer.state in _UNKNOWN_END and transfer.reason_code == TIMED_OUT
    if transfer.state not in _MAY_COME_BACK and not restored:
        return UNKNOWN
    if currency != transfer.target_currency:
        return WRONG_CURRENCY
    return TOO_MUCH if exceeds(transfer, amount, total) else None


def exceeds(transfer: Transfer, amount: int, total: Total) -> bool:
    """Whether more would come back than was paid, or oftener than returns can be numbered."""
    return total.amount + amount > transfer.payout_amount or total.count + 1 >= NUMBERS


def may_be_admitted(transfer: Transfer) -> bool:
    """Whether the instructed cell can say of this origin leg that money came back: it has said before that it was paid."""
    settled = transfer.answer is not None and transfer.answer.get("event") == str(Event.SETTLED)
    return transfer.leg is Leg.ORIGIN and settled


def bookable(transfer: Transfer) -> bool:
    """Whether a return may be booked now: the payment's own chain is posted, and at a destination its `settled` has left."""
    return transfer.state in BOOKABLE


def gives_back(transfer: Transfer, before: int, amount: int, policy: Policy) -> Back:
    """What the payer's wallet gets of a return of `amount`, when `before` came back already. Nothing where only a peer was paid for.

    At the quote's original integers: nothing multiplies a rate. The fee is kept, unless the tenant's policy gives it back.
    """
    if transfer.leg is Leg.DESTINATION:
        return Back()
    paid = transfer.target_amount
    # What the recipient paid was never with him, so it cannot come back, and stays; the payer's fee goes with what did arrive.
    fee = share(transfer.fee, before, amount, transfer.payout_amount) if policy == "original_and_fee" else 0
    if transfer.leg is Leg.IN_REGION:
        return Back(principal=amount, fee=fee)
    principal, margin = (share(one, before, amount, paid) for one in (transfer.principal, transfer.margin))
    return Back(principal, margin, fee)


def told_of(transfer: Transfer, booked: int) -> Event | None:
    """What the payment's life hears when `booked` of it, in all, has come back; None at a destination, whose part is over, and where the
    house bore the loss."""
    if transfer.leg is Leg.DESTINATION or transfer.state is State.LOST:
        return None
    return Event.RETURNED if booked >= transfer.payout_amount else Event.PARTIALLY_RETURNED
