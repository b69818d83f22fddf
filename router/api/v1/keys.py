"""Who a partner is to this region, by any of its keys; and the keys that it has here."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.tenants import store_keys
from cells.tenants.keys import in_use
from cells.tenants.tenant import ApiKey, CredentialType, Environment, Tenant
from cells.tenants.tiers import tier
from residency.classes import Confidential, Public
from router.api.call import Json, call_of
from router.api.parts import parts_of
from router.api.routes import ANY_SCOPE, Resource
from router.api.shapes import stamp


class KeyListed(BaseModel):
    """A key without what opens; `prefix` is how it begins."""

    id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    credential_type: Annotated[CredentialType, Public]
    prefix: Annotated[str, Public]
    scopes: Annotated[list[str], Public]
    label: Annotated[str, Confidential]
    state: Annotated[Literal["in_use", "expired", "revoked"], Public]
    created_at: Annotated[datetime | None, Public]
    expires_at: Annotated[datetime | None, Public]
    last_used_at: Annotated[datetime | None, Public] = Field(description="True to the minute, of this cell alone")


class OwnKeys(BaseModel):
    """Your keys in this region, oldest first, those that are out of use included."""

    data: Annotated[list[KeyListed], Confidential]


class Caller(BaseModel):
    """The key that this request was made with. `scopes`: what the request may do; with an access token, what the token may."""

    id: Annotated[str, Public]
    scopes: Annotated[list[str], Public]


class Profile(BaseModel):
    """Your company as this region knows it. `region`: that which answers; `home_region`: where you are at home, and what a request
    without a region goes to. `requests_per_minute`: how many all your keys together may make here."""

    id: Annotated[str, Public]
    name: Annotated[str, Confidential]
    environment: Annotated[Environment, Public]
    tier: Annotated[str, Public]
    requests_per_minute: Annotated[int, Public]
    region: Annotated[str, Public]
    home_region: Annotated[str, Public]
    key: Annotated[Caller, Public]


async def get_profile(request: Request) -> Response:
    """Who you are to this region: your company, its tier, and the key that you call with. Any key may ask."""
    parts, call = parts_of(request), call_of(request)
    assert call.caller is not None, "the route is authenticated"
    tenant = call.tenant
    return Json(
        {
            "id": tenant.tenant_id,
            "name": tenant.name,
            "environment": tenant.environment,
            "tier": tenant.tier,
            "requests_per_minute": tier(tenant.tier).requests_per_minute,
            "region": parts.region,
            "home_region": tenant.home_region,
            "key": {"id": call.caller.key_id, "scopes": sorted(call.caller.scopes)},
        }
    )


async def list_keys(request: Request) -> Response:
    """Your keys in this region: what each may do, until when, and when it was last used. No secret is ever shown again."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await store_keys.list_keys(connection, parts.region, [call.tenant_id])
    return Json({"data": [key_shown(one, call.tenant) for one in found]})


def key_shown(key: ApiKey, tenant: Tenant) -> dict[str, Any]:
    """A key as the API writes it."""
    _, cell, public = key.key_id.split("_")
    state = "revoked" if key.revoked_at else "in_use" if in_use(key, datetime.now(UTC)) else "expired"
    times = {"created_at": key.created_at, "expires_at": key.expires_at, "last_used_at": key.last_used_at}
    return {
        "id": key.key_id,
        "tenant_id": key.tenant_id,
        "credential_type": key.credential_type,
        "prefix": f"kv_{tenant.environment}_{cell}_{public}" if key.credential_type == "key" else key.key_id,
        "scopes": sorted(key.scopes),
        "label": key.label,
        "state": state,
        **{name: stamp(at) if at else None for name, at in times.items()},
    }


def add_routes(app: FastAPI) -> None:
    anybody = Resource(app, ANY_SCOPE, "Account")
    anybody.add("GET", "/v1/me", get_profile, summary="Your profile", model=Profile)
    routes = Resource(app, "read", "Account")
    routes.add("GET", "/v1/keys", list_keys, summary="Your keys", model=OwnKeys)
