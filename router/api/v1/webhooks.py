"""Webhook endpoints, the events they are told of, and the public keys that their signatures are checked with."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction, transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.tenants.tokens import published
from cells.webhooks import store_endpoints
from cells.webhooks.endpoints import UnknownEventType, create_endpoint
from cells.webhooks.events import EVENT_TYPES
from cells.webhooks.guard import URL_LENGTH_MAX, UrlNotAllowed
from cells.webhooks.signing import jwks
from cells.webhooks.store import list_events as events_of
from cells.webhooks.store_endpoints import Endpoint, list_endpoints
from residency.classes import Confidential, Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, InvalidRequest, UnknownEndpoint
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL, problem_responses
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import Cursor, Limit, Shape, checked_id, page, stamp

OPERATION = "webhooks.create"
_DELETED = "deleted by its owner"
_CACHED = {"Cache-Control": "public, max-age=300"}
EventType = Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(EVENT_TYPES)})]


class EndpointNew(Shape):
    """`event_types` empty: all of them."""

    url: Annotated[str, Confidential] = Field(max_length=URL_LENGTH_MAX, examples=["https://example.com/kovra"])
    event_types: Annotated[list[EventType], Public] = Field(default_factory=list, max_length=len(EVENT_TYPES))


class EndpointShown(BaseModel):
    """`secret` is shown once, when the endpoint is made. `jwks_path`: where the public key of the detached JWS is."""

    id: Annotated[str, Public]
    url: Annotated[str, Confidential]
    event_types: Annotated[list[str], Public]
    status: Annotated[Literal["enabled", "disabled"], Public]
    disabled_reason: Annotated[str | None, Public]
    jwks_path: Annotated[str, Public]
    created_at: Annotated[datetime, Public]
    secret: Annotated[str | None, Confidential] = None


class EndpointList(BaseModel):
    """Oldest first, disabled ones included."""

    data: Annotated[list[EndpointShown], Confidential]


class EventShown(BaseModel):
    """An event, exactly as webhooks carry it."""

    model_config = ConfigDict(extra="allow")
    id: Annotated[str, Public]
    type: Annotated[str, Public]
    timestamp: Annotated[datetime, Public]
    data: Annotated[dict[str, Any], Confidential]


class EventPage(BaseModel):
    """Newest first."""

    data: Annotated[list[EventShown], Confidential]
    next_cursor: Annotated[str | None, Public]


class Jwks(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: Annotated[list[dict[str, Any]], Public]


async def create(request: Request, body: EndpointNew) -> Response:
    """Have your events sent to a URL, signed. The secret in the answer is shown this once."""
    parts, call = parts_of(request), call_of(request)

    async def make(connection: Connection) -> Made:
        endpoint, secret = await create_endpoint(
            connection, parts.institution.vault, parts.spec.name, call.tenant_id, url=body.url, event_types=body.event_types,
            allow_loopback=parts.spec.settings.sandbox,
        )  # fmt: skip
        return Made(endpoint.endpoint_id, {**_shown(endpoint, parts.region), "secret": secret})

    async def again(connection: Connection, endpoint_id: str) -> dict[str, Any]:
        found = await list_endpoints(connection, parts.region, call.tenant_id)
        return next(_shown(one, parts.region) for one in found if one.endpoint_id == endpoint_id)

    return await created(request, OPERATION, make, again)


async def list_all(request: Request) -> Response:
    """Your webhook endpoints in this region."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await list_endpoints(connection, parts.region, call.tenant_id)
    return Json({"data": [_shown(one, parts.region) for one in found]})


async def delete(request: Request, endpoint_id: str) -> Response:
    """Stop sending to an endpoint, for good. What was still to be sent to it is dropped."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await list_endpoints(connection, parts.region, call.tenant_id)
        if wanted not in {one.endpoint_id for one in found}:
            raise UnknownEndpoint
        await store_endpoints.disable_endpoints(connection, parts.region, [wanted], _DELETED)
    call.resource_id = wanted
    return Response(status_code=204)


async def list_events(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What happened in this region, newest first, as your webhooks were told."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await events_of(connection, parts.region, call.tenant_id, before=cursor, limit=limit)
    return Json(page([orjson.loads(one.body) for one in found], limit, found[-1].event_id if found else None))


async def public_keys(
    request: Request, tenant_id: Annotated[str | None, Query(pattern=r"^ten_[a-z0-9_]{1,60}$")] = None
) -> Response:
    """The public keys that a tenant's webhooks from this region are signed with; without a tenant, those of the region's access
    tokens. Open to all; unknown tenants have none."""
    parts = parts_of(request)
    if tenant_id is None:
        return Json({"keys": published(parts.spec.entry, datetime.now(UTC))}, headers=_CACHED)
    # No caller, so no tenant to bind to: the writer's role reads, and public halves are all it answers with.
    async with transaction(parts.writer) as connection:
        found = await store_endpoints.public_keys(connection, parts.region, tenant_id)
    return Json(jwks(found), headers=_CACHED)


def _shown(endpoint: Endpoint, region: str) -> dict[str, Any]:
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "status": "enabled" if endpoint.disabled_at is None else "disabled",
        "disabled_reason": endpoint.disabled_reason,
        # With its region, because each region signs with keys of its own.
        "jwks_path": f"/{region.lower()}/.well-known/jwks.json?tenant_id={endpoint.tenant_id}",
        "created_at": stamp(endpoint.created_at),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "webhooks", "Webhooks")
    errors: tuple[type[KovraError], ...] = (
        UrlNotAllowed, UnknownEventType, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight,
    )  # fmt: skip
    routes.add(
        "POST", "/v1/webhooks", create, summary="Create an endpoint", model=EndpointShown, status=201, errors=errors,
        headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", "/v1/webhooks", list_all, summary="Your endpoints", model=EndpointList)
    routes.add(
        "DELETE", "/v1/webhooks/{endpoint_id}", delete, summary="Delete an endpoint", model=None, status=204,
        errors=(UnknownEndpoint,),
    )  # fmt: skip
    Resource(app, "webhooks", "Events").add("GET", "/v1/events", list_events, summary="Your events", model=EventPage)
    app.add_api_route(
        "/.well-known/jwks.json", public_keys, response_model=Jwks, tags=["Webhooks"], summary="Public keys of webhooks and tokens",
        responses=problem_responses((InvalidRequest,)),
    )  # fmt: skip
