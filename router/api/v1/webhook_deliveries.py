"""What was sent to an endpoint, and sending it again: one event, all since a moment, or a test."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field, PlainValidator, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.events import feed
from cells.journal.entry import Position
from cells.journal.store_public import position_of
from cells.webhooks import store_endpoints, store_log
from cells.webhooks.event import event_id_at, event_id_of
from cells.webhooks.sender import Fault
from cells.webhooks.store_endpoints import Endpoint, Owned
from cells.webhooks.store_log import LoggedDelivery
from residency.classes import Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import EndpointDisabled, UnknownDelivery, UnknownEndpoint, UnknownEvent
from router.api.field_words import words_of
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import Cursor, IdText, Instant, Limit, Shape, checked_id, page, stamp
from router.api.v1.webhooks import own_endpoint

# Older deliveries are no longer shown; a replay from the feed still sends their events.
SHOWN_FOR = timedelta(days=30)
State = Literal["pending", "delivered", "dead"]


class AttemptShown(BaseModel):
    """One attempt. `sending`: 1 is the first delivery, each resending or replay the next. `status`: what the endpoint answered, if it did. `error`: the class of failure, null if it was taken."""

    at: Annotated[datetime, Public]
    sending: Annotated[int, Public]
    status: Annotated[int | None, Public]
    error: Annotated[Fault | None, Public]
    took_ms: Annotated[int, Public]


class DeliveryShown(BaseModel):
    """The delivery of an event to an endpoint. `sending` counts the first delivery and each resending or replay; `state` and `attempt_count` are of
    the last. `next_attempt_at`: when it is sent next, while it is pending. `delivered_at`: when it was first taken. `attempts`: oldest
    first, of all sendings: the first ten, and the last ten."""

    event_id: Annotated[str, Public]
    event_type: Annotated[str, Public]
    endpoint_id: Annotated[str, Public]
    state: Annotated[State, Public]
    sending: Annotated[int, Public]
    attempt_count: Annotated[int, Public]
    next_attempt_at: Annotated[datetime | None, Public]
    delivered_at: Annotated[datetime | None, Public]
    created_at: Annotated[datetime, Public]
    attempts: Annotated[list[AttemptShown], Public]


class DeliveryPage(BaseModel):
    """Newest event first, of the last thirty days."""

    data: Annotated[list[DeliveryShown], Public]
    next_cursor: Annotated[str | None, Public]


_FROM = "Give the id of an event of yours in this region, or a time by RFC 3339."


_ID, _TIME = TypeAdapter(IdText), TypeAdapter[datetime](Instant)


def _words(error: ValidationError) -> str:
    fault = error.errors(include_input=False)[0]
    return words_of(fault["type"], fault["msg"], fault.get("ctx"))


def _event_or_time(value: Any) -> str | datetime:
    """By hand, since pydantic tells a fault of a union under the names of its members, which are nothing of the body's."""
    timed = isinstance(value, str) and ":" in value
    try:
        return _TIME.validate_python(value) if timed else _ID.validate_python(value)
    except ValidationError as error:
        raise ValueError(_words(error) if timed else _FROM) from None


class Replay(Shape):
    """`from`: an event's id, or a time. That event and all after it are sent again, those that the endpoint listens for."""

    from_: Annotated[
        str | datetime, PlainValidator(_event_or_time, json_schema_input_type=IdText | Instant), Public
    ] = Field(alias="from", examples=["2026-11-21T10:00:00Z"])


class ReplayShown(BaseModel):
    """A replay under way: `replaying` at the endpoint says when it is over."""

    endpoint_id: Annotated[str, Public]
    replaying: Annotated[bool, Public]


class TestShown(BaseModel):
    """The event that is on its way to the endpoint."""

    event_id: Annotated[str, Public]
    endpoint_id: Annotated[str, Public]


async def list_webhook_deliveries(
    request: Request,
    endpoint_id: str,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Those in this state alone")] = None,
) -> Response:
    """What was sent to an endpoint, with every attempt."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    since = event_id_at(parts.spec.name, datetime.now(UTC) - SHOWN_FOR)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await own_endpoint(connection, parts.region, call.tenant_id, wanted)
        found = await store_log.list_deliveries(
            connection, parts.region, call.tenant_id, wanted, state=state, since_id=since, before_id=cursor, limit=limit
        )
    return Json(page([_shown(one) for one in found], limit, found[-1].event_id if found else None))


async def resend_webhook_delivery(request: Request, endpoint_id: str, event_id: str) -> Response:
    """Send one event to an endpoint again, now, with a fresh schedule behind it."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    event = checked_id(event_id, "evt", UnknownDelivery())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await _enabled(connection, parts, call.tenant_id, wanted)
        found = await store_log.resend(connection, parts.region, wanted, event)
        if found is None:
            raise UnknownDelivery
    call.resource_id = wanted
    return Json(_shown(found), 202)


async def replay_webhook(request: Request, endpoint_id: str, body: Replay) -> Response:
    """Send everything again from an event or a moment on, as fast as the endpoint takes it. What goes on meanwhile is sent too, so
    it may come in any order, and twice: recognise it by its `webhook-id`. A new replay takes the place of one that is under way."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await _enabled(connection, parts, call.tenant_id, wanted)
        after = await _place_before(connection, parts.region, call.tenant_id, body.from_)
        await store_log.start_replay(connection, parts.region, wanted, after)
    call.resource_id = wanted
    return Json({"endpoint_id": wanted, "replaying": True}, 202)


async def test_webhook(request: Request, endpoint_id: str) -> Response:
    """Send a `webhook.test` to an endpoint, whatever it listens for, signed like every other."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await _enabled(connection, parts, call.tenant_id, wanted)
        [entry] = await store_endpoints.record(
            connection, parts.region, [Owned(wanted, call.tenant_id)], "tested", {}, call.author
        )
    call.resource_id = wanted
    return Json({"event_id": event_id_of(entry), "endpoint_id": wanted}, 202)


async def _place_before(connection: Connection, region: str, tenant_id: str, first: str | datetime) -> Position:
    """The place before an event of the tenant's, or before all since an instant. Raises UnknownEvent."""
    if isinstance(first, datetime):
        return await feed.place_before(connection, region, tenant_id, first)
    unknown = UnknownEvent(_FROM, pointer="/from")
    found = await feed.entry_of(connection, region, tenant_id, checked_id(first, "evt", unknown))
    if found is None:
        raise unknown
    return position_of(found)._replace(version=found.version - 1)


async def _enabled(connection: Connection, parts: Parts, tenant_id: str, endpoint_id: str) -> Endpoint:
    """Raises UnknownEndpoint, EndpointDisabled."""
    found = await own_endpoint(connection, parts.region, tenant_id, endpoint_id, lock=True)
    if found.disabled_at is not None:
        raise EndpointDisabled
    return found


def _shown(delivery: LoggedDelivery) -> dict[str, Any]:
    return {
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "endpoint_id": delivery.endpoint_id,
        "state": delivery.state,
        "sending": delivery.sending,
        "attempt_count": delivery.attempts,
        "next_attempt_at": stamp(delivery.due_at) if delivery.state == "pending" else None,
        "delivered_at": stamp(delivery.delivered_at) if delivery.delivered_at else None,
        "created_at": stamp(delivery.created_at),
        "attempts": [one | {"at": stamp(datetime.fromisoformat(one["at"]))} for one in delivery.attempt_log],
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "webhooks", "Webhooks")
    one = "/v1/webhooks/{endpoint_id}"
    missing: tuple[type[KovraError], ...] = (UnknownEndpoint,)
    sending: tuple[type[KovraError], ...] = (*missing, EndpointDisabled)
    routes.add(
        "GET", f"{one}/deliveries", list_webhook_deliveries, summary="What was sent", model=DeliveryPage, errors=missing
    )
    routes.add(
        "POST", f"{one}/deliveries/{{event_id}}/resend", resend_webhook_delivery, summary="Send one event again", model=DeliveryShown, status=202,
        errors=(*sending, UnknownDelivery),
    )  # fmt: skip
    routes.add(
        "POST", f"{one}/replay", replay_webhook, summary="Send everything again", model=ReplayShown, status=202,
        errors=(*sending, UnknownEvent),
    )  # fmt: skip
    routes.add(
        "POST", f"{one}/test", test_webhook, summary="Send a test event", model=TestShown, status=202, errors=sending
    )
