"""What the entries of a credit say: money that a rail brought in. Amounts in minor units, as in `collections`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import AwareDatetime

from cells.journal.body import Body, Currency, Day, Hash, Name, OfScheme, Rail
from residency.classes import Confidential, Public


class CreditBorn(Body):
    """Money has come: all that never changes of it, and what it begins with. Who sent it is in the vault alone."""

    state: Annotated[Name, Public]
    rail: Annotated[Rail, Public]
    scheme_reference: Annotated[OfScheme, Public]
    end_to_end_id: Annotated[OfScheme, Confidential]
    amount: Annotated[int, Confidential]
    currency: Annotated[Currency, Confidential]
    message_sha256: Annotated[Hash, Public]
    received_at: Annotated[AwareDatetime, Public]
    wallet_id: Annotated[Name | None, Public] = None
    reason_code: Annotated[OfScheme | None, Public] = None
    debtor_subject_id: Annotated[Name | None, Public] = None
    settlement_date: Annotated[Day | None, Public] = None
    available_at: Annotated[AwareDatetime | None, Public] = None


class CreditMoved(Body):
    """What has become of it, with all that its owner is told. `wallet_id`: of whoever has it now; whose it is then, the entry says.
    `return_reason`: why it went back."""

    repeats: ClassVar[frozenset[str]] = frozenset({"rail", "amount", "currency"})
    state: Annotated[Name, Public]
    wallet_id: Annotated[Name, Public]
    rail: Annotated[Rail, Public]
    amount: Annotated[int, Confidential]
    currency: Annotated[Currency, Confidential]
    return_reason: Annotated[OfScheme | None, Public] = None


class CreditDateMoved(Body):
    """It settles at another moment: the sandbox let time go by."""

    available_at: Annotated[AwareDatetime, Public]


# `pending`: its settlement date is yet to come. `refused`: the scheme is told so, and it is nobody's.
BIRTHS: Final[Mapping[str, type[Body]]] = dict.fromkeys(
    ("credit.received.1", "credit.pending.1", "credit.refused.1"), CreditBorn
)
LATER: Final[Mapping[str, type[Body]]] = {
    **dict.fromkeys(("credit.booked.1", "credit.suspended.1", "credit.assigned.1", "credit.returned.1"), CreditMoved),
    "credit.date_moved.1": CreditDateMoved,
}
