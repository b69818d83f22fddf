"""A rail's profile: all that is particular to a scheme, as data. Pure.

profile_files.py reads it. Amounts are in minor units, times in seconds. Invariants: a profile has all of its facts and no other, each
with a source; no number of a scheme stands anywhere else.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import time
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cells.kit.money import CURRENCIES, amount_text
from cells.rails.account_forms import AccountForm
from cells.rails.iso20022.reasons import DUPLICATES, pick
from cells.rails.remittance import Carried

CalendarName = Literal["TARGET", "GB", "ID"]
Wire = Literal["iso20022", "snap"]
_AREAS = Path(__file__).with_name("areas.toml")
_Member = TypeVar("_Member")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} is no time zone of the IANA database") from error
    return name


@cache
def areas() -> Mapping[str, list[str]]:
    """Lists of countries that several schemes share, by name."""
    return {name: one["countries"] for name, one in tomllib.loads(_AREAS.read_text("utf-8")).items()}


def _in_area(given: Any) -> Any:
    """The countries of an area that areas.toml names, or those that are listed."""
    if not isinstance(given, str):
        return given
    if given not in areas():
        raise ValueError(f"list the countries, or name an area of areas.toml: {', '.join(areas())}")
    return areas()[given]


def _in_words(codes: Any) -> Any:
    if not isinstance(codes, list):
        return codes
    if not DUPLICATES.isdisjoint(codes):
        raise ValueError("a duplicate ends no payment: the earlier one is ours")
    try:
        return MappingProxyType(pick(*codes))
    except KeyError as error:
        raise ValueError(f"{error.args[0]} has no words in reason_words.toml") from error


Minor = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
Length = Annotated[int, Field(gt=0)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9]{2}$")]
Each = Annotated[frozenset[_Member], Field(strict=False)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextRules(_Facts):
    """What text a scheme carries: letters from A to Z, digits, and these signs."""

    signs: str
    name_length: Length
    remittance_length: Length

    @property
    def characters(self) -> str:
        """The body of a regular expression's character class."""
        return "A-Za-z0-9" + re.escape(self.signs)


class PaymentType(_Facts):
    """How a payment message says which service it asks for; None leaves the element out."""

    service_level: str | None
    local_instrument: str | None


class Hours(_Facts):
    """When a scheme works, on its business days: times of day in the scheme's zone. A payment handed over from `cut_off` on belongs to
    the next business day; `closes` is when the day's settlement ends.
    """

    opens: time
    cut_off: time
    closes: time

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.opens < self.cut_off <= self.closes:
            raise ValueError("opens is before cut_off, and cut_off not after closes")
        return self


Version = Annotated[str, Field(pattern=r"^[a-z]{4}\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}$")]


class Messages(_Facts):
    """The version of each message that the scheme takes or sends."""

    payment: Version
    status: Version
    inquiry: Version
    returned: Version
    recall: Version
    recall_answer: Version
    statement: Version
    notification: Version


class SnapFields(_Facts):
    """How much text SNAP's fields hold."""

    name_length: Length
    remittance_length: Length


class RailProfile(_Facts):
    """Facts of one scheme.

    - `participant`: the name by which the scheme knows a cell, made from the cell's `{number}`. `wires`: the connectors that can speak to it.
      `ledger_number`: of the rail's account in the books, never given twice.
    - `floor_minor`, `ceiling_minor` (None: none): what it carries. `countries`: where the accounts are that it reaches (ISO 3166-1 alpha-2,
      of IBANs their country code). `carries`: what a payment message carries for the payee beside a text. `snap`: for the wire of that name.
    - `zone`: where its days and times of day are counted (IANA). `hours`: None = at all hours. `calendar`: whose holidays are no business
      days, None = it has none. `settlement_days`: business days from the day that takes the payment to the day on which the payee has it.
    - `answer_time_s`: how long to wait for the answer to a payment. `finality_time_s`: after this, a payment that the scheme has never seen
      can no longer happen. `restore_time_s`: how long after the payment was asked for the payer gets the money back while the answer is
      awaited; None: it stays held.
    - `unmatched`: what becomes of a credit for no wallet of ours: `refuse` it in our answer, or, where the scheme has settled it before it
      asks, `suspend` it until it is assigned or returned. `checks_payee_name`: whether it can be asked whose an account is.
    - `settled_statuses`: of a payment that is done; `accepted_status`: how we accept one. `reasons`: the codes that end a payment, with
      their words: a closed list. `not_found_code`: says that the scheme does not know the payment.
    - `cost_minor`: what one payment costs us. `may_reroute`: whether a payment that was never handed to the scheme may leave by another rail.
    """

    name: str
    title: str
    participant: str
    wires: Annotated[tuple[Wire, ...], Field(strict=False, min_length=1)]
    ledger_number: Annotated[int, Field(gt=0, lt=2**32)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    floor_minor: Minor
    ceiling_minor: Minor | None
    account_form: AccountForm
    countries: Annotated[Each[str], BeforeValidator(_in_area), Field(min_length=1)]
    carries: Each[Carried]
    text: TextRules
    snap: SnapFields | None = None
    zone: Annotated[str, AfterValidator(_known_zone)]
    hours: Hours | None
    calendar: CalendarName | None
    settlement_days: Annotated[int, Field(ge=0)]
    answer_time_s: Annotated[Seconds, Field(le=300)]
    finality_time_s: Seconds
    restore_time_s: Seconds | None
    unmatched: Literal["suspend", "refuse"]
    checks_payee_name: bool
    messages: Messages
    transactions_per_message: Length
    carries_uetr: bool
    payment_type: PaymentType
    settled_statuses: Each[Code]
    accepted_status: Code
    not_found_code: Code
    reasons: Annotated[Mapping[Code, str], BeforeValidator(_in_words)]
    cost_minor: Minor
    may_reroute: bool
    sources: Mapping[str, str]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        faults = [
            said
            for wrong, said in (
                (self.not_found_code in self.reasons, "reasons: what the scheme does not know may be on its way"),
                (self.hours is not None and self.calendar is None, "calendar: a scheme that closes has one"),
                (
                    self.currency in CURRENCIES and self.floor_minor % self.payable_unit_minor,
                    "floor_minor: not payable in that currency",
                ),
                ("snap" in self.wires and self.snap is None, "snap: the wire of that name needs it"),
            )
            if wrong
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def payable_unit_minor(self) -> int:
        """What every amount is a multiple of: the currency's, which its rails share."""
        return CURRENCIES[self.currency].payable_unit_minor

    def participant_of(self, cell_number: int) -> str:
        """The name by which the scheme knows a cell."""
        return self.participant.format(number=cell_number)

    def objection(self, amount_minor: int, currency: str, country: str = "") -> tuple[str, str] | None:
        """Why this rail cannot carry the amount to an account in `country` ("" where that is not known), as (ISO reason code, text);
        None when it can."""
        if currency != self.currency:
            return "AM03", f"{self.title} moves {self.currency} only."
        if country and country not in self.countries:
            return "CNOR", f"{self.title} reaches no account in {country}."
        if amount_minor % self.payable_unit_minor:
            return "AM12", f"{self.title} moves whole payable units of {self._written(self.payable_unit_minor)}."
        if amount_minor < self.floor_minor:
            return "AM06", f"{self.title} takes no amount below {self._written(self.floor_minor)}."
        if self.ceiling_minor is not None and amount_minor > self.ceiling_minor:
            return "AM02", f"{self.title} takes no amount above {self._written(self.ceiling_minor)}."
        return None

    def _written(self, minor: int) -> str:
        return amount_text(minor, self.currency)
