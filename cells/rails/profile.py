"""A rail's profile: the scheme's facts as data, each with its source beside it.

Invariant: every fact that a scheme decides has an entry in `sources`; a profile without one cannot be built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import time
from types import MappingProxyType
from typing import Literal

from cells.kit.money import amount_text
from cells.rails.iso20022.reasons import DUPLICATES
from cells.rails.remittance import Carried

CalendarName = Literal["TARGET", "GB", "ID"]
Wire = Literal["iso20022", "snap"]
_OURS = frozenset({"name", "title", "participant_pattern", "sources", "later", "wires"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """What text a scheme carries. `characters` is the body of a regular-expression character class."""

    characters: str
    name_length: int
    remittance_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentType:
    """How a payment message says which service it asks for; None leaves the element out."""

    service_level: str | None
    local_instrument: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a scheme works, on its business days: times of day in the scheme's zone. A payment handed over from `cut_off` on belongs to
    the next business day; `closes` is when the day's settlement ends.
    """

    opens: time
    cut_off: time
    closes: time

    def __post_init__(self) -> None:
        assert self.opens < self.cut_off <= self.closes


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterMessages:
    """The versions of the messages that may follow a payment, and where they are laid down."""

    returned: str
    recall: str
    recall_answer: str
    statement: str
    notification: str
    source: str


# What goes with pacs.008.001.08: the release that SEPA, CHAPS and HVPS+ are built on.
ISO_2019 = LaterMessages(
    returned="pacs.004.001.09",
    recall="camt.056.001.08",
    recall_answer="camt.029.001.09",
    statement="camt.053.001.08",
    notification="camt.054.001.08",
    source="ISO 20022 message release of 2019, as the EPC's inter-PSP guidelines and the Bank of England's CHAPS guidance name it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RailProfile:
    """Facts of one scheme. Amounts in minor units; None = no ceiling. Times in seconds.

    `answer_time_s`: how long to wait for the answer to a payment. `finality_time_s`: after this, a payment
    the scheme has never heard of can no longer happen. `in_doubt`: whether the payer's money stays held or
    must be given back meanwhile, and then `restore_time_s` after the payment was asked for (None: it stays held). `reasons`: reason code → text, of the
    reasons that end a payment: a closed list, and a refusal for any other leaves it in doubt. `not_found_code`: says that the scheme does not
    know the payment. `zone`: where the scheme's days and times of day are counted (IANA). `hours`: None = at all hours of all days. `calendar`: whose holidays are no business days, None = it keeps none.
    `wires`: those that a connector of ours speaks to it. `settlement_days`: business days from the day that takes the payment to the day on which the payee has it. `cost_minor`: what one
    payment costs us. `may_reroute`: whether a payment that was never handed to the scheme may leave by another rail instead.
    `unmatched`: what becomes of a credit for no wallet of ours: `refuse` it in our answer, or, where the scheme has settled it before it
    asks, `suspend` it until it is assigned or returned. `countries`: where the accounts are that it reaches (ISO 3166-1 alpha-2, of IBANs
    their country code). `carries`: what a payment message carries for the payee beside a text of `text.remittance_length` characters.
    """

    name: str
    title: str
    participant_pattern: str
    currency: str
    floor_minor: int
    ceiling_minor: int | None
    payable_unit_minor: int
    zone: str
    hours: Hours | None
    calendar: CalendarName | None
    settlement_days: int
    cost_minor: int
    may_reroute: bool
    unmatched: Literal["suspend", "refuse"]
    answer_time_s: float
    finality_time_s: float
    in_doubt: Literal["hold", "restore"]
    restore_time_s: float | None = None
    wire: str
    payment_message: str
    status_message: str
    inquiry_message: str
    transactions_per_message: int
    carries_uetr: bool
    payment_type: PaymentType
    account_form: Literal["iban", "uk", "id"]
    countries: frozenset[str]
    text: TextRules
    carries: frozenset[Carried]
    reasons: Mapping[str, str]
    not_found_code: str
    settled_statuses: frozenset[str]
    accepted_status: str
    sources: Mapping[str, str]
    later: LaterMessages = ISO_2019
    wires: tuple[Wire, ...] = ("iso20022",)

    def __post_init__(self) -> None:
        facts = {one.name for one in fields(self)} - _OURS
        unsourced = facts - set(self.sources)
        assert not unsourced, f"{self.name}: no source for {sorted(unsourced)}"
        assert (self.in_doubt == "restore") == (self.restore_time_s is not None), "who restores says when"
        assert DUPLICATES.isdisjoint(self.reasons), "the payment that was there before may be paid"
        assert self.not_found_code not in self.reasons, "what the scheme does not know may be on its way"
        assert self.hours is None or self.calendar is not None, "a scheme that closes has a calendar"
        object.__setattr__(self, "reasons", MappingProxyType(dict(self.reasons)))

    def participant(self, cell_number: int) -> str:
        """The name by which the scheme knows a cell."""
        return self.participant_pattern.format(number=cell_number)

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
