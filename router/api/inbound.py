"""The door of the rails: what a scheme sends to this cell, answered once it is on record.

The scheme signs with the connection's secret; it has no API key. The row is durable before the answer leaves, and the
wallet is told after it: if it does not hear, the sweep tells it again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from actors.wallets import Wallets
from actors.workers.sweep import deposit_command
from cells.backends.postgres import StoreUnavailable, transaction
from cells.kit.command import Command
from cells.rails import store_recalls
from cells.rails.connection import SIGNATURE_HEADER, TIMESTAMP_HEADER, SchemeSignatureInvalid, verify
from cells.rails.inbound import build_answer, read_inbound
from cells.rails.later import RecallReceived
from cells.rails.rail import Collection, MessageInvalid, Outcome, ReturnReceived, utc_now
from cells.rails.registry import UnknownRail
from cells.transfers.doubts import take_late_answers
from cells.transfers.reception import receive
from cells.transfers.return_leg import return_command
from cells.transfers.return_reception import receive_returns
from residency.errors import KovraError
from router.api.errors import BodyTooLarge, InvalidRequest
from router.api.openapi import Header, described, problem_responses
from router.api.parts import Parts, parts_of

_XML = "application/xml"
_log = logging.getLogger("kovra.api.inbound")
_HEADERS = (
    Header(TIMESTAMP_HEADER, True, "Unix seconds, at most five minutes old", "^[0-9]{1,12}$"),
    Header(SIGNATURE_HEADER, True, "HMAC-SHA-256 in hex over `timestamp.body`", "^[0-9a-f]{64}$"),
)
_telling: set[asyncio.Task[None]] = set()


async def take_inbound(request: Request, rail: str) -> Response:
    """A scheme's message. Money, or money that comes back, is answered with a pacs.002, and a repeat as the first time."""
    parts = parts_of(request)
    settings = parts.spec.settings.schemes.get(rail)
    if settings is None:
        raise UnknownRail("This cell has no such rail.")
    body = await request.body()
    verify(settings.secret.encode(), request.headers, body, utc_now())
    # Reading and checking the XML takes milliseconds of plain computing; other requests go on meanwhile.
    message = await asyncio.to_thread(read_inbound, rail, body)
    if message.credits:
        return await _take_credits(parts, rail, message.credits, body)
    if message.returns:
        return await _take_returns(parts, rail, message.returns)
    if message.recalls:
        return await _take_recalls(parts, message.recalls)
    if message.answers:
        return await _take_answers(parts, rail, message.answers)
    raise MessageInvalid(f"This cell has no use for {message.name}.")


async def _take_credits(parts: Parts, rail: str, came: Sequence[Collection], body: bytes) -> Response:
    async with transaction(parts.writer) as connection:
        reception = await receive(connection, parts.spec.entry, parts.institution.vault, came, body)
    _tell_later(parts.wallets, [deposit_command(row) for row in reception.open])
    return Response(build_answer(rail, came, reception.refusals), media_type=_XML)


async def _take_returns(parts: Parts, rail: str, came: Sequence[ReturnReceived]) -> Response:
    """Payments of ours that come back, whole or in part."""
    async with transaction(parts.writer) as connection:
        reception = await receive_returns(connection, parts.spec.name, parts.spec.region, came)
    _tell_later(parts.wallets, [return_command(one) for one in reception.open])
    return Response(build_answer(rail, came, reception.refusals), media_type=_XML)


async def _take_recalls(parts: Parts, recalls: Sequence[RecallReceived]) -> Response:
    """Credits that their senders ask back: on record; a worker answers."""
    async with transaction(parts.writer) as connection:
        await store_recalls.receive(connection, parts.spec.region, recalls)
    return Response(status_code=204)


async def _take_answers(parts: Parts, rail: str, answers: Mapping[str, Outcome]) -> Response:
    """A late word on payments of ours: on record, and nothing to answer."""
    async with transaction(parts.writer) as connection:
        commands = await take_late_answers(connection, parts.spec.region, rail, answers)
    _tell_later(parts.wallets, commands)
    return Response(status_code=204)


def _tell_later(wallets: Wallets, commands: Sequence[Command]) -> None:
    if commands:
        task = asyncio.create_task(_tell(wallets, commands))
        _telling.add(task)
        task.add_done_callback(_telling.discard)


async def _tell(wallets: Wallets, commands: Sequence[Command]) -> None:
    for reply in await wallets.ask_many(commands):
        if isinstance(reply, KovraError):
            _log.warning("what a scheme brought waits for the sweep: %s", reply.code)


async def told() -> None:
    """Wait for what is being told to wallets just now."""
    await asyncio.gather(*_telling)


def add_routes(app: FastAPI) -> None:
    extra = described(None, _HEADERS)
    extra["requestBody"] = {"required": True, "content": {_XML: {"schema": {"type": "string"}}}}
    failures = problem_responses(
        (SchemeSignatureInvalid, UnknownRail, MessageInvalid, BodyTooLarge, InvalidRequest, StoreUnavailable)
    )
    answered = {"description": "pacs.002", "content": {_XML: {"schema": {"type": "string"}}}}
    app.add_api_route(
        "/rails/{rail}/inbound", take_inbound, methods=["POST"], tags=["Rails"], summary="Money from a scheme",
        responses={200: answered, 204: {"description": "On record; nothing to answer"}, **failures}, openapi_extra=extra, response_class=Response,
    )  # fmt: skip
