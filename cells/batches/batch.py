"""A batch and its lines, as rows; and the life of a batch as pure functions. No I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from cells.fx.pricing import Side
from cells.journal.life import Life
from cells.payments.origin import WalletNotOpen
from cells.payments.transfer import InsufficientFunds
from residency.classes import Confidential, Public
from residency.errors import KovraError

LINES_MAX: Final = 10_000
# One transaction's worth of lines: enough to be quick, few enough that single payments beside them hardly wait.
CHUNK: Final = 250
Format = Literal["json", "csv", "pain.001"]


class UnknownBatch(KovraError):
    code = "unknown-batch"
    status = 404
    title = "There is no such batch"


class DuplicateFile(KovraError):
    """`extra["batch_id"]`: of the batch that the file made before."""

    code = "duplicate-file"
    status = 409
    title = "A file of that initiating party with that message id was taken before"


class NotRepeated(KovraError):
    code = "not-repeated"
    status = 422
    title = "The batch that `repeats` names is not the one that this file made before"


class BatchUnderWay(KovraError):
    code = "batch-under-way"
    status = 409
    title = "The batch is being paid or has ended, and can no longer be cancelled"


class State(StrEnum):
    VALIDATING = "VALIDATING"
    SCHEDULED = "SCHEDULED"  # validated; it waits for its time, if it has one
    FUNDING = "FUNDING"  # priced; the ledger is asked for the whole
    FUNDED = "FUNDED"
    PROCESSING = "PROCESSING"
    CLOSING = "CLOSING"  # every line has ended; the ledger is asked to give back the rest
    COMPLETED = "COMPLETED"
    PARTIALLY_COMPLETED = "PARTIALLY_COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class LineState(StrEnum):
    RECEIVED = "RECEIVED"
    INVALID = "INVALID"
    READY = "READY"
    ACCEPTED = "ACCEPTED"  # a transfer, whose own state tells the rest
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"  # the batch ended before its turn came


AT_REST: Final = frozenset({State.COMPLETED, State.PARTIALLY_COMPLETED, State.FAILED, State.CANCELLED})
CANCELLABLE: Final = frozenset({State.VALIDATING, State.SCHEDULED})
# While the reserve holds the batch's money: from the ledger's word on its funding to its word on the remainder.
FUNDED_STATES: Final = frozenset({State.FUNDED, State.PROCESSING, State.CLOSING})
WAITING_LINES: Final = (LineState.RECEIVED, LineState.READY)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line, or a whole batch, is not paid: the code of the failure, a sentence that quotes nothing, and the field at fault. `errors`:
    where several fields are at fault, the sentence (`detail`) and `pointer` of each."""

    code: Annotated[str, Public]
    detail: Annotated[str, Public]
    pointer: Annotated[str | None, Public] = None
    errors: Annotated[Sequence[Mapping[str, str]], Public] = ()

    @classmethod
    def of(cls, error: KovraError) -> "Fault":
        return cls(error.code, error.detail, error.pointer, error.extra.get("errors", ()))


@dataclass(frozen=True, slots=True)
class Batch:
    """A row of `batches`. Amounts in minor units of the wallet's currency. `message_id`, `message_created_at`: as the file says them;
    `file_key`: what makes two files one, None for a repetition."""

    batch_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    wallet_id: Annotated[str, Public]
    source_currency: Annotated[str, Public]
    format: Annotated[Format, Public]
    all_or_nothing: Annotated[bool, Public]
    line_count: Annotated[int, Public]
    scheduled_for: Annotated[datetime | None, Public] = None
    message_id: Annotated[str | None, Confidential] = None
    message_created_at: Annotated[datetime | None, Public] = None
    file_key: Annotated[str | None, Confidential] = None
    state: Annotated[State, Public] = State.VALIDATING
    funding_minor: Annotated[int | None, Confidential] = None
    remainder_minor: Annotated[int | None, Confidential] = None
    fault: Annotated[Fault | None, Public] = None
    version: Annotated[int, Public] = 1
    created_at: Annotated[datetime | None, Public] = None
    updated_at: Annotated[datetime | None, Public] = None


BATCH: Final = Life(
    "batch", "batches", "batch_id", Batch, unrecorded=frozenset({"message_id", "file_key"}),
    money=dict.fromkeys(("funding_minor", "remainder_minor"), "source_currency"), may_exist=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A row of `batch_lines`. An INVALID line may lack anything but its number; any other has what a payment needs. `file_line`: where it
    begins in the file that it came in, from 1; None for JSON."""

    line: Annotated[int, Public]
    state: Annotated[LineState, Public]
    transfer_id: Annotated[str | None, Public] = None
    recipient_id: Annotated[str | None, Public] = None
    payer_id: Annotated[str | None, Public] = None
    side: Annotated[Side | None, Public] = None
    amount_minor: Annotated[int | None, Confidential] = None
    target_currency: Annotated[str | None, Public] = None
    metadata: Annotated[Mapping[str, str], Confidential] = field(default_factory=dict)
    deadline: Annotated[datetime | None, Public] = None
    quote_id: Annotated[str | None, Public] = None
    source_minor: Annotated[int | None, Confidential] = None
    fault: Annotated[Fault | None, Public] = None
    file_line: Annotated[int | None, Public] = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What the lines of a batch have come to. `moving`: payments under way; `waiting`: lines yet to be taken up; `paid`: how many
    reached their recipients; `gone_minor`: what has left the reserve for good, paid or frozen."""

    moving: Annotated[int, Public]
    waiting: Annotated[int, Public]
    paid: Annotated[int, Public]
    gone_minor: Annotated[int, Confidential]

    @property
    def all_ended(self) -> bool:
        return not self.moving and not self.waiting


def ending(batch: Batch, paid: int) -> State:
    """How a batch ends whose lines have all ended, `paid` of them at their recipients."""
    if paid == 0:
        return State.FAILED
    return State.COMPLETED if paid == batch.line_count else State.PARTIALLY_COMPLETED


# Why a whole batch is not paid, by code.
REASONS: Final = MappingProxyType(
    {
        "no-valid-line": "No line of the batch can be paid.",
        "line-invalid": "A line cannot be paid, and the batch is all or nothing.",
        WalletNotOpen.code: WalletNotOpen.title,
    }
)
_REMEDY: Final = "Fund the wallet and submit the batch again as a new one."


def fault_of(code: str, missing_minor: int | None = None, currency: str = "") -> Fault:
    """Why a whole batch is not paid. `missing_minor`: what its wallet lacked, in minor units of `currency`, where it did and that is known."""
    if code == InsufficientFunds.code:
        return Fault.of(InsufficientFunds.by(missing_minor, currency, _REMEDY))
    return Fault(code, REASONS[code])


def after_validation(batch: Batch, ready: int) -> tuple[State, Fault | None]:
    """Where a batch goes of whose lines `ready` are valid. Asked again once the lines are priced, when FUNDING comes next."""
    if ready == 0:
        return State.FAILED, fault_of("no-valid-line")
    if batch.all_or_nothing and ready < batch.line_count:
        return State.FAILED, fault_of("line-invalid")
    return (State.SCHEDULED if batch.state is State.VALIDATING else State.FUNDING), None


_PUBLIC: Final = MappingProxyType({State.FUNDING: State.VALIDATING, State.CLOSING: State.PROCESSING})


def public(batch: Batch) -> State:
    """The state that the API and webhooks show: no moment between a journal commit and the ledger's word."""
    if batch.state is State.SCHEDULED and batch.scheduled_for is None:
        return State.VALIDATING
    if batch.state is State.FUNDING and batch.scheduled_for is not None:
        return State.SCHEDULED
    return _PUBLIC.get(batch.state, batch.state)
