"""The columns of a file of payments in CSV, and its rows: one form for `kovra pay`, `kovra batch submit` and `POST /v1/batches`. Pure.

The README of this folder has the same table for readers; a test compares the two.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cells.kit.csv_text import Row, read_rows

COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reference": "your own, which the recipient's bank shows; `pay` needs it, and no two of its lines may be the same throughout",
        "source_currency": "of the wallet that pays, such as EUR; `pay` needs it, a batch has one wallet and takes no other currency",
        "source_amount": "what leaves the wallet, such as 1250.00 (in `pay`, fees included); this or target_amount",
        "target_amount": "what arrives; this or source_amount",
        "target_currency": "of the recipient's account; every line needs it",
        "deadline": "by when the money must arrive, such as 2026-12-31T17:00:00Z",
        "payer_id": "on whose behalf you pay; this or payer_name and what follows it. A batch may name one for all lines",
        "payer_name": "registers a payer, in the region of source_currency",
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
        "recipient_id": "who is paid; this or recipient_name and what follows it",
        "recipient_name": "as the bank account has it; registers a recipient, in the region of target_currency",
        "recipient_kind": "person (default) or business",
        "recipient_iban": "where accounts have one, such as those in EUR; in place of sort code and number in GBP",
        "recipient_bic": "may be left out",
        "recipient_sort_code": "for GBP, with the account number",
        "recipient_bank_code": "for IDR, with the account number",
        "recipient_account_number": "",
        "recipient_street": "",
        "recipient_post_code": "",
        "recipient_town": "",
        "recipient_country": "",
    }
)
"""Every column but metadata.<key>, with what it holds."""

METADATA: Final = "metadata."
METADATA_ABOUT: Final = "yours, a column for each key; answers and events of the transfer have it"
PAYER: Final = tuple(name for name in COLUMNS if name.startswith("payer_") and name != "payer_id")
RECIPIENT: Final = tuple(name for name in COLUMNS if name.startswith("recipient_") and name != "recipient_id")
PERSONS: Final = PAYER + RECIPIENT
"""What describes a person or a business. The API takes ids alone."""


def read_payment_rows(content: bytes, needed: Sequence[str], rows_max: int) -> list[Row]:
    """The rows of a file whose header names all of `needed`. Every text is in one form, whatever program wrote it (composed letters, single
    spaces); metadata stays as it is. Raises CsvInvalid."""
    return [_composed(row) for row in read_rows(content, list(COLUMNS), needed, rows_max, is_metadata)]


def is_metadata(name: str) -> bool:
    return name.startswith(METADATA) and name != METADATA


def metadata_of(cells: Mapping[str, str]) -> dict[str, str]:
    """By key."""
    return {name.removeprefix(METADATA): value for name, value in cells.items() if is_metadata(name)}


def _composed(row: Row) -> Row:
    texts = {
        name: value if is_metadata(name) else " ".join(unicodedata.normalize("NFC", value).split())
        for name, value in row.cells.items()
    }
    return replace(row, cells={name: text for name, text in texts.items() if text})
