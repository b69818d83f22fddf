"""A batch as it comes, in JSON or CSV: its head, and each line as a wish or as a fault. Pure.

Invariants: what spoils the whole (its form, its number of lines) refuses it; what spoils one line is told of that line, by its number and
the field, and the others stand. No fault quotes what a line says. Both forms of a line are one model, so they are checked alike.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from cells.batches.batch import LINES_MAX, Fault
from cells.fx.pricing import Side
from cells.kit.money import InvalidAmount
from cells.rails.remittance import Remittance
from residency.classes import Confidential, Personal, Public
from residency.errors import KovraError
from router.api.problems import invalid
from router.api.shapes import (
    CurrencyCode,
    Flag,
    IdText,
    MetadataKey,
    MetadataValue,
    Money,
    PaymentDate,
    RemittanceText,
    Shape,
    minor_of,
    read,
)

_METADATA = "metadata."
CSV_COLUMNS = (
    "recipient_id", "payer_id", "source_amount", "target_amount", "target_currency", "reference", "deadline",
)  # fmt: skip


class BatchFileInvalid(KovraError):
    """Nothing of it was taken."""

    code = "batch-file-invalid"
    status = 422
    title = "The file cannot be read as a batch"


class BatchLineNew(Shape):
    """One line. `source` with `target_currency` fixes what leaves the wallet, `target` what arrives. `reference` is the text that the
    recipient's bank shows; it is sealed as it arrives. `metadata` is yours, as with a transfer."""

    recipient_id: Annotated[IdText, Public]
    payer_id: Annotated[IdText | None, Public] = Field(None, description="May be left out where the batch names one")
    source: Annotated[Money | None, Confidential] = None
    target_currency: Annotated[CurrencyCode | None, Public] = None
    target: Annotated[Money | None, Confidential] = None
    reference: Annotated[RemittanceText | None, Personal] = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Confidential] = Field(default_factory=dict, max_length=20)
    deadline: Annotated[PaymentDate | None, Public] = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        fixed = (self.source is not None, self.target_currency is not None, self.target is not None)
        if fixed not in ((True, True, False), (False, False, True)):
            raise ValueError("give source and target_currency, or target")
        return self


class BatchNew(Shape):
    """A batch of one wallet. Its lines are checked one by one: a bad one is listed with what is wrong, and stops no other, unless
    `all_or_nothing`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source_wallet_id": "wal_eu1_06l2r0k8q5o7t3v1a9c4e6g8io",
                    "payer_id": "pyr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io",
                    "lines": [
                        {
                            "recipient_id": "rcp_id1_06l2r0k8q5o7t3v1a9c4e6g8io.IDR.…",
                            "target": {"value": "1500000.00", "currency": "IDR"},
                            "reference": "Salary November",
                        }
                    ],
                }
            ]
        }
    )

    source_wallet_id: Annotated[IdText | None, Public] = Field(
        None, description="Which wallet pays; or say it, and the three below, by the parameter of the same name"
    )
    payer_id: Annotated[IdText | None, Public] = Field(None, description="For the lines that name none")
    scheduled_for: Annotated[PaymentDate | None, Public] = Field(None, description="Not before; else at once")
    all_or_nothing: Annotated[Flag | None, Public] = Field(
        None, description="One line that cannot be paid as it stands, and none is; false by default"
    )
    lines: Annotated[list[Any], Personal] = Field(
        min_length=1,
        max_length=LINES_MAX,
        description="Each of the form BatchLineNew (among the schemas of this document), and checked by itself",
    )


@dataclass(frozen=True, slots=True)
class Wished:
    """A line that has the form of one. `remittance` is personal."""

    recipient_id: Annotated[str, Public]
    payer_id: Annotated[str, Public]
    side: Annotated[Side, Public]
    amount_minor: Annotated[int, Confidential]
    target_currency: Annotated[str, Public]
    metadata: Annotated[Mapping[str, str], Confidential] = field(default_factory=dict)
    deadline: Annotated[datetime | None, Public] = None
    remittance: Annotated[Remittance | None, Personal] = field(default=None, repr=False)


ReadLine = Wished | Fault
Row = Mapping[str | Any, str | Any]


def read_head(body: bytes) -> BatchNew:
    """Raises BodyNotJson, InvalidRequest."""
    return read(BatchNew, body)


def read_lines(lines: Sequence[object], currency: str, payer_id: str | None) -> list[ReadLine]:
    """The lines of a JSON batch, in order; `currency`: of the wallet that pays, `payer_id`: for lines that name none."""
    return [_line(one, currency, payer_id) for one in lines]


def read_csv(body: bytes, currency: str, payer_id: str | None) -> list[ReadLine]:
    """The lines of a CSV file with a line of column names. Raises BatchFileInvalid."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BatchFileInvalid("It is not UTF-8 text.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_columns(reader.fieldnames or ())
        found = [_line(_of_row(row, currency), currency, payer_id) for row in _bounded(iter(reader))]
    except csv.Error:
        raise BatchFileInvalid(f"Line {reader.line_num} is not CSV.") from None
    if not found:
        raise BatchFileInvalid("It has no line but the first.")
    return found


def _line(given: object, currency: str, payer_id: str | None) -> ReadLine:
    try:
        asked = BatchLineNew.model_validate(given)
        payer = asked.payer_id or payer_id
        if payer is None:
            raise BatchFileInvalid("It names no payer, and nor does the batch.", pointer="/payer_id")
        return Wished(
            asked.recipient_id, payer, *_fixed(asked, currency), asked.metadata, asked.deadline,
            None if asked.reference is None else Remittance(text=asked.reference),
        )  # fmt: skip
    except ValidationError as error:
        return Fault.of(invalid(error))
    except KovraError as error:
        return Fault.of(error)


def _fixed(asked: BatchLineNew, currency: str) -> tuple[Side, int, str]:
    """(side, minor units, target currency)."""
    if asked.target is not None:
        return "target", minor_of(asked.target, "/target"), asked.target.currency
    assert asked.source is not None
    assert asked.target_currency is not None
    if asked.source.currency != currency:
        raise InvalidAmount(f"The wallet of the batch holds {currency}.", pointer="/source/currency")
    return "source", minor_of(asked.source, "/source"), asked.target_currency


def _bounded(rows: Iterator[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        if number > LINES_MAX:
            raise BatchFileInvalid(f"It has more than {LINES_MAX:,} lines; split it.")
        yield row


def _check_columns(names: Sequence[str]) -> None:
    known = [name for name in names if name in CSV_COLUMNS or name.startswith(_METADATA)]
    if "recipient_id" not in known or len(known) != len(names) or len(set(known)) != len(known):
        raise BatchFileInvalid(
            f"Its first line names the columns, each once: recipient_id, and of {', '.join(CSV_COLUMNS[1:])} and metadata.<key> those"
            " that it has."
        )


def _of_row(row: Row, currency: str) -> dict[str, Any] | None:
    """A row in the form of a JSON line; what is empty is left out. None for one with more fields than there are columns."""
    if None in row:
        return None
    given = {name: value for name, value in row.items() if name is not None and value}
    line: dict[str, Any] = {
        name: given[name] for name in ("recipient_id", "payer_id", "reference", "deadline") if name in given
    }
    target = given.get("target_currency")
    if "source_amount" in given:
        line["source"] = {"value": given["source_amount"], "currency": currency}
    if "target_amount" in given:
        line["target"] = {"value": given["target_amount"], "currency": target}
    elif target is not None:
        line["target_currency"] = target
    metadata = {name.removeprefix(_METADATA): value for name, value in given.items() if name.startswith(_METADATA)}
    return line | ({"metadata": metadata} if metadata else {})
