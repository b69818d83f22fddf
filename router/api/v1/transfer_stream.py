"""One transfer's events as they happen, by server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Header
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.events import feed
from cells.payments import store
from cells.payments.machine import Leg
from cells.payments.transfer import TransferNotFound
from cells.webhooks.catalogue import ENDING_TYPES
from cells.webhooks.event import Event
from router.api.call import Caller, call_of
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import checked_id
from router.api.tail import EventTail, TooManyStreams

# Less than the router waits for the next byte (30 s), and than most proxies do.
HEARTBEAT_S = 10.0
# Then the stream ends, and the browser's or library's client comes back by itself with Last-Event-ID, and with a key that still holds.
LIFE_S = 900.0
_SEND_WITHIN_S = 30.0
_RETRY_MS = 1_000

LastSeen = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=64,
        description="The id of the last event that you saw: the stream goes on after it",
    ),
]


# Of one message of the stream: OpenAPI 3.1 has no other place for it, and readers of the document take it so.
_MESSAGE = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of messages: `id`, `event` (the type) and `data` (the event as webhooks carry it, on one line)",
        "content": {"text/event-stream": {"schema": _MESSAGE}},
    },
    204: {"description": "The transfer has ended, and you have seen it all"},
}


async def stream_transfer_events(request: Request, transfer_id: str, last_event_id: LastSeen = None) -> Response:
    """What happens to a transfer, from its beginning or from where you were (`Last-Event-ID`), until it has ended; a comment every ten
    seconds while nothing does. It ends within seconds of your key's end. `204` when all has been seen: a client that reconnects by itself stops then."""
    parts, call = parts_of(request), call_of(request)
    assert call.caller is not None, "the route is authenticated"
    wanted = checked_id(transfer_id, "tr", TransferNotFound())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        transfer = (await store.read(connection, parts.region, [wanted])).get(wanted)
        if transfer is None or transfer.leg is Leg.DESTINATION:
            raise TransferNotFound
        told = await feed.read_resources(connection, parts.region, [wanted])
    seen = _number_of(told, last_event_id)
    if seen == len(told) and _ended(told):
        return Response(status_code=204)
    parts.tail.check(call.tenant_id)
    return EventSourceResponse(
        _messages(parts.tail, call.caller, wanted, seen),
        ping=HEARTBEAT_S,
        send_timeout=_SEND_WITHIN_S,
        sep="\n",
    )


async def _messages(tail: EventTail, caller: Caller, transfer_id: str, seen: int) -> AsyncIterator[ServerSentEvent]:
    """Every event after the first `seen`, until the last of them ends the transfer, the stream's time is up, or the caller's key is
    no longer in use."""
    until = asyncio.get_running_loop().time() + LIFE_S
    async with tail.watching(caller.tenant.tenant_id, transfer_id, caller.key_id) as watched:
        while True:
            try:
                async with asyncio.timeout_at(until):
                    told = await watched.more_than(seen)
            except TimeoutError:
                return
            if watched.closed:
                return
            for event in told[seen:]:
                yield ServerSentEvent(event.body, event=event.event_type, id=event.event_id, retry=_RETRY_MS)
            seen = len(told)
            if _ended(told):
                return


def _number_of(told: Sequence[Event], event_id: str | None) -> int:
    """How many events somebody has seen who saw that one last; one that is not among them stands for none."""
    return next((number for number, one in enumerate(told, 1) if one.event_id == event_id), 0)


def _ended(told: Sequence[Event]) -> bool:
    return bool(told) and told[-1].event_type in ENDING_TYPES


def add_routes(app: FastAPI) -> None:
    Resource(app, "transfers", "Transfers").add(
        "GET", "/v1/transfers/{transfer_id}/events", stream_transfer_events, summary="A transfer, live", model=None,
        errors=(TransferNotFound, TooManyStreams), answers=_ANSWERS,
    )  # fmt: skip
