"""Administration of a partner's keys in this cell, of all three ways. See admin.py."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.tenants import store_keys
from cells.tenants.issuing import OVERLAP, Issued, follow, issue
from cells.tenants.keys import ADMIN, SCOPES, ScopeUnknown, UnknownKey, checked_scopes, in_use
from cells.tenants.tenant import ApiKey, CredentialType, Tenant, UnknownTenant
from residency.classes import Confidential, Public
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import Instant, Shape, Text, WholeNumber, checked_id
from router.api.v1.admin import TENANTS, found_tenant
from router.api.v1.keys import KeyListed, key_shown

_HOURS_MAX = 24 * 30
Label = Annotated[Text, StringConstraints(max_length=100)]
Scope = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}(:read)?$")]


class KeyNew(Shape):
    """`scopes`: nouns, `noun:read`, or `read`; all that a partner's key may have where left out."""

    credential_type: Annotated[CredentialType, Public] = "key"
    scopes: Annotated[list[Scope], Public] = Field(default_factory=lambda: sorted(SCOPES), min_length=1, max_length=50)
    label: Annotated[Label, Confidential] = ""
    expires_at: Annotated[Instant | None, Public] = None


class RotationNew(Shape):
    overlap_hours: Annotated[WholeNumber, Public] = Field(int(OVERLAP.total_seconds()) // 3600, ge=0, le=_HOURS_MAX)


class KeyShown(KeyListed):
    """A key of a partner. `secret` is shown once, when it is made: the whole key, or its secret."""

    secret: Annotated[str | None, Confidential] = None


class KeyList(BaseModel):
    """Oldest first, those that are out of use included."""

    data: Annotated[list[KeyShown], Confidential]


async def create_tenant_key(request: Request, tenant_id: str, body: KeyNew) -> Response:
    """A key of a partner, for this cell. Its secret is in this answer and in no other."""
    parts = parts_of(request)
    scopes = checked_scopes(body.scopes)

    async def make(connection: Connection) -> Made:
        tenant = await found_tenant(connection, parts, tenant_id)
        issued = issue(
            tenant, scopes, credential_type=body.credential_type, label=body.label, expires_at=body.expires_at
        )
        return await _stored(connection, parts, tenant, issued)

    return await _key_created(request, "admin.keys.create", tenant_id, make)


async def rotate_tenant_key(request: Request, tenant_id: str, key_id: str, body: RotationNew) -> Response:
    """A key that may do the same; the old one ends after the overlap."""
    parts = parts_of(request)

    async def make(connection: Connection) -> Made:
        tenant = await found_tenant(connection, parts, tenant_id)
        old = await _key(connection, parts, tenant, key_id)
        if not in_use(old, datetime.now(UTC)):
            raise UnknownKey
        ends = datetime.now(UTC) + timedelta(hours=body.overlap_hours)
        await store_keys.expire_keys(connection, parts.region, [old.key_id], ends)
        return await _stored(connection, parts, tenant, follow(tenant, old))

    return await _key_created(request, "admin.keys.rotate", tenant_id, make)


async def list_tenant_keys(request: Request, tenant_id: str) -> Response:
    """A partner's keys in this cell."""
    parts = parts_of(request)
    async with transaction(parts.writer) as connection:
        tenant = await found_tenant(connection, parts, tenant_id)
        found = await store_keys.list_keys(connection, parts.region, [tenant.tenant_id])
    return Json({"data": [key_shown(one, tenant) for one in found]})


async def revoke_tenant_key(request: Request, tenant_id: str, key_id: str) -> Response:
    """Out of use from now on: within seconds neither it nor its tokens open anything in this cell."""
    parts, call = parts_of(request), call_of(request)
    async with transaction(parts.writer) as connection:
        key = await _key(connection, parts, await found_tenant(connection, parts, tenant_id), key_id)
        await store_keys.revoke_keys(connection, parts.region, [key.key_id])
    call.resource_id = key.key_id
    return Response(status_code=204)


async def _key(connection: Connection, parts: Parts, tenant: Tenant, key_id: str) -> ApiKey:
    """Raises UnknownKey."""
    wanted = checked_id(key_id, "key", UnknownKey())
    for key in await store_keys.list_keys(connection, parts.region, [tenant.tenant_id]):
        if key.key_id == wanted:
            return key
    raise UnknownKey


async def _stored(connection: Connection, parts: Parts, tenant: Tenant, issued: Issued) -> Made:
    await store_keys.add_keys(connection, parts.region, [issued.sealed_by(parts.institution.vault)])
    key = await _key(connection, parts, tenant, issued.row.key_id)
    return Made(key.key_id, {**key_shown(key, tenant), "secret": issued.text})


async def _key_created(
    request: Request, operation: str, tenant_id: str, make: Callable[[Connection], Awaitable[Made]]
) -> Response:
    parts = parts_of(request)

    async def again(connection: Connection, key_id: str) -> dict[str, Any]:
        tenant = await found_tenant(connection, parts, tenant_id)
        return key_shown(await _key(connection, parts, tenant, key_id), tenant)

    return await created(request, f"{operation} {tenant_id}", make, again, within=transaction(parts.writer))


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, ADMIN, "Administration")
    keys = f"{TENANTS}/{{tenant_id}}/keys"
    once = (IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight)
    routes.add(
        "POST", keys, create_tenant_key, summary="Create a key", model=KeyShown, status=201,
        errors=(UnknownTenant, ScopeUnknown, *once), headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", keys, list_tenant_keys, summary="A tenant's keys", model=KeyList, errors=(UnknownTenant,))
    gone = (UnknownTenant, UnknownKey)
    routes.add(
        "DELETE", f"{keys}/{{key_id}}", revoke_tenant_key, summary="Revoke a key", model=None, status=204, errors=gone
    )
    routes.add(
        "POST", f"{keys}/{{key_id}}/rotate", rotate_tenant_key, summary="Rotate a key", model=KeyShown, status=201,
        errors=(*gone, *once), headers=(KEY_OPTIONAL,),
    )  # fmt: skip
