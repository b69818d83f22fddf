"""Batches and their lines as the API shows them, in JSON and, of lines, in CSV. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field
from starlette.responses import Response

from cells.batches.batch import Batch, Fault, Format, LineState, public
from cells.batches.store_status import LineStanding, Standing, Wanted
from cells.kit.csv_text import write_rows
from cells.kit.money import money
from cells.payments.machine import State as PaymentState
from cells.payments.machine import public as public_payment
from cells.rails.iso20022.reason_words import reason_in_words
from residency.classes import Confidential, Public
from residency.wire import Money
from router.api.problems import FieldFault
from router.api.shapes import stamp
from router.api.v1.batch_csv import csv_pointer

NEXT_CURSOR = "Kovra-Next-Cursor"


class BatchStatus(StrEnum):
    """Where a batch is. FAILED: no line was paid."""

    VALIDATING = "VALIDATING"
    SCHEDULED = "SCHEDULED"
    FUNDED = "FUNDED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    PARTIALLY_COMPLETED = "PARTIALLY_COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class LineStatus(StrEnum):
    """Where a line is. From CREATED on it is a transfer, and this is the transfer's status."""

    WAITING = "WAITING"
    INVALID = "INVALID"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    CREATED = "CREATED"
    IN_REVIEW = "IN_REVIEW"
    BLOCKED = "BLOCKED"
    FUNDS_HELD = "FUNDS_HELD"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    INSTRUCTED = "INSTRUCTED"
    PENDING_RAIL = "PENDING_RAIL"
    COMPLETED = "COMPLETED"
    RAIL_REJECTED = "RAIL_REJECTED"
    DESTINATION_REJECTED = "DESTINATION_REJECTED"
    REFUNDED = "REFUNDED"
    PARTIALLY_RETURNED = "PARTIALLY_RETURNED"
    RETURNED = "RETURNED"


_OF_LINES: Final = MappingProxyType(
    {
        LineState.RECEIVED: LineStatus.WAITING,
        LineState.READY: LineStatus.WAITING,
        LineState.INVALID: LineStatus.INVALID,
        LineState.REFUSED: LineStatus.REFUSED,
        LineState.NOT_SENT: LineStatus.NOT_SENT,
    }
)


class FaultShown(BaseModel):
    """Why it is not paid. `code`: of the problem, which has a page at `/problems/{code}`; of pain.001, an ISO 20022 reason code.
    `pointer`: the field of the line; of CSV its column, of pain.001 the element's path in the file."""

    code: Annotated[str, Public]
    detail: Annotated[str, Public]
    pointer: Annotated[str | None, Public]
    errors: Annotated[list[FieldFault] | None, Public] = Field(
        description="Every field at fault, where there are several"
    )


class ProgressShown(BaseModel):
    """How many lines have one status, and what leaves the wallet for them (nothing before they are priced)."""

    status: Annotated[LineStatus, Public]
    lines: Annotated[int, Public]
    source: Annotated[Money, Confidential]


class BatchHeadShown(BaseModel):
    """A batch. `funding` is what was set aside for its valid lines, `remainder` what came back when the last had ended."""

    id: Annotated[str, Public]
    status: Annotated[BatchStatus, Public]
    format: Annotated[Format, Public]
    source_wallet_id: Annotated[str, Public]
    lines: Annotated[int, Public]
    all_or_nothing: Annotated[bool, Public]
    scheduled_for: Annotated[datetime | None, Public]
    message_id: Annotated[str | None, Confidential] = Field(description="pain.001: GrpHdr/MsgId of the file")
    message_created_at: Annotated[datetime | None, Public] = Field(description="pain.001: GrpHdr/CreDtTm of the file")
    funding: Annotated[Money | None, Confidential]
    remainder: Annotated[Money | None, Confidential]
    error: Annotated[FaultShown | None, Public]
    created_at: Annotated[datetime | None, Public]
    updated_at: Annotated[datetime | None, Public]


class BatchShown(BatchHeadShown):
    progress: Annotated[list[ProgressShown], Confidential]


class BatchPage(BaseModel):
    """Newest first."""

    data: Annotated[list[BatchHeadShown], Confidential]
    next_cursor: Annotated[str | None, Public]


class BatchLineShown(BaseModel):
    """A line, and what became of it."""

    line: Annotated[int, Public] = Field(description="From 1, in the order of the request")
    file_line: Annotated[int | None, Public] = Field(
        description="Where it begins in the file, by its lines from 1. Of CSV, whose first line has the names of the columns, the row; of"
        " pain.001 the CdtTrfTxInf. JSON has no such lines."
    )
    status: Annotated[LineStatus, Public]
    transfer_id: Annotated[str | None, Public]
    recipient_id: Annotated[str | None, Public]
    payer_id: Annotated[str | None, Public]
    source: Annotated[Money | None, Confidential]
    target: Annotated[Money | None, Confidential] = Field(description="What reaches the recipient's account")
    reason_code: Annotated[str | None, Public] = Field(description="ISO 20022 code, when the transfer was refused")
    reason: Annotated[str | None, Public] = Field(
        description="The meaning of that code; its page is at `/reasons/{code}`"
    )
    scheme_reference: Annotated[str | None, Confidential]
    metadata: Annotated[dict[str, str], Confidential]
    error: Annotated[FaultShown | None, Public]


class BatchLinePage(BaseModel):
    """In the order of the request."""

    data: Annotated[list[BatchLineShown], Confidential]
    next_cursor: Annotated[str | None, Public]


def shown(batch: Batch, progress: Sequence[Standing] | None = None) -> dict[str, Any]:
    """A batch as the API writes it, with the progress of its lines where that was looked at."""
    currency = batch.source_currency
    body = {
        "id": batch.batch_id,
        "status": str(public(batch)),
        "format": batch.format,
        "source_wallet_id": batch.wallet_id,
        "lines": batch.line_count,
        "all_or_nothing": batch.all_or_nothing,
        "scheduled_for": _stamped(batch.scheduled_for),
        "message_id": batch.message_id,
        "message_created_at": _stamped(batch.message_created_at),
        "funding": _money(batch.funding_minor, currency),
        "remainder": _money(batch.remainder_minor, currency),
        "error": _fault(batch.fault),
        "created_at": _stamped(batch.created_at),
        "updated_at": _stamped(batch.updated_at),
    }
    return body if progress is None else {**body, "progress": _progress(progress, currency)}


def line_shown(one: LineStanding, batch: Batch) -> dict[str, Any]:
    """A line of the batch as the API writes it, with the fields at fault in the words of its form."""
    currency = batch.source_currency
    target = one.target_currency
    return {
        "line": one.line,
        "file_line": one.file_line,
        "status": str(_status(one.state)),
        "transfer_id": one.transfer_id,
        "recipient_id": one.recipient_id,
        "payer_id": one.payer_id,
        "source": _money(one.source_minor, currency),
        "target": None if target is None else _money(one.payout_minor, target),
        "reason_code": one.reason_code,
        "reason": reason_in_words(one.reason_code),
        "scheme_reference": one.scheme_reference,
        "metadata": dict(one.metadata),
        "error": _fault(one.fault, in_csv=batch.format == "csv"),
    }


def wanted_of(status: LineStatus) -> Wanted:
    """The states, of lines and of payments, that are shown so."""
    return Wanted(
        [str(state) for state, shown_as in _OF_LINES.items() if shown_as is status],
        [
            str(state)
            for state in PaymentState
            if str(public_payment(state)) == status and status not in _OF_LINES.values()
        ],
    )


def csv_of(rows: Sequence[Mapping[str, Any]], next_cursor: str | None) -> Response:
    """Lines as CSV, amounts and errors in columns of their own; the cursor to the next page is in a header."""
    columns = (
        "line", "file_line", "status", "transfer_id", "recipient_id", "payer_id", "source", "source_currency", "target", "target_currency",
         "reason_code", "reason", "scheme_reference", "error_code", "error_pointer", "error_detail",
    )  # fmt: skip
    lines = []
    for row in rows:
        source, target, error = row["source"] or {}, row["target"] or {}, row["error"] or {}
        lines.append(
            [row["line"], row["file_line"], row["status"], row["transfer_id"], row["recipient_id"], row["payer_id"], source.get("value"),
             source.get("currency"), target.get("value"), target.get("currency"), row["reason_code"], row["reason"], row["scheme_reference"],
             error.get("code"), error.get("pointer"), error.get("detail")]
        )  # fmt: skip
    headers = {NEXT_CURSOR: next_cursor} if next_cursor is not None else {}
    return Response(write_rows(columns, lines), 200, headers, "text/csv; charset=utf-8")


def _progress(progress: Sequence[Standing], currency: str) -> list[dict[str, Any]]:
    sums: dict[LineStatus, tuple[int, int]] = {}
    for one in progress:
        status = _status(one.state)
        count, source = sums.get(status, (0, 0))
        sums[status] = (count + one.count, source + one.source_minor)
    return [
        {"status": str(status), "lines": sums[status][0], "source": money(sums[status][1], currency)}
        for status in LineStatus
        if status in sums
    ]


def _status(state: str) -> LineStatus:
    of_line = _OF_LINES.get(LineState(state)) if state in LineState.__members__ else None
    return of_line or LineStatus(str(public_payment(PaymentState(state))))


def _fault(fault: Fault | None, *, in_csv: bool = False) -> dict[str, Any] | None:
    if fault is None:
        return None
    errors = (
        [{**one, "pointer": _said(one.get("pointer"), in_csv)} for one in fault.errors]
        if len(fault.errors) > 1
        else None
    )
    return {"code": fault.code, "detail": fault.detail, "pointer": _said(fault.pointer, in_csv), "errors": errors}


def _said(pointer: str | None, in_csv: bool) -> str | None:
    return csv_pointer(pointer) if in_csv and pointer is not None else pointer


def _money(minor: int | None, currency: str) -> dict[str, str] | None:
    return None if minor is None else money(minor, currency)


def _stamped(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
