"""A file of payments: each line as a payment or as a refusal with its line and everything wrong with it. Pure.

What can be told from the line alone is checked here, by the cells' own rules, before anything is sent: amounts, currencies,
account numbers, what is missing. The rest the API says. A refusal names the column and never repeats the value at fault.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cells.batches.batch import LINES_MAX as BATCH_LINES_MAX
from cells.batches.columns import (
    COLUMNS,
    METADATA,
    PAYER,
    RECIPIENT,
    metadata_of,
    read_payment_rows,
)
from cells.kit.csv_text import CsvInvalid, Row
from cells.kit.money import currency_of, parse_amount
from cells.rails.accounts import account_fields, check_reach, form_of, parse_account
from cells.rails.profile_files import rail_profiles
from residency.errors import KovraError
from router.api.field_words import words_of
from router.api.shapes import PaymentDate

_NEEDED = ("reference", "source_currency", "target_currency")
_SIDES = ("source_amount", "target_amount")
_ACCOUNT = ("iban", "bic", "sort_code", "bank_code", "account_number")
_ADDRESS = ("street", "building_number", "post_code", "town", "country")
_DOCUMENT = ("type", "number", "country")
_PLAIN = ("kind", "customer_number", "date_of_birth", "place_of_birth", "country_of_birth", "lei")
LINES_MAX = 100_000
FILE_BYTES_MAX = 32 * 1024 * 1024
_DATE: TypeAdapter[datetime] = TypeAdapter(PaymentDate)


class FileInvalid(KovraError):
    """The file as a whole; nothing of it was paid."""

    code = "file-invalid"
    status = 422
    title = "The file of payments cannot be read"


Who = str | Mapping[str, object]
"""A party: its id, or what registers it, as the API takes that."""


@dataclass(frozen=True)
class Payment:
    """One line. `fixed` is (side, value): what leaves the wallet, or what arrives. `digest`: of what it pays, however that is written."""

    line: int
    reference: str
    source_currency: str
    target_currency: str
    fixed: tuple[str, str]
    payer: Who
    recipient: Who
    metadata: Mapping[str, str]
    deadline: datetime | None
    digest: str


@dataclass(frozen=True)
class LineFault:
    """`column`: of the file, None where the fault is of the line."""

    code: str
    reason: str
    column: str | None = None


@dataclass(frozen=True)
class BatchRow:
    """One line of a batch. A party that the line does not name is "": of a payer, the batch's own. `faults`: of its parties or of the row as
    a row; the API finds the others."""

    row: Row
    payer: Who
    recipient: Who
    faults: tuple[LineFault, ...]


@dataclass(frozen=True)
class BadLine:
    line: int
    reference: str
    faults: tuple[LineFault, ...]


class _Bad(KovraError):
    code = "line-invalid"
    status = 422
    title = "The line cannot be paid as it stands"


def read_payments(content: bytes) -> list[Payment | BadLine]:
    """Every line that is not empty, in order. Raises FileInvalid."""
    rows = _rows(content, _NEEDED, LINES_MAX)
    seen: dict[str, int] = {}
    return [_line(row, seen) for row in rows]


def read_batch(content: bytes) -> list[BatchRow]:
    """Every line that is not empty, in order. Raises FileInvalid."""
    return [_batch_row(row) for row in _rows(content, ("target_currency",), BATCH_LINES_MAX)]


def _rows(content: bytes, needed: Sequence[str], rows_max: int) -> list[Row]:
    if len(content) > FILE_BYTES_MAX:
        raise FileInvalid(f"It is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; split it.")
    try:
        return read_payment_rows(content, needed, rows_max)
    except CsvInvalid as error:
        raise FileInvalid(error.detail) from None


def _batch_row(row: Row) -> BatchRow:
    cells, found = row.cells, _Found(row)
    payer = _who(cells, "payer", found, lambda: _party(cells, "payer"))
    recipient = _who(
        cells, "recipient", found, lambda: _recipient(cells, _currency(cells, "target_currency", found), found)
    )
    return BatchRow(row, payer or "", recipient or "", tuple(found.faults))


def column_of(pointer: str, prefix: str = "") -> str | None:
    """The column that a JSON pointer of the API speaks of, in the body of the party whose columns begin with `prefix`, or in that of a quote
    or a transfer; None where there is none."""
    parts = [one for one in pointer.split("/") if one not in ("", "account", "address", "value")]
    if not prefix and parts[:1] == ["source"]:
        return "source_currency" if "currency" in parts else "source_amount"
    if not prefix and parts[:1] == ["target"]:
        return "target_currency" if "currency" in parts else "target_amount"
    if not prefix and parts[:1] == ["metadata"] and len(parts) > 1:
        return f"{METADATA}{parts[1]}"
    name = "_".join([prefix, *parts] if prefix else parts)
    if name == "recipient_currency":
        return "target_currency"
    return name if name in COLUMNS else None


def _line(row: Row, seen: dict[str, int]) -> Payment | BadLine:
    found = _Found(row)
    payment = _payment(row.line, row.cells, found)
    if payment is not None and (first := seen.setdefault(payment.digest, row.line)) != row.line:
        found.add(_Bad(f"It is the same as line {first}; a second payment needs another reference."), "reference")
    if payment is None or found.faults:
        return BadLine(row.line, row.cells.get("reference", ""), tuple(found.faults))
    return payment


class _Found:
    """Collects what is wrong with a line."""

    def __init__(self, row: Row) -> None:
        self.faults = [] if row.fault is None else [LineFault(_Bad.code, row.fault)]

    def add(self, error: KovraError, column: str | None) -> None:
        self.faults.append(LineFault(error.code, error.detail, column))

    def tried(self, make: Callable[[], Any], column: str, prefix: str = "") -> Any:
        """What `make` gives; None where it fails, with the failure noted for the column that it names, else `column`."""
        try:
            return make()
        except KovraError as error:
            self.add(error, column_of(error.pointer or "", prefix) or column)
            return None


def _payment(number: int, fields: Mapping[str, str], found: _Found) -> Payment | None:
    for name in _NEEDED:
        if name not in fields:
            found.add(_Bad("It is empty."), name)
    source, target = (_currency(fields, name, found) for name in ("source_currency", "target_currency"))
    payer = _who(fields, "payer", found, lambda: _party(fields, "payer"), needed=True)
    side = _side(fields, found)
    held_in = source if side == "source_amount" else target
    minor = None
    if side is not None and held_in is not None:
        minor = found.tried(lambda: parse_amount(fields[side], held_in), side)
    deadline = _deadline(fields, found)
    recipient = _who(fields, "recipient", found, lambda: _recipient(fields, target, found), needed=True)
    if found.faults or minor is None or source is None or target is None or payer is None or recipient is None:
        return None
    assert side is not None
    metadata = metadata_of(fields)
    more = [deadline, sorted(metadata.items())]
    paid = (fields["reference"], source, target, side, minor, _spelt(payer), _spelt(recipient), *more)
    return Payment(
        line=number,
        reference=fields["reference"],
        source_currency=source,
        target_currency=target,
        fixed=("source" if side == "source_amount" else "target", fields[side]),
        payer=payer,
        recipient=recipient,
        metadata=metadata,
        deadline=deadline,
        digest=hashlib.sha256(repr(paid).encode()).hexdigest(),
    )


def _spelt(who: Who) -> object:
    return who if isinstance(who, str) else sorted(who.items())


def _deadline(fields: Mapping[str, str], found: _Found) -> datetime | None:
    if "deadline" not in fields:
        return None
    try:
        return _DATE.validate_python(fields["deadline"])
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        said = words_of(fault["type"], fault["msg"], fault.get("ctx"))
        found.add(_Bad(f"{said[:1].upper()}{said[1:]}."), "deadline")
        return None


def _who(
    fields: Mapping[str, str], who: str, found: _Found, described: Callable[[], Who | None], *, needed: bool = False
) -> Who | None:
    """None where there is none or it is at fault."""
    named, name = fields.get(f"{who}_id"), f"{who}_name"
    given = [one for one in (PAYER if who == "payer" else RECIPIENT) if one in fields]
    if named is not None and given:
        found.add(_Bad(f"Give this or {', '.join(given)}, not both."), f"{who}_id")
        return None
    if named is not None or not (given or needed):
        return named
    if name not in fields:
        found.add(_Bad(f"It is empty, and so is {who}_id."), name)
    party = described()
    return party if name in fields else None


def _recipient(fields: Mapping[str, str], target: str | None, found: _Found) -> Who | None:
    account = None if target is None else _account(fields, target, found)
    if account is None:
        return None
    return {**_party(fields, "recipient"), "currency": target, "account": account}


def _currency(fields: Mapping[str, str], name: str, found: _Found) -> str | None:
    if name not in fields:
        return None
    return found.tried(lambda: currency_of(fields[name]).code, name)  # type: ignore[no-any-return]


def _side(fields: Mapping[str, str], found: _Found) -> str | None:
    given = [side for side in _SIDES if side in fields]
    if len(given) == 1:
        return given[0]
    found.add(_Bad("Give this (what leaves) or target_amount (what arrives), one of them."), "source_amount")
    return None


def _account(fields: Mapping[str, str], currency: str, found: _Found) -> dict[str, str] | None:
    """In the one form that it has, however the file writes it, without a BIC that the file does not name."""
    given = _group(fields, "recipient", _ACCOUNT)

    def checked() -> dict[str, str]:
        form_of(currency, "/currency")
        account = parse_account(currency, given)
        check_reach(account, currency, rail_profiles().values())
        return {name: one for name, one in account_fields(account).items() if name != "bic" or name in given}

    return found.tried(checked, "recipient_account_number", "recipient")  # type: ignore[no-any-return]


def _party(fields: Mapping[str, str], who: str) -> dict[str, object]:
    party: dict[str, object] = {"name": fields.get(f"{who}_name", ""), **_group(fields, who, _PLAIN)}
    if address := _group(fields, who, _ADDRESS):
        party["address"] = address
    if document := _group(fields, f"{who}_document", _DOCUMENT):
        party["document"] = document
    return party


def _group(fields: Mapping[str, str], prefix: str, names: Sequence[str]) -> dict[str, str]:
    return {name: fields[f"{prefix}_{name}"] for name in names if f"{prefix}_{name}" in fields}
