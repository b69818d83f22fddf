"""Events as a feed: read on from where you stopped, and none is missed, whoever commits late."""

from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.events import feed
from cells.events.feed import Page
from cells.journal.entry import Position
from cells.journal.store_public import BEGINNING, position_of
from cells.webhooks.catalogue import CATALOGUE, EVENT_TYPES, example
from cells.webhooks.endpoints import UnknownEventType, check_event_types
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import MalformedId, parse
from residency.wire import Event
from router.api.call import Json, call_of
from router.api.errors import UnknownEvent
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import IdText, Instant, Limit, Shape, checked_id

EventType = Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(EVENT_TYPES)})]


class EventPage(BaseModel):
    """Oldest first. `next_cursor` is where to read on, now or tomorrow (null only while nothing has happened yet); `has_more`: whether
    there is more already. With a filter, a page may be short, or empty, and have more after it."""

    data: Annotated[list[Event], Confidential]
    next_cursor: Annotated[str | None, Public]
    has_more: Annotated[bool, Public]


class EventTypeShown(BaseModel):
    """An event type: when it is sent, and an example."""

    type: Annotated[str, Public]
    description: Annotated[str, Public]
    example: Annotated[Event, Confidential]


class EventTypeList(BaseModel):
    """Every kind of event."""

    data: Annotated[list[EventTypeShown], Confidential]


class EventsAsked(Shape):
    """Which events to read. A filter that is left out lets all through; one that is unknown is refused, not passed over."""

    limit: Annotated[Limit, Public] = 50
    cursor: Annotated[IdText | None, Public] = Field(
        default=None, description="The `next_cursor` of the page before, or the id of any event: what comes after it"
    )
    since: Annotated[Instant | None, Public] = Field(
        default=None, description="Instead of a cursor: from that time on, and perhaps a minute before it"
    )
    types: Annotated[list[EventType], Public] = Field(
        default_factory=list, alias="type", max_length=len(EVENT_TYPES), description="Of these types alone"
    )
    transfer_id: Annotated[IdText | None, Public] = Field(
        default=None, description="Only the events of this transfer, all on one page"
    )


async def list_events(request: Request, asked: Annotated[EventsAsked, Query()]) -> Response:
    """The events of this region, oldest first, as sent to your webhooks. Store `next_cursor` and send it as `cursor` later: you
    miss nothing."""
    parts, call = parts_of(request), call_of(request)
    cursor, since, types, transfer_id = asked.cursor, asked.since, asked.types, asked.transfer_id
    check_event_types(types)
    region, tenant_id = parts.region, call.tenant_id
    async with tenant_transaction(parts.pool, tenant_id) as connection:
        after = BEGINNING
        if cursor is not None:
            event_id = checked_id(cursor, "evt", UnknownEvent())
            found = await feed.entry_of(connection, region, tenant_id, event_id)
            if found is None:
                raise UnknownEvent("The cursor is the id of an event of yours in this region.")
            after = position_of(found)
        elif since is not None:
            after = await feed.place_before(connection, region, tenant_id, since)
        if transfer_id is not None:
            page = await _of_transfer(connection, region, transfer_id, after, types)
        else:
            page = await feed.read(connection, region, tenant_id, after=after, limit=asked.limit, types=types)
    rows = [orjson.Fragment(one.body) for one in page.events]
    return Json({"data": rows, "next_cursor": page.last or cursor, "has_more": page.more})


async def _of_transfer(
    connection: Connection, region: str, transfer_id: str, after: Position, types: Sequence[str]
) -> Page:
    try:
        parse(transfer_id, "tr")
    except MalformedId:
        return Page([], None, more=False)
    found = await feed.read_resources(connection, region, [transfer_id], after=after)
    fits = [one for one in found if not types or one.event_type in types]
    return Page(fits, found[-1].event_id if found else None, more=False)


async def get_event(request: Request, event_id: str) -> Response:
    """One event."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(event_id, "evt", UnknownEvent())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await feed.read_event(connection, parts.region, call.tenant_id, wanted)
    if found is None:
        raise UnknownEvent
    return Response(found.body, media_type="application/json")


async def list_types() -> Response:
    """Every kind of event, with an example."""
    rows = [{"type": name, "description": kind.says, "example": example(name)} for name, kind in CATALOGUE.items()]
    return Json({"data": rows})


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "webhooks", "Events")
    errors: tuple[type[KovraError], ...] = (UnknownEvent, UnknownEventType)
    routes.add("GET", "/v1/events", list_events, summary="Your events, as a feed", model=EventPage, errors=errors)
    routes.add("GET", "/v1/events/types", list_types, summary="The kinds of events", model=EventTypeList)
    routes.add("GET", "/v1/events/{event_id}", get_event, summary="An event", model=Event, errors=(UnknownEvent,))
