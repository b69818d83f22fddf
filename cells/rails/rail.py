"""The rail: the one protocol by which a cell asks a scheme to move money, and the words both sides of it use.

Invariants:
- The end-to-end id and the transaction id are functions of the transfer id, so a payment asked twice is one
  payment.
- An outcome is a value. `Settled` and `Refused` are the scheme's final word; everything unknown is `InDoubt`,
  never an error.
- `RailUnavailable` is raised only when *no* payment of the request can have reached the scheme.
- Personal fields never show in a repr.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Literal, Protocol
from uuid import UUID

from cells.rails.account_forms import AccountForm, account_formats
from cells.rails.profile import RailProfile
from cells.rails.remittance import Remittance
from residency.classes import Confidential, Personal, Public
from residency.errors import KovraError
from residency.ids import parse

# `tr`, the cell and its number, and 26 characters of base32 (residency/ids.py).
_TRANSACTION_ID = re.compile(r"tr([a-z]{2}[0-9]{1,4})([0-9a-v]{26})")
# Whether an account is held under a name, as the account's bank says (name_check.py).
NameResult = Literal["match", "close", "no_match", "unavailable"]


class RailUnavailable(KovraError):
    """The scheme could not be reached and has not seen the payments: the same request may be sent again."""

    code = "rail-unavailable"
    status = 503
    retryable = True
    title = "The payment scheme cannot be reached just now"


class MessageInvalid(KovraError):
    """A scheme message that does not parse, or says something this rail cannot mean. Nothing was booked."""

    code = "rail-message-invalid"
    status = 400
    title = "The scheme message cannot be read"


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a bank. `bank` is a BIC, a six-digit sort code or an Indonesian bank code;
    "" where unknown.
    """

    form: Annotated[AccountForm, Public]
    number: Annotated[str, Personal] = field(repr=False)
    bank: Annotated[str, Confidential] = ""

    @property
    def key(self) -> str:
        """As a wallet's account number is written:
        the IBAN, sort code and number (14 digits), or the number.
        """
        return self.bank + self.number if self.form == "uk" else self.number

    @property
    def country(self) -> str:
        """Where the account is held: ISO 3166-1 alpha-2, of an IBAN its country code."""
        return account_formats()[self.form].country or self.number[:2]


@dataclass(frozen=True, slots=True)
class Party:
    """Who pays or is paid. `country` is ISO 3166-1 alpha-2; address parts are structured, "" where unknown. `lines`: of an address in
    the hybrid form, at most two, beside town and country. `lei`: ISO 17442.
    """

    name: Annotated[str, Personal] = field(repr=False)
    account: Account | None = None
    country: Annotated[str, Confidential] = ""
    town: Annotated[str, Personal] = field(default="", repr=False)
    street: Annotated[str, Personal] = field(default="", repr=False)
    postcode: Annotated[str, Personal] = field(default="", repr=False)
    building: Annotated[str, Personal] = field(default="", repr=False)
    subdivision: Annotated[str, Personal] = field(default="", repr=False)
    lines: Annotated[tuple[str, ...], Personal] = field(default=(), repr=False)
    lei: Annotated[str, Personal] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Payout:
    """One payment out. `amount_minor` in minor units of `currency`; `creditor.account` is always given."""

    transfer_id: Annotated[str, Public]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    debtor: Party
    creditor: Party
    remittance: Annotated[Remittance, Personal] = field(default_factory=Remittance, repr=False)

    @property
    def end_to_end_id(self) -> str:
        return end_to_end_id(self.transfer_id)


@dataclass(frozen=True, slots=True)
class Settled:
    """Final: the scheme moved the money."""

    scheme_reference: str
    at: datetime
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Final: the scheme did not and will not move the money. `reason_code` is an ISO 20022 external code."""

    reason_code: str
    reason: str
    at: datetime
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Not known yet. `cause` tells a silent scheme from one that says the payment is pending or not found, that refuses it for a reason which
    ends no payment of this rail (`unclear`; the reason is `code`, "" where it gives none), or says two things that cannot both be
    (`contradiction`).
    """

    since: datetime
    cause: Literal["no_answer", "pending", "not_found", "unclear", "contradiction"] = "no_answer"
    code: str = ""
    final: ClassVar[bool] = False


Outcome = Settled | Refused | InDoubt


@dataclass(frozen=True, slots=True)
class Settlement:
    """When money that comes is settled. `day`: the interbank settlement date, where the scheme is. `available_at`: the beginning of that
    day, before which nobody may spend it; None where it has begun. `reason_code`: why it cannot be settled so (ISO 20022: DT01), else None.
    """

    day: Annotated[date | None, Public] = None
    available_at: Annotated[datetime | None, Public] = None
    reason_code: Annotated[str | None, Public] = None


AT_ONCE = Settlement()


@dataclass(frozen=True, slots=True)
class Collection:
    """Money that arrives: one inbound credit. `scheme_reference` is unique per rail;
    duplicates carry it again. `settlement`: when it settles, where the message says it.
    """

    rail: Annotated[str, Public]
    scheme_reference: Annotated[str, Public]
    end_to_end_id: Annotated[str, Confidential]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    debtor: Party
    creditor_account: Account
    remittance: Annotated[str, Personal] = field(repr=False)
    received_at: Annotated[datetime, Public]
    settlement: Annotated[Settlement, Public] = AT_ONCE


@dataclass(frozen=True, slots=True)
class ReturnReceived:
    """Money that a scheme sends back after it settled: one transaction of a pacs.004. `scheme_reference` is its RtrId, unique per
    rail; `end_to_end_id`, `transaction_id` and `uetr` name our payment, as the scheme repeats them. `reason_code`: ISO 20022
    ExternalReturnReason1Code. `settlement`: as a Collection's.
    """

    rail: Annotated[str, Public]
    scheme_reference: Annotated[str, Public]
    end_to_end_id: Annotated[str, Public]
    transaction_id: Annotated[str, Public]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    reason_code: Annotated[str, Public]
    received_at: Annotated[datetime, Public]
    settlement: Annotated[Settlement, Public] = AT_ONCE
    uetr: Annotated[str, Public] = ""


@dataclass(frozen=True, slots=True)
class ReturnOut:
    """A credit that we give back, whole or in part: one transaction of a pacs.004. `return_id` is ours, at most 35 characters, and
    makes it one return however often it is sent; `original_…` are the credit's, as it came.
    """

    return_id: Annotated[str, Public]
    original_scheme_reference: Annotated[str, Confidential]
    original_end_to_end_id: Annotated[str, Confidential]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    reason_code: Annotated[str, Public]


class Rail(Protocol):
    """A connection to one scheme. Implementations hold no truth; the submissions table does."""

    profile: RailProfile

    async def submit(self, payouts: Sequence[Payout]) -> Sequence[Outcome]:
        """Ask the scheme to pay; one outcome per payout, in order. Asking again under the same ids pays once.

        Raises RailUnavailable when none of them reached the scheme.
        """
        ...

    async def inquire(self, end_to_end_ids: Sequence[str]) -> Sequence[Outcome]:
        """What became of these payments; one outcome each, in order. "Not found" is InDoubt, never final.

        Raises RailUnavailable when the scheme cannot be reached.
        """
        ...

    async def give_back(self, returns: Sequence[ReturnOut]) -> Sequence[Outcome]:
        """Give credits back to who sent them; one outcome each, in order. Asking again under the same ids gives back once, so what is
        InDoubt may be asked again.

        Raises RailUnavailable when none of them reached the scheme.
        """
        ...

    async def close(self) -> None: ...


def end_to_end_id(transfer_id: str) -> str:
    """`tr_eu1_…` → `tr-eu1-…`: at most 35 characters, none outside the character set every scheme shares."""
    return transfer_id.replace("_", "-")


def transfer_id_of(end_to_end_id_text: str) -> str:
    """The transfer that an end-to-end id of ours names.
    Raises residency.ids.MalformedId for any other text.
    """
    return parse(end_to_end_id_text.replace("-", "_"), "tr").text


def transaction_id(end_to_end_id_text: str) -> str:
    """The scheme's TxId: the end-to-end id without its dashes."""
    return end_to_end_id_text.replace("-", "")


def end_to_end_id_of(transaction_id_text: str) -> str:
    """The end-to-end id that a TxId of ours was made of; "" for any other text."""
    found = _TRANSACTION_ID.fullmatch(transaction_id_text)
    return f"tr-{found[1]}-{found[2]}" if found else ""


def uetr(end_to_end_id_text: str) -> str:
    """The unique end-to-end transaction reference:
    a version 4 UUID by form (ISO 20022 asks for it), made from the id.
    """
    digest = hashlib.sha256(b"kovra-uetr-v1|" + end_to_end_id_text.encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def outcome_after(profile: RailProfile, outcome: Outcome, asked_at: datetime, now: datetime) -> Outcome:
    """What `outcome` means once the scheme's finality time is over:
    "not found" becomes a refusal, and nothing else does.
    """
    never_seen = isinstance(outcome, InDoubt) and outcome.cause == "not_found"
    if never_seen and (now - asked_at).total_seconds() >= profile.finality_time_s:
        return Refused(profile.not_found_code, "The scheme never received the payment.", now)
    return outcome


def utc_now() -> datetime:
    return datetime.now(UTC)
