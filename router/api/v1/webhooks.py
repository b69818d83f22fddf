"""Webhook endpoints: made, changed, their secrets replaced, and the public keys that their signatures are checked with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, Record, tenant_transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.kit.headers import HeaderRepeated
from cells.tenants.tokens import published
from cells.webhooks import store_endpoints, store_secrets
from cells.webhooks.catalogue import EVENT_TYPES
from cells.webhooks.endpoints import (
    TooManyEndpoints,
    TooManySecrets,
    UnknownEventType,
    check_event_types,
    create_endpoint,
    rotate_secret,
)
from cells.webhooks.guard import URL_LENGTH_MAX, UrlNotAllowed, check_url
from cells.webhooks.signing import jwks, standard_public_key
from cells.webhooks.store_endpoints import Endpoint
from residency.classes import Confidential, Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, InvalidRequest, ParameterRepeated, UnknownEndpoint
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL, problem_responses
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import Shape, WholeNumber, checked_id, stamp
from router.api.strangers import TooManyFromAddress
from router.api.v1.events import EventType

_CACHED = {"Cache-Control": "public, max-age=300"}
_CREATE, _ROTATE = "webhooks.create", "webhooks.rotate"
_DAY_S = 86_400


class EndpointNew(Shape):
    """`event_types` empty: all of them."""

    url: Annotated[str, Confidential] = Field(max_length=URL_LENGTH_MAX, examples=["https://example.com/kovra"])
    event_types: Annotated[list[EventType], Public] = Field(default_factory=list, max_length=len(EVENT_TYPES))


class EndpointChange(Shape):
    """What is left out stays as it is. Disabling drops what is still to be sent; after enabling, a replay brings what was missed."""

    url: Annotated[str | None, Confidential] = Field(None, max_length=URL_LENGTH_MAX)
    event_types: Annotated[list[EventType] | None, Public] = Field(None, max_length=len(EVENT_TYPES))
    status: Annotated[Literal["enabled", "disabled"] | None, Public] = None


class Rotation(Shape):
    """For `overlap_s` seconds the old secret also signs; 0: it ends at once."""

    overlap_s: Annotated[WholeNumber, Public] = Field(_DAY_S, ge=0, le=7 * _DAY_S)


class EndpointShown(BaseModel):
    """`secret` is shown once, when it is made. `previous_secrets_end_at`: until when replaced secrets also sign, the latest first.
    `failing_since`: it has taken nothing since; after three days it is disabled. `jwks_path`: where the public keys are."""

    id: Annotated[str, Public]
    url: Annotated[str, Confidential]
    event_types: Annotated[list[str], Public]
    status: Annotated[Literal["enabled", "disabled"], Public]
    disabled_reason: Annotated[Literal["owner", "gone", "failing"] | None, Public]
    disabled_at: Annotated[datetime | None, Public]
    failing_since: Annotated[datetime | None, Public]
    replaying: Annotated[bool, Public]
    previous_secrets_end_at: Annotated[list[datetime], Public]
    jwks_path: Annotated[str, Public]
    created_at: Annotated[datetime, Public]
    secret: Annotated[str | None, Confidential] = None


class EndpointList(BaseModel):
    """Oldest first, disabled ones included."""

    data: Annotated[list[EndpointShown], Confidential]


class Jwks(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: Annotated[list[dict[str, Any]], Public]


class EndpointKeys(Jwks):
    """The JWK set, and the Ed25519 key of it as Standard Webhooks writes it."""

    public_key: Annotated[str, Public] = Field(pattern=r"^whpk_[A-Za-z0-9+/]{43}=$")


async def create_webhook(request: Request, body: EndpointNew) -> Response:
    """Have your events sent to a URL, signed. The secret in the answer is shown this once."""
    parts, call = parts_of(request), call_of(request)

    async def make(connection: Connection) -> Made:
        endpoint, secret = await create_endpoint(
            connection, parts.institution.vault, parts.spec.name, call.tenant_id, url=body.url, event_types=body.event_types,
            loopback_ports=parts.spec.settings.webhook_loopback_ports,
        )  # fmt: skip
        return Made(endpoint.endpoint_id, {**_shown(endpoint, parts.region, ()), "secret": secret})

    async def again(connection: Connection, endpoint_id: str) -> dict[str, Any]:
        return await _read(connection, parts, call.tenant_id, endpoint_id)

    return await created(request, _CREATE, make, again)


async def list_webhooks(request: Request) -> Response:
    """Your webhook endpoints in this region."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await store_endpoints.list_endpoints(connection, parts.region, call.tenant_id)
        times = await store_secrets.secret_times(connection, parts.region, [one.endpoint_id for one in found])
    return Json({"data": [_shown(one, parts.region, times[one.endpoint_id]) for one in found]})


async def get_webhook(request: Request, endpoint_id: str) -> Response:
    """One of your endpoints."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        return Json(await _read(connection, parts, call.tenant_id, wanted))


async def update_webhook(request: Request, endpoint_id: str, body: EndpointChange) -> Response:
    """Change where events go, or which; disable or enable an endpoint."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    if body.url is not None:
        check_url(body.url, parts.spec.settings.webhook_loopback_ports)
    check_event_types(body.event_types or ())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        was = await own_endpoint(connection, parts.region, call.tenant_id, wanted, lock=True)
        types = was.event_types if body.event_types is None else sorted(set(body.event_types))
        url = was.url if body.url is None else body.url
        await store_endpoints.change_endpoint(connection, parts.region, wanted, url=url, event_types=types)
        if body.status == "disabled":
            await store_endpoints.disable_endpoints(connection, parts.region, [wanted], "owner")
        elif body.status == "enabled" and was.disabled_at is not None:
            await store_endpoints.enable_endpoint(connection, parts.region, wanted)
        call.resource_id = wanted
        return Json(await _read(connection, parts, call.tenant_id, wanted))


async def delete_webhook(request: Request, endpoint_id: str) -> Response:
    """Stop sending to an endpoint, for good. What was still to be sent to it is dropped."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await own_endpoint(connection, parts.region, call.tenant_id, wanted, lock=True)
        await store_endpoints.delete_endpoint(connection, parts.region, wanted)
    call.resource_id = wanted
    return Response(status_code=204)


async def rotate_webhook_secret(request: Request, endpoint_id: str, body: Rotation) -> Response:
    """Give an endpoint a new secret, shown this once. Until the overlap is over, deliveries carry a signature of each."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())

    async def make(connection: Connection) -> Made:
        await own_endpoint(connection, parts.region, call.tenant_id, wanted, lock=True)
        overlap = timedelta(seconds=body.overlap_s)
        secret = await rotate_secret(connection, parts.institution.vault, call.tenant_id, wanted, overlap=overlap)
        return Made(wanted, {**await _read(connection, parts, call.tenant_id, wanted), "secret": secret})

    async def again(connection: Connection, endpoint_id: str) -> dict[str, Any]:
        return await _read(connection, parts, call.tenant_id, endpoint_id)

    return await created(request, f"{_ROTATE}.{wanted}", make, again)


async def list_webhook_keys(request: Request, endpoint_id: str) -> Response:
    """The public keys of an endpoint's signatures: ES256 for the detached JWS, Ed25519 for `v1a`."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(endpoint_id, "whe", UnknownEndpoint())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await own_endpoint(connection, parts.region, call.tenant_id, wanted)
        found = await store_secrets.public_keys(connection, parts.region, call.tenant_id)
    return Json({**jwks(found), "public_key": standard_public_key(found)})


async def list_public_keys(
    request: Request, tenant_id: Annotated[str | None, Query(pattern=r"^ten_[a-z0-9_]{1,60}$")] = None
) -> Response:
    """The public keys that a tenant's webhooks from this region are signed with; without a tenant, those of the region's access
    tokens. Open to all; unknown tenants have none."""
    parts = parts_of(request)
    if tenant_id is None:
        return Json({"keys": published(parts.spec.entry, datetime.now(UTC))}, headers=_CACHED)
    # No caller, but a tenant to bind to, whose rows alone are seen; of them, public halves are all that is answered with.
    async with tenant_transaction(parts.pool, tenant_id) as connection:
        found = await store_secrets.public_keys(connection, parts.region, tenant_id)
    return Json(jwks(found), headers=_CACHED)


async def own_endpoint(
    connection: Connection, region: str, tenant_id: str, endpoint_id: str, *, lock: bool = False
) -> Endpoint:
    """Raises UnknownEndpoint."""
    found = await store_endpoints.find_endpoint(connection, region, tenant_id, endpoint_id, lock=lock)
    if found is None:
        raise UnknownEndpoint
    return found


async def _read(connection: Connection, parts: Parts, tenant_id: str, endpoint_id: str) -> dict[str, Any]:
    found = await own_endpoint(connection, parts.region, tenant_id, endpoint_id)
    times = await store_secrets.secret_times(connection, parts.region, [endpoint_id])
    return _shown(found, parts.region, times[endpoint_id])


def _shown(endpoint: Endpoint, region: str, secrets: list[Record] | tuple[()]) -> dict[str, Any]:
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "status": "enabled" if endpoint.disabled_at is None else "disabled",
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": stamp(endpoint.disabled_at) if endpoint.disabled_at else None,
        "failing_since": stamp(endpoint.failing_since) if endpoint.failing_since else None,
        "replaying": endpoint.replaying,
        "previous_secrets_end_at": [stamp(one["ends_at"]) for one in secrets if one["live"] and one["ends_at"]],
        # With its region, because each region signs with keys of its own.
        "jwks_path": f"/{region.lower()}/.well-known/jwks.json?tenant_id={endpoint.tenant_id}",
        "created_at": stamp(endpoint.created_at),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "webhooks", "Webhooks")
    keyed: tuple[type[KovraError], ...] = (IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight)
    named: tuple[type[KovraError], ...] = (UrlNotAllowed, UnknownEventType)
    routes.add(
        "POST", "/v1/webhooks", create_webhook, summary="Create an endpoint", model=EndpointShown, status=201,
        errors=(*named, TooManyEndpoints, UnknownEndpoint, *keyed), headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", "/v1/webhooks", list_webhooks, summary="Your endpoints", model=EndpointList)
    one = "/v1/webhooks/{endpoint_id}"
    missing: tuple[type[KovraError], ...] = (UnknownEndpoint,)
    routes.add("GET", one, get_webhook, summary="An endpoint", model=EndpointShown, errors=missing)
    routes.add(
        "PATCH", one, update_webhook, summary="Change an endpoint", model=EndpointShown, errors=(*missing, *named)
    )
    routes.add("DELETE", one, delete_webhook, summary="Delete an endpoint", model=None, status=204, errors=missing)
    routes.add(
        "POST", f"{one}/secret", rotate_webhook_secret, summary="Replace the secret", model=EndpointShown, status=201,
        errors=(*missing, TooManySecrets, *keyed), headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", f"{one}/keys", list_webhook_keys, summary="Public keys", model=EndpointKeys, errors=missing)
    app.add_api_route(
        "/.well-known/jwks.json", list_public_keys, response_model=Jwks, tags=["Webhooks"], summary="Public keys of webhooks and tokens",
        responses=problem_responses((InvalidRequest, ParameterRepeated, HeaderRepeated, TooManyFromAddress)),
    )  # fmt: skip
