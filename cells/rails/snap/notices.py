"""What a bank tells us by SNAP without being asked: that money has come for one of our virtual accounts (service 25). Pure.

Invariants: only what the bank's own key has signed, within five minutes, and for our partner id is read; a notice is one credit, under
the bank's `paymentRequestId`, and a repeated one carries it again.

Source: ASPI, SNAP, Transfer VA: "Payment" (service 25), POST …/v1.0/transfer-va/payment; the asymmetric signature of notifications in
"Standar Teknis dan Keamanan". Whether the bank of a participant of BI-FAST tells of every credit so is not confirmed.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cells.rails.accounts import received_account
from cells.rails.iso20022.amounts import minor_of
from cells.rails.profile import RailProfile
from cells.rails.rail import Collection, MessageInvalid, Party
from cells.rails.snap.signatures import STANDARD, SignatureForm, instant, is_notification
from residency import i_json
from residency.classes import Confidential, Personal, Public

SERVICE = "25"
_WINDOW_S = 300
_NO_REFERENCE = "NOTPROVIDED"
# HTTP status and case of each answer, and its words. A refused credit by the ISO reason under which the rail would refuse it.
SUCCESSFUL, BAD_REQUEST, UNAUTHORIZED, NO_PARTNER = "20000", "40000", "40100", "40416"
_REFUSALS = {"AC01": "40412", "AC04": "40419", "AC06": "40419", "AM05": "40418"}
_WORDS = {
    SUCCESSFUL: "Successful",
    BAD_REQUEST: "Bad Request",
    UNAUTHORIZED: "Unauthorized. Signature",
    NO_PARTNER: "Partner Not Found",
    "40412": "Invalid Bill/Virtual Account Not Found",
    "40418": "Inconsistent Request",
    "40419": "Invalid Bill/Virtual Account",
}


class NoticeInvalid(Exception):
    """The notice is not to be believed or cannot be read; `case` says which, as the bank is answered."""

    def __init__(self, case: str) -> None:
        super().__init__(case)
        self.case = case


@dataclass(frozen=True, slots=True)
class NoticeAccess:
    """Who may tell us: the bank's public key, and the partner id and form that it writes."""

    partner_id: str
    bank_key: rsa.RSAPublicKey = field(repr=False)
    form: SignatureForm = STANDARD


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Amount(_Fields):
    value: Annotated[str, Confidential] = Field(pattern=r"^[0-9]{1,16}\.[0-9]{2}$")
    currency: Annotated[str, Public] = Field(pattern=r"^[A-Z]{3}$")


class VirtualAccountPayment(_Fields):
    """What of the notice we go by. `virtualAccountNo` is the institution's number, padded to eight, and the customer's behind it."""

    partner_service: Annotated[str, Confidential] = Field(default="", alias="partnerServiceId", max_length=8)
    customer: Annotated[str, Confidential] = Field(default="", alias="customerNo", max_length=20)
    account: Annotated[str, Personal] = Field(alias="virtualAccountNo", min_length=1, max_length=28, repr=False)
    name: Annotated[str, Personal] = Field(alias="virtualAccountName", min_length=1, max_length=255, repr=False)
    request_id: Annotated[str, Confidential] = Field(alias="paymentRequestId", pattern=r"^[\x21-\x7e]{1,128}$")
    transaction_id: Annotated[str, Confidential] = Field(default="", alias="trxId", max_length=64)
    paid: Annotated[_Amount, Confidential] = Field(alias="paidAmount")


def believed(access: NoticeAccess, path: str, headers: Any, body: bytes, now: datetime) -> None:
    """Raises NoticeInvalid. `headers` looks names up case-insensitively; `path` from the host on, with its query."""
    at = headers.get("x-timestamp", "")
    try:
        stated = instant(at)
    except ValueError:
        raise NoticeInvalid(UNAUTHORIZED) from None
    recent = abs((now - stated).total_seconds()) <= _WINDOW_S
    signature = headers.get("x-signature", "")
    if not recent or not is_notification(access.bank_key, "POST", path, body, at, signature, access.form):
        raise NoticeInvalid(UNAUTHORIZED)
    if headers.get("x-partner-id", "") != access.partner_id:
        raise NoticeInvalid(NO_PARTNER)


def read_payment(profile: RailProfile, body: bytes) -> tuple[VirtualAccountPayment, Collection]:
    """The notice, and the credit that it tells of. Raises NoticeInvalid."""
    try:
        found = VirtualAccountPayment.model_validate(i_json.loads(body))
        amount = minor_of(Decimal(found.paid.value), found.paid.currency, profile)
    except (i_json.NotIJson, ValidationError, MessageInvalid):
        raise NoticeInvalid(BAD_REQUEST) from None
    return found, Collection(
        rail=profile.name,
        scheme_reference=found.request_id,
        end_to_end_id=found.transaction_id or _NO_REFERENCE,
        amount_minor=amount,
        currency=found.paid.currency,
        debtor=Party(found.name),
        creditor_account=received_account("id", found.account, ""),
        remittance="",
        received_at=datetime.now(UTC),
    )


def case_of(refusal: str | None) -> str:
    """How the bank is answered: accepted, or refused under an ISO reason code."""
    return SUCCESSFUL if refusal is None else _REFUSALS.get(refusal, BAD_REQUEST)


def answer(case: str, told: VirtualAccountPayment | None = None) -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    body: dict[str, Any] = {"responseCode": case[:3] + SERVICE + case[3:], "responseMessage": _WORDS[case]}
    if told is not None:
        body["virtualAccountData"] = {
            "partnerServiceId": told.partner_service,
            "customerNo": told.customer,
            "virtualAccountNo": told.account,
            "virtualAccountName": told.name,
            "paymentRequestId": told.request_id,
            "paidAmount": {"value": told.paid.value, "currency": told.paid.currency},
        }
    return int(case[:3]), body
