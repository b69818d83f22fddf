"""A file of payments: its columns, and each line as a payment or as a refusal with its line and everything wrong with it. Pure.

What can be told from the line alone is checked here, by the cells' own rules, before anything is sent: amounts, currencies,
account numbers, what is missing. The rest the API says. A refusal names the column and never repeats the value at fault.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cells.kit.csv_text import CsvInvalid, Row, read_rows
from cells.kit.money import currency_of, parse_amount
from cells.rails.accounts import account_fields, check_reach, form_of, parse_account
from cells.rails.profile_files import rail_profiles
from residency.errors import KovraError

# Every column there is, with what it holds; those marked * are needed in every line.
COLUMNS: Mapping[str, str] = {
    "reference": "* your own, told to the recipient; no two lines may be the same throughout",
    "source_currency": "* the wallet that pays, such as EUR",
    "amount": "what leaves the wallet, fees included, such as 1250.00; this or target_amount",
    "target_amount": "what arrives; this or amount",
    "target_currency": "* of the recipient's account",
    "payer_name": "* on whose behalf you pay",
    "payer_kind": "person (default) or business",
    "payer_street": "",
    "payer_building_number": "",
    "payer_post_code": "",
    "payer_town": "needed for an address",
    "payer_country": "needed for an address: ISO 3166-1, two letters",
    "payer_customer_number": "yours",
    "payer_document_type": "national_id, passport, driving_licence, company_registration",
    "payer_document_number": "",
    "payer_document_country": "",
    "payer_date_of_birth": "2000-12-31",
    "payer_place_of_birth": "",
    "payer_country_of_birth": "",
    "payer_lei": "of a business",
    "recipient_name": "* as the bank account has it",
    "recipient_kind": "person (default) or business",
    "recipient_iban": "where accounts have one, such as those in EUR; in place of the next two in GBP",
    "recipient_bic": "may be left out",
    "recipient_sort_code": "for GBP, with the account number",
    "recipient_bank_code": "for IDR, with the account number",
    "recipient_account_number": "",
    "recipient_street": "",
    "recipient_post_code": "",
    "recipient_town": "",
    "recipient_country": "",
}
_NEEDED = tuple(name for name, about in COLUMNS.items() if about.startswith("*"))
_ACCOUNT = ("iban", "bic", "sort_code", "bank_code", "account_number")
_ADDRESS = ("street", "building_number", "post_code", "town", "country")
_DOCUMENT = ("type", "number", "country")
_PLAIN = ("kind", "customer_number", "date_of_birth", "place_of_birth", "country_of_birth", "lei")
LINES_MAX = 100_000
FILE_BYTES_MAX = 32 * 1024 * 1024


class FileInvalid(KovraError):
    """The file as a whole; nothing of it was paid."""

    code = "file-invalid"
    status = 422
    title = "The file of payments cannot be read"


@dataclass(frozen=True)
class Payment:
    """One line. `fixed` is (side, value): what leaves the wallet, or what arrives. `payer` and `recipient` as the API takes them.
    `digest`: of what it pays, however that is written."""

    line: int
    reference: str
    source_currency: str
    target_currency: str
    fixed: tuple[str, str]
    payer: Mapping[str, object]
    recipient: Mapping[str, object]
    digest: str


@dataclass(frozen=True)
class LineFault:
    """`column`: of the file, None where the fault is of the line."""

    code: str
    reason: str
    column: str | None = None


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
    if len(content) > FILE_BYTES_MAX:
        raise FileInvalid(f"It is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; split it.")
    try:
        rows = read_rows(content, list(COLUMNS), _NEEDED, LINES_MAX)
    except CsvInvalid as error:
        raise FileInvalid(error.detail) from None
    seen: dict[str, int] = {}
    return [_line(row, seen) for row in rows]


def column_of(pointer: str, prefix: str = "") -> str | None:
    """The column that a JSON pointer of the API speaks of, in the body of the party whose columns begin with `prefix`, or in that of a quote
    or a transfer; None where there is none."""
    parts = [one for one in pointer.split("/") if one not in ("", "account", "address", "value")]
    if not prefix and parts[:1] == ["source"]:
        return "source_currency" if "currency" in parts else "amount"
    if not prefix and parts[:1] == ["target"]:
        return "target_currency" if "currency" in parts else "target_amount"
    name = "_".join([prefix, *parts] if prefix else parts)
    if name == "recipient_currency":
        return "target_currency"
    return name if name in COLUMNS else None


def _line(row: Row, seen: dict[str, int]) -> Payment | BadLine:
    fields = {name: _composed(value) for name, value in row.cells.items()}
    found = _Found(row)
    payment = _payment(row.line, fields, found)
    if payment is not None and (first := seen.setdefault(payment.digest, row.line)) != row.line:
        found.add(_Bad(f"It is the same as line {first}; a second payment needs another reference."), "reference")
    if payment is None or found.faults:
        return BadLine(row.line, fields.get("reference", ""), tuple(found.faults))
    return payment


def _composed(text: str) -> str:
    """In one form, whatever program wrote it: composed letters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


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
    side = _side(fields, found)
    held_in = source if side == "amount" else target
    minor = None
    if side is not None and held_in is not None:
        minor = found.tried(lambda: parse_amount(fields[side], held_in), side)
    account = None if target is None else _account(fields, target, found)
    if (
        minor is None
        or account is None
        or source is None
        or target is None
        or any(one not in fields for one in _NEEDED)
    ):
        return None
    assert side is not None
    payer, recipient = _party(fields, "payer"), {**_party(fields, "recipient"), "currency": target, "account": account}
    paid = (fields["reference"], source, target, side, minor, sorted(payer.items()), sorted(recipient.items()))
    return Payment(
        line=number,
        reference=fields["reference"],
        source_currency=source,
        target_currency=target,
        fixed=("source" if side == "amount" else "target", fields[side]),
        payer=payer,
        recipient=recipient,
        digest=hashlib.sha256(repr(paid).encode()).hexdigest(),
    )


def _currency(fields: Mapping[str, str], name: str, found: _Found) -> str | None:
    if name not in fields:
        return None
    return found.tried(lambda: currency_of(fields[name]).code, name)  # type: ignore[no-any-return]


def _side(fields: Mapping[str, str], found: _Found) -> str | None:
    given = [side for side in ("amount", "target_amount") if side in fields]
    if len(given) == 1:
        return given[0]
    found.add(_Bad("Give amount (what leaves) or target_amount (what arrives), one of them."), "amount")
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
    party: dict[str, object] = {"name": fields[f"{who}_name"], **_group(fields, who, _PLAIN)}
    if address := _group(fields, who, _ADDRESS):
        party["address"] = address
    if document := _group(fields, f"{who}_document", _DOCUMENT):
        party["document"] = document
    return party


def _group(fields: Mapping[str, str], prefix: str, names: Sequence[str]) -> dict[str, str]:
    return {name: fields[f"{prefix}_{name}"] for name in names if f"{prefix}_{name}" in fields}
