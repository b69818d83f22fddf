"""Public resources as they stand on the wire: what the API answers, what events carry, what the document shows and what the client reads.

One model of each. A field that a reader does not know is passed over, so that a new one breaks nothing.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from residency.classes import Confidential, Public


class Resource(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Money(Resource):
    """An amount in major units of `currency`, as a decimal string: never a number. As text it reads `40.00 EUR`."""

    value: Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,19}(\.[0-9]{1,2})?$"), Confidential] = Field(
        examples=["1250.00"]
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Public] = Field(examples=["EUR"])

    @property
    def amount(self) -> Decimal:
        return Decimal(self.value)

    def __str__(self) -> str:
        return f"{self.value} {self.currency}"


class TransferStatus(StrEnum):
    """Where a transfer stands. A partner meets these alone: those of a payment that leaves its wallet, by the names that the API shows."""

    CREATED = "CREATED"
    IN_REVIEW = "IN_REVIEW"
    FUNDS_HELD = "FUNDS_HELD"
    INSTRUCTED = "INSTRUCTED"
    PENDING_RAIL = "PENDING_RAIL"
    COMPLETED = "COMPLETED"
    RAIL_REJECTED = "RAIL_REJECTED"
    DESTINATION_REJECTED = "DESTINATION_REJECTED"
    REFUNDED = "REFUNDED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    BLOCKED = "BLOCKED"
    PARTIALLY_RETURNED = "PARTIALLY_RETURNED"
    RETURNED = "RETURNED"


class Returned(Resource):
    """All that has come back of a transfer so far: of the recipient's `amount`, and what of it your wallet was `credited`."""

    amount: Annotated[Money, Confidential]
    credited: Annotated[Money, Confidential]


class Transfer(Resource):
    """A transfer. `source` is all that leaves the wallet; `target` what reaches the recipient's account."""

    id: Annotated[str, Public]
    status: Annotated[TransferStatus, Public]
    quote_id: Annotated[str | None, Public]
    recipient_id: Annotated[str, Public]
    payer_id: Annotated[str | None, Public]
    source_wallet_id: Annotated[str, Public]
    source: Annotated[Money, Confidential]
    fee: Annotated[Money, Confidential]
    margin: Annotated[Money, Confidential]
    target: Annotated[Money, Confidential]
    rail: Annotated[str, Public]
    in_doubt: Annotated[bool, Public] = Field(
        description="The rail has not answered; it is being asked again. Only set for payments within one region; across a border the"
        " transfer is PENDING_RAIL meanwhile"
    )
    reason_code: Annotated[str | None, Public] = Field(
        description="When it was refused: an ISO 20022 code with a page at `/reasons/{code}`, or one of ours, at `/problems/{code}`"
    )
    reason: Annotated[str | None, Public] = Field(
        description="The meaning of the ISO 20022 code", examples=["The account is closed"]
    )
    scheme_reference: Annotated[str | None, Confidential]
    metadata: Annotated[dict[str, str], Confidential]
    batch_id: Annotated[str | None, Public] = Field(description="The batch that it is a line of")
    returned: Annotated[Returned | None, Confidential] = Field(description="Set once money has come back")
    created_at: Annotated[datetime | None, Public]
    updated_at: Annotated[datetime | None, Public]


class Credit(Resource):
    """Money that arrives in a wallet. `settlement_date` and `available_at`: of one that settles later than it came. `reason_code`: of one
    that went back."""

    collection_id: Annotated[str, Public]
    wallet_id: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    rail: Annotated[str, Public]
    settlement_date: Annotated[date | None, Public]
    available_at: Annotated[datetime | None, Public]
    reason_code: Annotated[str | None, Public]
    reason: Annotated[str | None, Public]


class EndedBatch(Resource):
    """A batch that has ended. `amount`: what its payments took of the wallet; `lines`: how many ended how."""

    batch_id: Annotated[str, Public]
    wallet_id: Annotated[str, Public]
    status: Annotated[Literal["COMPLETED", "PARTIALLY_COMPLETED", "FAILED"], Public]
    amount: Annotated[Money, Confidential]
    lines: Annotated[dict[str, int], Confidential]
    reason_code: Annotated[str | None, Public]
    reason: Annotated[str | None, Public]


class StoppedEndpoint(Resource):
    """A webhook endpoint that gets nothing more, and why."""

    endpoint_id: Annotated[str, Public]
    reason_code: Annotated[str, Public]
    reason: Annotated[str, Public]


class TestedEndpoint(Resource):
    """A webhook endpoint that is sent a test."""

    endpoint_id: Annotated[str, Public]


class Event(Resource):
    """An event, exactly as webhooks carry it."""

    id: Annotated[str, Public]
    type: Annotated[str, Public]
    timestamp: Annotated[datetime, Public]
    data: Annotated[dict[str, object], Confidential]
