"""The door of the rails: what a scheme sends to this cell, answered once it is on record.

The scheme signs with the connection's secret; it has no API key. The row is durable before the answer leaves, and the
wallet is told after it: if it does not hear, the sweep tells it again.
"""

import asyncio
import logging
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from actors.wallets import Wallets
from actors.workers.sweep import deposit_command
from cells.backends.postgres import Connection, StoreUnavailable, transaction
from cells.credits.receive import receive
from cells.journal.entry import component
from cells.kit.command import Command
from cells.kit.headers import HeaderRepeated
from cells.payments.doubts import named_by_ids, named_by_messages, take_late_answers
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails import store_messages, store_recalls
from cells.rails.connection import SIGNATURE_HEADER, TIMESTAMP_HEADER, SchemeSignatureInvalid, verify
from cells.rails.inbound import build_answer, read_inbound
from cells.rails.iso20022.reports import StatusReport
from cells.rails.iso20022.xml import message_name
from cells.rails.later import AccountReport, RecallAnswered, RecallReceived
from cells.rails.rail import Collection, MessageInvalid, ReturnReceived, utc_now
from cells.rails.registry import UnknownRail
from cells.rails.store_messages import WireMessage
from cells.returns import recalls
from cells.returns.book import return_command
from cells.returns.receive import receive_returns
from residency import tasks
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


async def receive_scheme_message(request: Request, rail: str) -> Response:
    """A scheme's message. Money, or money that comes back, is answered with a pacs.002, and a repeat as the first time."""
    parts = parts_of(request)
    settings = parts.spec.settings.schemes.get(rail)
    if settings is None:
        raise UnknownRail("This cell has no such rail.")
    body = await request.body()
    verify(settings.secret.encode(), request.headers, body, utc_now())
    # Reading and checking the XML takes milliseconds of plain computing; other requests go on meanwhile.
    message = await asyncio.to_thread(read_inbound, rail, body, keeps_hours=settings.keeps_hours)
    match message.kind:
        case "credits":
            return await _take_credits(parts, rail, message.credits, body)
        case "returns":
            return await _take_returns(parts, rail, message.returns, body)
        case "recalls":
            return await _take_recalls(parts, rail, message.recalls, body)
        case "recall_answers":
            return await _take_recall_answers(parts, rail, message.recall_answers, body)
        case "report":
            return await _take_report(parts, rail, message.report, body)
        case "account":
            return await _take_account(parts, rail, message.account, body)


async def _take_credits(parts: Parts, rail: str, came: Sequence[Collection], body: bytes) -> Response:
    async with transaction(parts.writer) as connection:
        reception = await receive(connection, parts.spec.entry, parts.institution.vault, came, body)
        answer = build_answer(rail, came, reception.refusals)
        ids = [one for row in reception.rows for one in (row.scheme_reference, row.collection_id)]
        await _keep(connection, parts, rail, ids, body, answer)
    tell_later(parts.wallets, [deposit_command(row) for row in reception.open])
    return Response(answer, media_type=_XML)


async def _take_returns(parts: Parts, rail: str, came: Sequence[ReturnReceived], body: bytes) -> Response:
    """Payments of ours that come back, whole or in part."""
    async with transaction(parts.writer) as connection:
        reception = await receive_returns(connection, parts.spec.name, parts.spec.region, came)
        returned = [one.transfer_id for one in reception.rows]
        await store_recalls.came_back(connection, parts.spec.region, returned, component("rail"))
        answer = build_answer(rail, came, reception.refusals)
        ids = [name for one in came for name in (one.scheme_reference, one.end_to_end_id)]
        await _keep(connection, parts, rail, ids, body, answer)
    tell_later(parts.wallets, [return_command(one) for one in reception.open])
    return Response(answer, media_type=_XML)


async def _take_recalls(parts: Parts, rail: str, recalls: Sequence[RecallReceived], body: bytes) -> Response:
    """Credits that their senders ask back: on record, for a person to decide; a worker answers."""
    async with transaction(parts.writer) as connection:
        house = PEER_TENANT_PREFIX + parts.spec.name
        await store_recalls.receive(connection, parts.spec.region, parts.spec.name, recalls, house, component("rail"))
        ids = [name for one in recalls for name in (one.scheme_reference, one.end_to_end_id)]
        await _keep(connection, parts, rail, ids, body)
    return Response(status_code=204)


async def _take_recall_answers(parts: Parts, rail: str, answers: Sequence[RecallAnswered], body: bytes) -> Response:
    """Other banks' words on payments that we asked back: on record. The money of a yes comes by a message of its own."""
    async with transaction(parts.writer) as connection:
        await recalls.take_answers(connection, parts.spec.region, answers)
        ids = [name for one in answers for name in (one.end_to_end_id, one.transaction_id) if name]
        await _keep(connection, parts, rail, ids, body)
    return Response(status_code=204)


async def _take_report(parts: Parts, rail: str, report: StatusReport, body: bytes) -> Response:
    """A late word on payments of ours, or on another message of ours: on record, and nothing to answer."""
    region = parts.spec.region
    async with transaction(parts.writer) as connection:
        grouped = await named_by_messages(connection, region, rail, report.groups)
        answers = grouped | await named_by_ids(connection, region, report.answers)
        commands = await take_late_answers(connection, region, rail, answers)
        await recalls.take_asides(connection, region, rail, report.asides)
        named = [name for one in report.asides for name in (one.message_id, *one.references) if name]
        await _keep(connection, parts, rail, [*answers, *report.groups, *named], body)
    tell_later(parts.wallets, commands)
    return Response(status_code=204)


async def _take_account(parts: Parts, rail: str, report: AccountReport, body: bytes) -> Response:
    """What is booked on our account: kept. The money itself came, or comes, with messages of its own."""
    for one in report.set_aside:
        _log.error("%s: %r of %s is set aside: %s", rail, one.report_id, message_name(body), one.why)
    async with transaction(parts.writer) as connection:
        ids = [name for one in report.movements for name in (one.reference, one.end_to_end_id) if name]
        await _keep(connection, parts, rail, ids, body)
    return Response(status_code=204)


async def _keep(
    connection: Connection, parts: Parts, rail: str, ids: Sequence[str], received: bytes, answer: bytes | None = None
) -> None:
    """The message and our answer, in the commit of what they caused."""
    now, about = utc_now(), tuple(dict.fromkeys(ids))
    messages = [WireMessage(rail, "received", message_name(received), about, now, received)]
    if answer is not None:
        messages.append(WireMessage(rail, "sent", message_name(answer), about, now, answer))
    await store_messages.keep(connection, parts.institution.vault, messages)


def tell_later(wallets: Wallets, commands: Sequence[Command]) -> None:
    """Tell wallets without holding up the answer; what they do not hear, the sweep tells again."""
    if commands:
        task = tasks.start(_tell(wallets, commands), "telling wallets of what a scheme brought")
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
        (
            SchemeSignatureInvalid,
            UnknownRail,
            MessageInvalid,
            BodyTooLarge,
            InvalidRequest,
            HeaderRepeated,
            StoreUnavailable,
        )
    )
    answered = {"description": "pacs.002", "content": {_XML: {"schema": {"type": "string"}}}}
    app.add_api_route(
        "/rails/{rail}/inbound", receive_scheme_message, methods=["POST"], tags=["Rails"], summary="Money from a scheme",
        responses={200: answered, 204: {"description": "On record; nothing to answer"}, **failures}, openapi_extra=extra, response_class=Response,
    )  # fmt: skip
