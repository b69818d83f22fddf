"""What the entries of returns, resolutions and recalls say: money that goes back. Amounts in minor units, as in their rows."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime

from cells.journal.body import Body, Currency, Name, OfScheme, Rail
from residency.classes import Confidential, Public


class ReturnBorn(Body):
    """Money of a payment has come back. `before`: what had come back of it already; the three `back`: what of this one the wallet gets, in
    its own currency."""

    transfer_id: Annotated[Name, Public]
    wallet_id: Annotated[Name, Public]
    number: Annotated[int, Public]
    rail: Annotated[Rail, Public]
    scheme_reference: Annotated[OfScheme, Confidential]
    currency: Annotated[Currency, Confidential]
    amount: Annotated[int, Confidential]
    before: Annotated[int, Confidential]
    principal_back: Annotated[int, Confidential]
    margin_back: Annotated[int, Confidential]
    fee_back: Annotated[int, Confidential]
    reason_code: Annotated[OfScheme, Public]
    received_at: Annotated[AwareDatetime, Public]
    available_at: Annotated[AwareDatetime | None, Public] = None


class ReturnBooked(Body):
    """The ledger has it. The three `back` where the house bore the loss, and the wallet gets nothing."""

    state: Annotated[Name, Public]
    principal_back: Annotated[int, Confidential] = 0
    margin_back: Annotated[int, Confidential] = 0
    fee_back: Annotated[int, Confidential] = 0


class ReturnRefused(Body):
    """The ledger has refused it; the next attempt has ids of its own."""

    attempt: Annotated[int, Public]


class ReturnExported(Body):
    """It has left for the cell where the payment began."""

    state: Annotated[Name, Public]


class ReturnDateMoved(Body):
    """It settles at another moment: the sandbox let time go by."""

    available_at: Annotated[AwareDatetime, Public]


class ResolutionBorn(Body):
    """Somebody has decided what becomes of a credit: `assign` it to a wallet, or `give_back`. `number`: which of the credit's it is."""

    collection_id: Annotated[Name, Public]
    number: Annotated[int, Public]
    wallet_id: Annotated[Name, Public]
    kind: Annotated[Literal["assign", "give_back"], Public]
    suspended: Annotated[bool, Public]
    rail: Annotated[Rail, Public]
    scheme_reference: Annotated[OfScheme, Confidential]
    end_to_end_id: Annotated[OfScheme, Confidential]
    amount: Annotated[int, Confidential]
    currency: Annotated[Currency, Confidential]
    reason_code: Annotated[OfScheme, Public]


class ResolutionMoved(Body):
    """A step of it. `outcome` and `answer_code`: the scheme's final answer, or why it came to nothing."""

    state: Annotated[Name, Public]
    outcome: Annotated[Literal["settled", "refused"] | None, Public] = None
    answer_code: Annotated[OfScheme | None, Public] = None


class RecallBorn(Body):
    """A credit of ours is asked back (`received`), or we ask a payment back (`sent`)."""

    direction: Annotated[Literal["received", "sent"], Public]
    state: Annotated[Name, Public]
    rail: Annotated[Rail, Public]
    case_id: Annotated[OfScheme, Public]
    scheme_reference: Annotated[OfScheme, Confidential]
    end_to_end_id: Annotated[OfScheme, Confidential]
    reason_code: Annotated[OfScheme, Public]
    at: Annotated[AwareDatetime, Public]
    transfer_id: Annotated[Name | None, Public] = None
    collection_id: Annotated[Name | None, Public] = None
    amount: Annotated[int | None, Confidential] = None
    currency: Annotated[Currency | None, Confidential] = None
    answer_code: Annotated[OfScheme | None, Public] = None


class RecallMoved(Body):
    """A step of it. `answer_code`: why not; `order_id`: the resolution that gives the credit back."""

    state: Annotated[Name, Public]
    answer_code: Annotated[OfScheme | None, Public] = None
    order_id: Annotated[Name | None, Public] = None


# `return.admitted`: the cell that paid out says so. `recall.requested`: ours.
BIRTHS: Final[Mapping[str, type[Body]]] = {
    **dict.fromkeys(("return.received.1", "return.admitted.1"), ReturnBorn),
    "resolution.ordered.1": ResolutionBorn,
    **dict.fromkeys(("recall.received.1", "recall.requested.1"), RecallBorn),
}
# `resolution.applied`: done, whichever way. `recall.sent`: the scheme has our message; `recall.accepted`, `recall.declined`: a person has
# decided; `recall.answered`: the other bank has; `recall.granted`: the money has moved; `recall.reopened`: it could not.
LATER: Final[Mapping[str, type[Body]]] = {
    "return.booked.1": ReturnBooked,
    "return.refused.1": ReturnRefused,
    "return.exported.1": ReturnExported,
    "return.date_moved.1": ReturnDateMoved,
    **{f"resolution.{event}.1": ResolutionMoved for event in ("held", "answered", "applied", "failed")},
    **{
        f"recall.{event}.1": RecallMoved
        for event in ("sent", "accepted", "declined", "answered", "granted", "reopened")
    },
}
