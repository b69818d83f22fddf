"""Events as a feed: read on from where you stopped, and none is missed, whoever commits late."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction, transaction
from cells.webhooks import store_feed
from cells.webhooks.catalogue import CATALOGUE, EVENT_TYPES, example
from cells.webhooks.endpoints import UnknownEventType, check_event_types
from cells.webhooks.store_feed import BEGINNING, Page
from residency.classes import Confidential, Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import UnknownEvent
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import IdText, Instant, Limit, Shape, checked_id

EventType = Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(EVENT_TYPES)})]


class EventShown(BaseModel):
    """An event, exactly as webhooks carry it."""

    model_config = ConfigDict(extra="allow")
    id: Annotated[str, Public]
    type: Annotated[str, Public]
    timestamp: Annotated[datetime, Public]
    data: Annotated[dict[str, Any], Confidential]


class EventPage(BaseModel):
    """Oldest first. `next_cursor` is where to read on, now or tomorrow (null only while nothing has happened yet); `has_more`: whether
    there is more already. With a filter, a page may be short, or empty, and have more after it."""

    data: Annotated[list[EventShown], Confidential]
    next_cursor: Annotated[str | None, Public]
    has_more: Annotated[bool, Public]


class EventTypeShown(BaseModel):
    """An event type: when it is sent, and an example."""

    type: Annotated[str, Public]
    description: Annotated[str, Public]
    example: Annotated[EventShown, Confidential]


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
    early = BEGINNING
    if cursor is None and since is not None:
        # The neighbour in time may be any tenant's event; only its place is used.
        async with transaction(parts.writer) as connection:
            early = await store_feed.position_before(connection, parts.region, parts.spec.name, since)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        after = early
        if cursor is not None:
            event_id = checked_id(cursor, "evt", UnknownEvent())
            found = await store_feed.position_of(connection, parts.region, event_id)
            if found is None:
                raise UnknownEvent("The cursor is the id of an event of yours in this region.")
            after = found
        if transfer_id is not None:
            told = await store_feed.read_resources(connection, parts.region, [transfer_id], after=after)
            fits = [one for one in told if not types or one.event_type in types]
            page = Page(fits, told[-1].event_id if told else None, more=False)
        else:
            page = await store_feed.read_feed(
                connection, parts.region, call.tenant_id, after=after, limit=asked.limit, types=types
            )
    rows = [orjson.Fragment(one.body) for one in page.events]
    return Json({"data": rows, "next_cursor": page.last or cursor, "has_more": page.more})


async def get_event(request: Request, event_id: str) -> Response:
    """One event."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(event_id, "evt", UnknownEvent())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await store_feed.read_event(connection, parts.region, wanted)
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
    routes.add("GET", "/v1/events/{event_id}", get_event, summary="An event", model=EventShown, errors=(UnknownEvent,))
