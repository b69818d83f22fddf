"""A batch as it comes in JSON: its head, and each line as a wish or as a fault (batch_csv.py: in CSV). Pure.

Invariants: what spoils the whole (its form, its number of lines) refuses it; what spoils one line is told of that line, by its number and
the field, and the others stand. No fault quotes what a line says. Both forms of a line are one model, so they are checked alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from cells.batches.batch import LINES_MAX, Fault
from cells.fx.pricing import Side
from cells.kit.money import CURRENCIES, InvalidAmount, parse_amount
from cells.rails.remittance import Remittance
from residency.classes import Confidential, Personal, Public
from residency.errors import KovraError
from router.api.problems import invalid
from router.api.shapes import (
    RECIPIENT_EXAMPLE,
    CurrencyCode,
    Flag,
    IdText,
    MetadataKey,
    MetadataValue,
    MoneyNew,
    PaymentDate,
    RemittanceText,
    Shape,
    minor_of,
    read,
)


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
    source: Annotated[MoneyNew | None, Confidential] = None
    target_currency: Annotated[CurrencyCode | None, Public] = None
    target: Annotated[MoneyNew | None, Confidential] = None
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
                            "recipient_id": RECIPIENT_EXAMPLE,
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


def read_head(body: bytes) -> BatchNew:
    """Raises BodyNotJson, InvalidRequest."""
    return read(BatchNew, body)


def read_lines(lines: Sequence[object], currency: str, payer_id: str | None) -> list[ReadLine]:
    """The lines of a JSON batch, in order; `currency`: of the wallet that pays, `payer_id`: for lines that name none."""
    return [read_line(one, currency, payer_id) for one in lines]


def read_line(given: object, currency: str, payer_id: str | None) -> ReadLine:
    """One line in the form of JSON: what it asks for, or every fault of it."""
    try:
        asked = BatchLineNew.model_validate(given)
    except ValidationError as error:
        return _fault([invalid(error, BatchLineNew), *_amounts(given)])
    payer, found = asked.payer_id or payer_id, []
    if payer is None:
        found.append(BatchFileInvalid("It names no payer, and nor does the batch.", pointer="/payer_id"))
    try:
        side, amount_minor, target = _fixed(asked, currency)
    except KovraError as error:
        return _fault([*found, error])
    if payer is None:
        return _fault(found)
    return Wished(
        asked.recipient_id, payer, side, amount_minor, target, asked.metadata, asked.deadline,
        None if asked.reference is None else Remittance(text=asked.reference),
    )  # fmt: skip


def _amounts(given: object) -> list[KovraError]:
    """What is wrong with the amounts of a line that has other faults, as far as their currencies are known."""
    found: list[KovraError] = []
    for name in ("source", "target"):
        money = given.get(name) if isinstance(given, dict) else None
        value, code = (money.get("value"), money.get("currency")) if isinstance(money, dict) else (None, None)
        if isinstance(value, str) and isinstance(code, str) and code in CURRENCIES:
            try:
                parse_amount(value, code, f"/{name}/value")
            except InvalidAmount as error:
                found.append(error)
    return found


def _fault(found: Sequence[KovraError]) -> Fault:
    errors = [
        one
        for error in found
        for one in error.extra.get("errors", ({"detail": error.detail, "pointer": error.pointer or ""},))
    ]
    return replace(Fault.of(found[0]), errors=errors)


def _fixed(asked: BatchLineNew, currency: str) -> tuple[Side, int, str]:
    """(side, minor units, target currency)."""
    if asked.target is not None:
        return "target", minor_of(asked.target, "/target"), asked.target.currency
    assert asked.source is not None
    assert asked.target_currency is not None
    if asked.source.currency != currency:
        raise InvalidAmount(f"The wallet of the batch holds {currency}.", pointer="/source/currency")
    return "source", minor_of(asked.source, "/source"), asked.target_currency
