"""What may follow a payment, in our words: recalls and their answers, and the movements of an account.

Ids named `original_…`, `end_to_end_id` and `transaction_id` are the payment's or the credit's, as it came or as we sent it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, Protocol

from cells.rails.rail import Rail
from residency.classes import Confidential, Public


@dataclass(frozen=True, slots=True)
class RecallOut:
    """A payment of ours that we ask back. `recall_id` is ours, at most 35 characters."""

    recall_id: Annotated[str, Public]
    end_to_end_id: Annotated[str, Public]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    reason_code: Annotated[str, Public]


@dataclass(frozen=True, slots=True)
class RecallReceived:
    """A credit that its sender asks back: we return it (a pacs.004), or keep it (a camt.029 that says why)."""

    rail: Annotated[str, Public]
    recall_id: Annotated[str, Public]
    scheme_reference: Annotated[str, Confidential]
    end_to_end_id: Annotated[str, Confidential]
    reason_code: Annotated[str, Public]
    received_at: Annotated[datetime, Public]


@dataclass(frozen=True, slots=True)
class RecallKept:
    """Our no to a recall of a credit. `reason_code`: ISO 20022 ExternalPaymentCancellationRejection1Code (CUST, NOOR, …)."""

    recall_id: Annotated[str, Public]
    original_scheme_reference: Annotated[str, Confidential]
    original_end_to_end_id: Annotated[str, Confidential]
    reason_code: Annotated[str, Public]


@dataclass(frozen=True, slots=True)
class RecallAnswered:
    """The other bank's word on a recall of ours. `granted` moves nothing by itself: the money comes with a pacs.004."""

    rail: Annotated[str, Public]
    end_to_end_id: Annotated[str, Public]
    transaction_id: Annotated[str, Public]
    decision: Annotated[Literal["granted", "refused", "pending"], Public]
    reason_code: Annotated[str, Public]
    received_at: Annotated[datetime, Public]
    uetr: Annotated[str, Public] = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """One booked movement of an account. `credit`: money in. `kind`: the bank's transaction code, `PMNT/RCDT/ESCT`."""

    reference: Annotated[str, Confidential]
    end_to_end_id: Annotated[str, Confidential]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    credit: Annotated[bool, Public]
    day: Annotated[date | None, Public]
    kind: Annotated[str, Public]

    @property
    def signed_minor(self) -> int:
        return self.amount_minor if self.credit else -self.amount_minor


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """A statement whose movements lead from its opening to its closing balance; minor units, below zero when overdrawn. `page`: the number
    of a page of a statement in several, "" of a whole one; `last`: whether no page follows it.
    """

    rail: Annotated[str, Public]
    statement_id: Annotated[str, Confidential]
    account: Annotated[str, Confidential]
    currency: Annotated[str, Public]
    opening_minor: Annotated[int, Confidential]
    closing_minor: Annotated[int, Confidential]
    movements: Annotated[Sequence[Movement], Confidential]
    page: Annotated[str, Public] = ""
    last: Annotated[bool, Public] = True


@dataclass(frozen=True, slots=True)
class SetAside:
    """A statement, or a notification, that cannot be believed: it contradicts itself. `why` quotes no value of it."""

    report_id: Annotated[str, Confidential]
    why: Annotated[str, Public]


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What one camt.053 or camt.054 says: `statements` of the former, `movements` of either, and what of it was set aside."""

    statements: Annotated[Sequence[AccountStatement], Confidential] = ()
    movements: Annotated[Sequence[Movement], Confidential] = ()
    set_aside: Annotated[Sequence[SetAside], Confidential] = ()


class RecallingRail(Rail, Protocol):
    """A rail whose scheme knows recalls."""

    async def recall(self, asked: Sequence[RecallOut]) -> None:
        """Ask for payments back. The answers come by messages of their own; asking again under the same ids asks once.

        Raises RailUnavailable when it is not certain that the scheme took them all: ask again.
        """
        ...

    async def keep(self, kept: Sequence[RecallKept]) -> None:
        """Say no to recalls of credits. As `recall`."""
        ...
