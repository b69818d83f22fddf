"""The simulated bank that an indirect participant of BI-FAST speaks SNAP to. JSON over HTTP, beside the scheme's ISO 20022, on the same
books: a payment is one payment whichever way it is asked for.

POST /{rail}/v1.0/access-token/b2b     service 73: a token
POST /{rail}/v1.0/transfer-interbank   service 18: a payment
POST /{rail}/v1.0/transfer/status      service 36: what became of one

Unasked it tells of credits by service 25, where it is asked to (credits.py); returns and late answers come as ISO 20022.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.schemes.bank import SchemeBank
from infra.schemes.config import RailSettings
from infra.schemes.messages import Order, Status, now_text
from infra.schemes.problems import problem, silence
from infra.schemes.snap_signing import SnapGuard
from residency.classes import Confidential, Personal, Public

_BODY_BYTES_MAX = 100_000
_JAKARTA = timezone(timedelta(hours=7))
_PAID = frozenset({"ACSC", "ACCP", "ACCC"})
_NEVER_RECEIVED = "AG09"
# How this bank says an ISO reason: HTTP status and case. What it has no case for it does not honour, saying no more.
_CASES = {
    "AC01": "40411",
    "AC03": "40411",
    "AC04": "40318",
    "AC06": "40307",
    "AG01": "40315",
    "AM02": "40302",
    "AM03": "40001",
    "AM06": "40413",
    "AM12": "40413",
    "CH16": "40001",
    "CNOR": "40403",
    "RC01": "40402",
    "RR04": "40303",
    "TM01": "40306",
}
_DO_NOT_HONOUR = "40305"
_TITLES = {
    "20000": "Successful",
    "20200": "Request In Progress",
    "40000": "Bad Request",
    "40001": "Invalid Field Format",
    "40002": "Invalid Mandatory Field",
    "40100": "Unauthorized. Signature",
    "40101": "Invalid Token (B2B)",
    "40401": "Transaction Not Found",
    "40418": "Inconsistent Request",
    "40900": "Conflict",
    "40901": "Duplicate partnerReferenceNo",
}


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Amount(_Fields):
    value: Annotated[str, Confidential] = Field(pattern=r"^\d{1,16}\.\d{2}$")
    currency: Annotated[str, Public] = Field(pattern=r"^[A-Z]{3}$")


class _Originator(_Fields):
    name: Annotated[str, Personal] = Field(alias="originatorCustomerName")


class _Transfer(_Fields):
    """The order for a payment."""

    reference: Annotated[str, Public] = Field(alias="partnerReferenceNo", min_length=1, max_length=64)
    amount: Annotated[_Amount, Confidential]
    name: Annotated[str, Personal] = Field(alias="beneficiaryAccountName", min_length=1, max_length=100)
    account: Annotated[str, Personal] = Field(alias="beneficiaryAccountNo", min_length=1, max_length=34)
    bank: Annotated[str, Confidential] = Field(alias="beneficiaryBankCode", min_length=1, max_length=8)
    source: Annotated[str, Confidential] = Field(alias="sourceAccountNo", min_length=1, max_length=34)
    originators: Annotated[tuple[_Originator, ...], Personal] = Field(alias="originatorInfos")
    remark: Annotated[str, Personal] = ""


class _Inquiry(_Fields):
    reference: Annotated[str, Public] = Field(alias="originalPartnerReferenceNo", min_length=1, max_length=64)
    service: Annotated[str, Public] = Field(alias="serviceCode", pattern="^18$")


_Handler = Callable[[str, Request, bytes], Awaitable[Response]]


class SnapDoor:
    """The three services, for the rails that are set up for SNAP. `tell` has sent what the books have to say."""

    def __init__(self, bank: SchemeBank, tell: Callable[[], None], rails: Mapping[str, RailSettings]) -> None:
        self._bank = bank
        self._tell = tell
        self._guards = {rail: SnapGuard(one.snap, one.secret) for rail, one in rails.items() if one.snap}
        self._tokens_last = {rail: one.snap.token_s for rail, one in rails.items() if one.snap}
        # X-EXTERNAL-ID is unique within the day of Jakarta.
        self._seen: set[tuple[str, str, str]] = set()

    def routes(self) -> list[Route]:
        return [
            Route("/{rail}/v1.0/access-token/b2b", self._token, methods=["POST"]),
            Route("/{rail}/v1.0/transfer-interbank", self._guarded("18", self._transfer), methods=["POST"]),
            Route("/{rail}/v1.0/transfer/status", self._guarded("36", self._status), methods=["POST"]),
        ]

    async def _token(self, request: Request) -> Response:
        rail = request.path_params["rail"]
        guard = self._guards.get(rail)
        if guard is None:
            return problem(404, "No SNAP here", "The rail is not set up for SNAP.")
        token = guard.grant(request.headers)
        if token is None:
            return _answer("40100", "73")
        lasts = str(self._tokens_last[rail])
        return _answer("20000", "73", {"accessToken": token, "tokenType": "Bearer", "expiresIn": lasts})

    def _guarded(self, service: str, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            rail = request.path_params["rail"]
            guard, body = self._guards.get(rail), await request.body()
            if guard is None or len(body) > _BODY_BYTES_MAX:
                return problem(404, "No SNAP here", "The rail is not set up for SNAP, or the body is too large.")
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            objection = guard.objection(request.headers, path, body)
            if objection is not None:
                return _answer(objection, service)
            try:
                return await handler(rail, request, body)
            except ValidationError:
                return _answer("40001", service)

        return checked

    async def _transfer(self, rail: str, request: Request, body: bytes) -> Response:
        asked = _Transfer.model_validate_json(body)
        known = self._bank.knows(rail, asked.reference)
        conflict = self._is_used(rail, request.headers["x-external-id"])
        statuses = self._bank.pay(rail, [_order(asked)])
        self._tell()
        if known:
            changed = statuses[0].reason == "AM05"
            return _answer("40900" if conflict else "40418" if changed else "40901", "18")
        if not statuses:
            return await silence(request)
        said = statuses[0]
        return _answer(
            _case(said),
            "18",
            {
                "referenceNo": said.tx_id,
                "partnerReferenceNo": asked.reference,
                "amount": asked.amount.model_dump(),
                "beneficiaryAccountNo": asked.account,
                "beneficiaryBankCode": asked.bank,
                "sourceAccountNo": asked.source,
            },
        )

    async def _status(self, rail: str, request: Request, body: bytes) -> Response:
        if self._is_used(rail, request.headers["x-external-id"]):
            return _answer("40900", "36")
        asked = _Inquiry.model_validate_json(body)
        [said] = self._bank.inquire(rail, [(asked.reference, _tx_id(asked.reference))])
        self._tell()
        if said.reason == _NEVER_RECEIVED:
            return _answer("40401", "36")
        case = _case(said)
        latest = {"200": "00", "202": "03"}.get(case[:3], "06")
        return _answer(
            "20000",
            "36",
            {
                "originalPartnerReferenceNo": asked.reference,
                "originalReferenceNo": said.tx_id,
                "serviceCode": asked.service,
                "transactionDate": _jakarta(said.at or now_text()),
                "previousResponseCode": _code(case, "18"),
                "latestTransactionStatus": latest,
                "transactionStatusDesc": _TITLES.get(case, "Failed"),
            },
        )

    def _is_used(self, rail: str, external_id: str) -> bool:
        """Whether the X-EXTERNAL-ID was used today already; it is now."""
        key = (rail, _jakarta(now_text())[:10], external_id)
        used = key in self._seen
        self._seen.add(key)
        return used


def _order(asked: _Transfer) -> Order:
    names = tuple(one.name for one in asked.originators)
    return Order(
        asked.reference,
        _tx_id(asked.reference),
        asked.amount.value,
        asked.amount.currency,
        asked.name,
        asked.account,
        (asked.name, *names, asked.remark),
    )


def _tx_id(reference: str) -> str:
    """The transaction id under which the scheme's books have the payment: the reference without its dashes."""
    return reference.replace("-", "")


def _case(said: Status) -> str:
    """HTTP status and case of what the books say."""
    if said.level == "inquiry":
        return "20200"
    if said.code in _PAID:
        return "20000"
    return _CASES.get(said.reason, _DO_NOT_HONOUR) if said.code == "RJCT" else "20200"


def _code(case: str, service: str) -> str:
    """`40318` of service 18 → `4031818`."""
    return case[:3] + service + case[3:]


def _answer(case: str, service: str, fields: Mapping[str, Any] | None = None) -> Response:
    status = int(case[:3])
    body = {
        "responseCode": _code(case, service),
        "responseMessage": _TITLES.get(case, "Do Not Honor"),
        **(fields or {}),
    }
    return JSONResponse(body, status, headers={"X-TIMESTAMP": _jakarta(now_text())})


def _jakarta(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(_JAKARTA).isoformat(timespec="seconds")
