"""What a partner tells about a recipient or a payer, every field classed.

`…New` is the request, `…Details` the part that only the vault keeps, and `Recipient` and `Payer` the resource
that is shown to the tenant who created it, inside its region.
"""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.fields import FieldInfo

from cells.rails.rail import NameResult
from residency.classes import Confidential, Personal, Public

PartyKind = Literal["person", "business"]
PartyStatus = Literal["active", "in_review", "blocked", "deleted"]
BIRTH_YEAR_MIN = 1900
_FREE_LINES_MAX = 2


def _printable(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs") for sign in text):
        raise ValueError("it holds control or unassigned characters")
    return text


def _named(text: str) -> str:
    if not any(sign.isalpha() for sign in text):
        raise ValueError("a name has at least one letter")
    return " ".join(_printable(text).split())


def _past(day: date) -> date:
    if day.year < BIRTH_YEAR_MIN or day > datetime.now(UTC).date():
        raise ValueError(f"a date of birth lies between {BIRTH_YEAR_MIN} and today")
    return day


def _asked(label: str, *examples: str | list[str]) -> FieldInfo:
    """What a form says of a field, and what it shows there: for a person first, then for a business where that differs."""
    field: FieldInfo = Field(title=label, examples=list(examples) or None)
    return field


def _stripped(length: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=length)


# The length is counted without the spaces around the text; this is how the document says that something else must be there.
_NOT_ONLY_SPACE = Field(json_schema_extra={"pattern": r"\S"})
# ISO 20022 lengths: names Max140Text, address lines Max70Text, places Max35Text, codes Max35Text.
Name = Annotated[str, _stripped(140), AfterValidator(_named), _NOT_ONLY_SPACE]
Line = Annotated[str, _stripped(70), AfterValidator(_printable), _NOT_ONLY_SPACE]
Word = Annotated[str, _stripped(35), AfterValidator(_printable), _NOT_ONLY_SPACE]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Lei = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{18}[0-9]{2}$")]
Digits = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]
BirthDate = Annotated[date, AfterValidator(_past)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Address(_Data):
    """A postal address in the structured or the hybrid form of ISO 20022 (PostalAddress24); `country` is ISO 3166-1
    alpha-2. `lines`: what has no field of its own."""

    street: Annotated[Line | None, Personal, _asked("Street", "Storgatan")] = None
    building_number: Annotated[Word | None, Personal, _asked("Building number", "12")] = None
    post_code: Annotated[Word | None, Personal, _asked("Postal code", "22350")] = None
    town: Annotated[Word, Personal, _asked("Town", "Lund")]
    sub_division: Annotated[Word | None, Personal, _asked("State or province")] = None
    country: Annotated[Country, Personal, _asked("Country (ISO 3166-1 alpha-2)", "SE")]
    lines: Annotated[
        tuple[Line, ...], Field(max_length=_FREE_LINES_MAX), Personal, _asked("Address lines", ["Gate B, 3rd floor"])
    ] = ()

    @model_validator(mode="after")
    def _carried(self) -> Self:
        if self.lines and len(self.in_lines) > _FREE_LINES_MAX:
            raise ValueError(f"of street, lines and sub_division at most {_FREE_LINES_MAX} are carried")
        return self

    @property
    def in_lines(self) -> tuple[str, ...]:
        """All but postal code, town and country: the free lines of ISO 20022's hybrid form."""
        street = " ".join(part for part in (self.street, self.building_number) if part)
        return tuple(part for part in (street, *self.lines, self.sub_division) if part)


class BankAccount(_Data):
    """An account as its own country writes it: `iban` (EUR), `sort_code` with `account_number` or
    a GB `iban` (GBP), or `bank_code` with `account_number` (IDR). Spaces and dashes do not count. It is stored,
    and shown, in one form, however it was written."""

    iban: Annotated[Digits | None, Personal] = None
    bic: Annotated[Annotated[str, StringConstraints(max_length=64)] | None, Confidential] = None
    sort_code: Annotated[Digits | None, Confidential] = None
    bank_code: Annotated[Digits | None, Confidential] = None
    account_number: Annotated[Digits | None, Personal] = None


class Document(_Data):
    """An official personal document, or the registration of a company, with the country that issued it."""

    type: Annotated[
        Literal["national_id", "passport", "driving_licence", "company_registration"],
        Personal,
        _asked("Kind of document", "passport", "company_registration"),
    ]
    number: Annotated[Word, Personal, _asked("Number", "P-88231177", "556677-8899")]
    country: Annotated[Country, Personal, _asked("Issued by (ISO 3166-1 alpha-2)", "SE")]


class RecipientNew(_Data):
    """A request to register whoever is to be paid, in the region of the bank account."""

    kind: Annotated[PartyKind, Confidential, _asked("Person or business", "person", "business")] = "person"
    currency: Annotated[CurrencyCode, Confidential, _asked("Currency of the account")]
    name: Annotated[Name, Personal, _asked("Name, as the account is held", "Siti Rahmawati", "PT Kopi Nusantara")]
    account: Annotated[BankAccount, Personal, _asked("Bank account")]
    address: Annotated[Address | None, Personal, _asked("Address")] = None
    lei: Annotated[Lei | None, Personal, _asked("Legal entity identifier (ISO 17442)", "5493001KJTIIGC8Y1R12")] = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_lei(self.lei, self.kind)
        return self


class RecipientDetails(_Data):
    """What the vault keeps of a recipient; `account` is in the one canonical form that the rails use."""

    kind: Annotated[PartyKind, Confidential]
    name: Annotated[Name, Personal]
    account: Annotated[BankAccount, Personal]
    address: Annotated[Address | None, Personal] = None
    lei: Annotated[Lei | None, Personal] = None


class NameChecked(_Data):
    """The bank's answer to the name check of this recipient, and when it was asked."""

    result: Annotated[NameResult, Confidential]
    checked_at: Annotated[datetime, Public]


class Recipient(_Data):
    """A registered recipient, as its tenant sees it in its own region. `id` is the signed token that pays
    it."""

    id: Annotated[str, Public]
    kind: Annotated[PartyKind, Confidential]
    currency: Annotated[CurrencyCode, Confidential]
    country: Annotated[Country, Confidential]
    bank: Annotated[str, Confidential]
    status: Annotated[PartyStatus, Public]
    created_at: Annotated[datetime, Public]
    name_check: Annotated[NameChecked | None, Confidential] = None
    details: Annotated[RecipientDetails | None, Personal] = None


class PayerDetails(_Data):
    """What the vault keeps of a payer, and the law may make travel: Regulation (EU) 2023/1113 Art. 4(1)."""

    kind: Annotated[PartyKind, Confidential, _asked("Person or business", "person", "business")] = "person"
    name: Annotated[Name, Personal, _asked("Name", "Astrid Lindqvist-Marker", "Lindqvist Kaffe AB")]
    address: Annotated[Address | None, Personal, _asked("Address")] = None
    document: Annotated[Document | None, Personal, _asked("Official document")] = None
    customer_number: Annotated[Word | None, Personal, _asked("Customer number, as you keep it", "C-10021")] = None
    date_of_birth: Annotated[BirthDate | None, Personal, _asked("Date of birth", "1984-05-17")] = None
    place_of_birth: Annotated[Word | None, Personal, _asked("Town of birth", "Lund")] = None
    country_of_birth: Annotated[Country | None, Personal, _asked("Country of birth (ISO 3166-1 alpha-2)", "SE")] = None
    lei: Annotated[Lei | None, Personal, _asked("Legal entity identifier (ISO 17442)", "5493001KJTIIGC8Y1R12")] = None


class PayerNew(PayerDetails):
    """A request to register on whose behalf the tenant pays, in the region where the money leaves."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_lei(self.lei, self.kind)
        if self.kind == "business" and (self.date_of_birth or self.place_of_birth):
            raise ValueError("a business has no date or place of birth")
        return self


class Payer(_Data):
    """A registered payer, as its tenant sees it in its own region."""

    id: Annotated[str, Public]
    kind: Annotated[PartyKind, Confidential]
    status: Annotated[PartyStatus, Public]
    created_at: Annotated[datetime, Public]
    details: Annotated[PayerDetails | None, Personal] = None


def _check_lei(lei: str | None, kind: PartyKind) -> None:
    """ISO 17442: eighteen characters and two check digits, so that the whole, letters as 10 to 35, is 1
    modulo 97."""
    if lei is None:
        return
    if kind != "business":
        raise ValueError("only a business has an LEI")
    if int(re.sub("[A-Z]", lambda sign: str(ord(sign[0]) - 55), lei)) % 97 != 1:
        raise ValueError("the LEI's check digits do not match")
