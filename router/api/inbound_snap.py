"""The door of a bank that speaks SNAP: what it tells us of money that came for a virtual account, answered once it is on record.

The bank signs with its own key; it has no API key. From here on a credit is a credit, whichever way it came (reception.py). All
answers are SNAP's.
"""

import asyncio
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from actors.workers.sweep import deposit_command
from cells.backends.postgres import StoreUnavailable, transaction
from cells.credits.receive import receive
from cells.kit.headers import HeaderRepeated
from cells.rails import registry, store_messages
from cells.rails.rail import utc_now
from cells.rails.snap import notices
from cells.rails.snap.notices import NO_PARTNER, NoticeInvalid, VirtualAccountPayment
from cells.rails.snap.signatures import timestamp
from cells.rails.store_messages import WireMessage
from router.api.errors import BodyTooLarge, InvalidRequest
from router.api.inbound import tell_later
from router.api.openapi import Header, described, problem_responses
from router.api.parts import parts_of

_JSON = "application/json"
_MESSAGE = "snap.transfer-va.payment"
PATH = "/rails/{rail}/v1.0/transfer-va/payment"
_HEADERS = (
    Header("X-TIMESTAMP", True, "ISO 8601 with an offset, at most five minutes old", "^.{19,35}$"),
    Header("X-SIGNATURE", True, "SHA256withRSA by the bank's key, as SNAP's notifications are signed", "^.{1,1024}$"),
    Header("X-PARTNER-ID", True, "Our id at the bank", "^.{1,36}$"),
)


async def receive_virtual_account_payment(request: Request, rail: str) -> Response:
    """A bank's notice of a credit. A repeat is answered as the first time."""
    parts = parts_of(request)
    body = await request.body()
    try:
        access = registry.notices_of(parts.spec, rail)
        if access is None:
            raise NoticeInvalid(NO_PARTNER)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        await asyncio.to_thread(notices.believed, access, path, request.headers, body, utc_now())
        told, credit = notices.read_payment(registry.profile_of(rail), body)
    except NoticeInvalid as fault:
        return _answered(fault.case)
    async with transaction(parts.writer) as connection:
        reception = await receive(connection, parts.spec.entry, parts.institution.vault, [credit], body)
        said = _answered(notices.case_of(reception.refusals.get(credit.scheme_reference)), told)
        about = (credit.scheme_reference, reception.rows[0].collection_id)
        messages = [
            WireMessage(rail, "received", _MESSAGE, about, utc_now(), body),
            WireMessage(rail, "sent", _MESSAGE, about, utc_now(), bytes(said.body)),
        ]
        await store_messages.keep(connection, parts.institution.vault, messages)
    tell_later(parts.wallets, [deposit_command(row) for row in reception.open])
    return said


def _answered(case: str, told: VirtualAccountPayment | None = None) -> Response:
    status, body = notices.answer(case, told)
    return Response(orjson.dumps(body), status, {"X-TIMESTAMP": timestamp(utc_now())}, _JSON)


def add_routes(app: FastAPI) -> None:
    extra = described(None, _HEADERS)
    extra["requestBody"] = {"required": True, "content": {_JSON: {"schema": {"type": "object"}}}}
    snap = {"content": {_JSON: {"schema": {"type": "object"}}}}
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "On record", **snap},
        400: {"description": "Not to be read", **snap},
        401: {"description": "Not the bank's", **snap},
        404: {"description": "No such partner or virtual account", **snap},
    }
    app.add_api_route(
        PATH, receive_virtual_account_payment, methods=["POST"], tags=["Rails"], summary="Money that a bank reports by SNAP",
        responses={**answers, **problem_responses((BodyTooLarge, InvalidRequest, HeaderRepeated, StoreUnavailable))}, openapi_extra=extra, response_class=Response,
    )  # fmt: skip
