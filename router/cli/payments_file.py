"""A file of payments: its columns, and each line as a payment or as a refusal with its line and reason. Pure.

What can be told from the line alone is checked here, by the cells' own rules, before anything is sent: amounts, currencies,
account numbers, what is missing. The rest the API says. A refusal never repeats the value at fault.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells.kit.money import currency_of, parse_amount
from cells.rails.accounts import parse_account
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
    "recipient_iban": "where accounts have one, such as those in EUR",
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


class FileInvalid(KovraError):
    """The file as a whole; nothing of it was paid."""

    code = "file-invalid"
    status = 422
    title = "The file of payments cannot be read"


@dataclass(frozen=True)
class Payment:
    """One line. `fixed` is (side, value): what leaves the wallet, or what arrives. `payer` and `recipient` as the API takes them."""

    line: int
    reference: str
    source_currency: str
    target_currency: str
    fixed: tuple[str, str]
    payer: Mapping[str, object]
    recipient: Mapping[str, object]
    digest: str


@dataclass(frozen=True)
class BadLine:
    """A line that is not sent, with the reason. `code` is that of the failure, `column` the one at fault if it is one."""

    line: int
    reference: str
    code: str
    reason: str
    column: str | None = None


class _Bad(KovraError):
    """This line cannot be paid as it stands."""

    code = "line-invalid"
    title = "The line cannot be paid as it stands"


def read_payments(content: bytes) -> list[Payment | BadLine]:
    """Every line that is not empty, in order. Raises FileInvalid."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileInvalid("It is not UTF-8 text; save it as CSV UTF-8.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    _check_columns(reader.fieldnames or ())
    seen: dict[str, int] = {}
    found: list[Payment | BadLine] = []
    try:
        for row in reader:
            found.append(_line(reader.line_num, row, seen))
            if len(found) > LINES_MAX:
                raise FileInvalid(f"It has more than {LINES_MAX:,} lines; split it.")
    except csv.Error as error:
        raise FileInvalid(f"Line {reader.line_num} is not CSV: {error}.") from None
    if not found:
        raise FileInvalid("It has no line but the first.")
    return found


def _check_columns(names: Sequence[str]) -> None:
    given = [name.strip() for name in names]
    if missing := [name for name in _NEEDED if name not in given]:
        raise FileInvalid(f"Its first line must name the columns; {', '.join(missing)} is missing.")
    if unknown := sorted(set(given) - set(COLUMNS)):
        raise FileInvalid(f"There is no column {', '.join(unknown)}; `kovra pay --help` lists them all.")
    if len(set(given)) != len(given):
        raise FileInvalid("A column stands in the first line twice.")


def _line(number: int, row: Mapping[str | None, str | list[str] | None], seen: dict[str, int]) -> Payment | BadLine:
    fields = {
        str(name).strip(): value.strip() for name, value in row.items() if isinstance(value, str) and value.strip()
    }
    reference = fields.get("reference", "")
    try:
        if None in row:
            raise _Bad("It has more fields than the first line; a text with a comma needs quotes.")
        digest = hashlib.sha256("\n".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()).hexdigest()
        if digest in seen:
            raise _Bad(
                f"It is the same as line {seen[digest]}; a second payment needs another reference.",
                pointer="/reference",
            )
        payment = _payment(number, fields, digest)
        seen[digest] = number
        return payment
    except KovraError as error:
        column = error.pointer.removeprefix("/") if error.pointer else None
        return BadLine(number, reference, error.code, error.detail, column)


def _payment(number: int, fields: Mapping[str, str], digest: str) -> Payment:
    for name in _NEEDED:
        if name not in fields:
            raise _Bad(f"{name} is empty.", pointer=f"/{name}")
    source = currency_of(fields["source_currency"], "/source_currency").code
    target = currency_of(fields["target_currency"], "/target_currency").code
    given = [side for side in ("amount", "target_amount") if side in fields]
    if len(given) != 1:
        raise _Bad("Give amount (what leaves) or target_amount (what arrives), one of them.", pointer="/amount")
    [side] = given
    parse_amount(fields[side], source if side == "amount" else target, f"/{side}")
    account = _group(fields, "recipient", _ACCOUNT)
    parse_account(target, account, "/recipient")
    return Payment(
        line=number,
        reference=fields["reference"],
        source_currency=source,
        target_currency=target,
        fixed=("source" if side == "amount" else "target", fields[side]),
        payer=_party(fields, "payer"),
        recipient={**_party(fields, "recipient"), "currency": target, "account": account},
        digest=digest,
    )


def _party(fields: Mapping[str, str], who: str) -> dict[str, object]:
    party: dict[str, object] = {"name": fields[f"{who}_name"], **_group(fields, who, _PLAIN)}
    if address := _group(fields, who, _ADDRESS):
        party["address"] = address
    if document := _group(fields, f"{who}_document", _DOCUMENT):
        party["document"] = document
    return party


def _group(fields: Mapping[str, str], prefix: str, names: Sequence[str]) -> dict[str, str]:
    return {name: fields[f"{prefix}_{name}"] for name in names if f"{prefix}_{name}" in fields}
