"""The five kinds of message between cells. Subjects are `fx.<from>.<to>.<kind>`; fields by LEDGER.md.

    instructed   origin → destination   pay this; with it travels the sealed travel-rule part
    settled      destination → origin   the rail said yes, finally
    rejected     destination → origin   the destination or the rail said no, finally
    returned     destination → origin   money came back after settlement, whole or in part
    receipt      either way             all up to this sequence was admitted; itself not receipted

A reply names the instruction by SHA-256 of its envelope, so that it answers those bytes and no others.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from residency.classes import Confidential, Public
from residency.crossing import BorderMessage
from residency.directory import CellEntry
from residency.ids import parse
from residency.instants import Instant

_ID = r"_[a-z]{2}[0-9]{1,4}_[0-9a-v]{26}"
AMOUNT_LIMIT = 2**63

TransferId = Annotated[str, StringConstraints(pattern=rf"^tr{_ID}$"), Public]
TenantId = Annotated[str, StringConstraints(pattern=rf"^ten{_ID}$"), Public]
RecipientToken = Annotated[
    str, StringConstraints(pattern=rf"^rcp{_ID}\.[A-Z]{{3}}\.[A-Za-z0-9_-]{{86}}$"), Confidential
]
CellName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}-[0-9]{1,4}$"), Public]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Public]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Public]
RailName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,31}$"), Public]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{4}$"), Public]
SchemeReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/._:-]{1,64}$"), Confidential]
ListName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,31}$"), Public]
ListVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), Public]
Amount = Annotated[int, Field(gt=0, lt=AMOUNT_LIMIT), Confidential]
Time = Annotated[Instant, Public]


class Attestation(BaseModel):
    """What the origin's screening says of the payer: which lists at which versions, and the result. No name.

    `reviewed`: an officer has cleared a possible match, or the payment itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    lists: Annotated[dict[ListName, ListVersion], Public]
    result: Annotated[Literal["clear", "reviewed"], Public]
    at: Time


class Instructed(BorderMessage):
    """Pay `amount_minor` (M) of `currency` to the recipient behind the token; `fee_minor` of it is paid by
    the recipient. `deadline`: by when the recipient shall have it; without one, as soon as possible.
    """

    kind: ClassVar[str] = "instructed"
    carries_sealed: ClassVar[bool] = True

    transfer_id: TransferId
    tenant_id: TenantId
    recipient_id: RecipientToken
    origin_cell: CellName
    destination_cell: CellName
    currency: Currency
    amount_minor: Amount
    fee_minor: Annotated[int, Field(ge=0, lt=AMOUNT_LIMIT), Confidential] = 0
    source_currency: Currency
    rail: RailName | None = None
    deadline: Time | None = None
    screening: Annotated[Attestation, Confidential]
    instructed_at: Time

    def route_fault(self, origin: CellEntry, destination: CellEntry) -> str | None:
        if (self.origin_cell, self.destination_cell) != (origin.name, destination.name):
            return "the message names other cells than its envelope"
        if parse(self.transfer_id).cell != origin.name:
            return "the transfer does not live in the cell that sends it"
        if parse(self.recipient_id.partition(".")[0]).cell != destination.name:
            return "the recipient does not live in the cell it is sent to"
        if self.currency not in destination.currencies:
            return "the currency is not held in the destination's region"
        return None


class _Reply(BorderMessage):
    """Common part of the destination's answers; the transfer lives where the answer goes."""

    transfer_id: TransferId
    instruction_hash: Sha256

    def route_fault(self, origin: CellEntry, destination: CellEntry) -> str | None:
        if parse(self.transfer_id).cell != destination.name:
            return "the transfer does not live in the cell it is sent to"
        return None


class Settled(_Reply):
    """The scheme's final yes: `amount_minor` (M) reached the recipient's account."""

    kind: ClassVar[str] = "settled"

    currency: Currency
    amount_minor: Amount
    rail: RailName
    scheme_reference: SchemeReference
    settled_at: Time


class Rejected(_Reply):
    """The final no, by the destination itself or by the rail. `reason_code`: ISO 20022
    ExternalStatusReason1Code.
    """

    kind: ClassVar[str] = "rejected"

    stage: Annotated[Literal["destination", "rail"], Public]
    reason_code: ReasonCode
    rejected_at: Time


class Returned(_Reply):
    """`amount_minor` (R ≤ M) came back after settlement. Returns of a transfer are numbered from 1; their sum
    never exceeds M.

    `reason_code`: ISO 20022 ExternalReturnReason1Code.
    """

    kind: ClassVar[str] = "returned"

    return_number: Annotated[int, Field(gt=0, lt=1_000), Public]
    currency: Currency
    amount_minor: Amount
    rail: RailName
    scheme_reference: SchemeReference
    reason_code: ReasonCode
    returned_at: Time


class Receipt(BorderMessage):
    """Everything up to `through_sequence` of the corridor towards the sender was admitted, with these bytes
    and no others.

    `rolling_hash` folds the admitted envelopes' hashes in order (residency.envelope.roll).
    """

    kind: ClassVar[str] = "receipt"

    through_sequence: Annotated[int, Field(gt=0, lt=2**63), Public]
    rolling_hash: Sha256
    at: Time


Reply = Settled | Rejected | Returned
