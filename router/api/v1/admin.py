"""Administration of this cell, by keys of the operator's own tenant with the scope `admin` (`kovra tenants keys admin`).

It is this cell's alone: no call crosses a border, so a tenant or a key made here is known here. What shall be known everywhere is
made by `kovra tenants`, or here in each cell: a tenant's `id` and `owner_number` from the first cell make it the same one in the
next. The global router does not lead here.
"""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.tenants import store
from cells.tenants.keys import ADMIN
from cells.tenants.tenant import Environment, Tenant, UnknownTenant, mint_tenant
from cells.tenants.tiers import UnknownTier, partner_tier
from residency.classes import Confidential, Public
from residency.directory import UnknownCell
from residency.ids import parse
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, InvalidRequest
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import Shape, Text, checked_id

TENANTS = "/v1/admin/tenants"
_OWNER_MAX = 2**63 - 2


class TenantNew(Shape):
    """`id` and `owner_number` together make a tenant of another cell known here; alone neither is taken."""

    name: Annotated[Annotated[Text, StringConstraints(min_length=1, max_length=200)], Confidential]
    tier: Annotated[str, Public] = Field("starter", max_length=40)
    environment: Annotated[Environment, Public] = "sandbox"
    id: Annotated[str | None, Public] = Field(None, pattern=r"^ten_[a-z]{2}[0-9]{1,4}_[0-9a-v]{26}$")
    owner_number: Annotated[str | None, Confidential] = Field(None, pattern=r"^[1-9][0-9]{0,18}$")


class TenantShown(BaseModel):
    """A partner as this cell knows it. `owner_number`: its owner in every cell's ledger."""

    id: Annotated[str, Public]
    name: Annotated[str, Confidential]
    tier: Annotated[str, Public]
    requests_per_minute: Annotated[int, Public]
    environment: Annotated[Environment, Public]
    placement: Annotated[str, Public]
    home_cell: Annotated[str, Public]
    owner_number: Annotated[str, Confidential]


class TenantList(BaseModel):
    """Oldest first."""

    data: Annotated[list[TenantShown], Confidential]


class TierNew(Shape):
    tier: Annotated[str, Public] = Field(max_length=40)


async def create_tenant(request: Request, body: TenantNew) -> Response:
    """A partner in this cell. It has no wallet and no key yet."""
    parts = parts_of(request)
    tenant = _tenant(parts, body)

    async def make(connection: Connection) -> Made:
        await store.create_tenants(connection, parts.region, [tenant])
        return Made(tenant.tenant_id, _shown(await found_tenant(connection, parts, tenant.tenant_id)))

    async def again(connection: Connection, tenant_id: str) -> dict[str, Any]:
        return _shown(await found_tenant(connection, parts, tenant_id))

    return await created(request, "admin.tenants.create", make, again, within=transaction(parts.writer))


async def list_tenants(request: Request) -> Response:
    """The partners that this cell knows."""
    parts = parts_of(request)
    async with transaction(parts.writer) as connection:
        found = await store.list_tenants(connection, parts.region)
    return Json({"data": [_shown(one) for one in found]})


async def get_tenant(request: Request, tenant_id: str) -> Response:
    """One partner."""
    parts = parts_of(request)
    async with transaction(parts.writer) as connection:
        return Json(_shown(await found_tenant(connection, parts, tenant_id)))


async def set_tenant_tier(request: Request, tenant_id: str, body: TierNew) -> Response:
    """Another tier for a partner: its rate within seconds, limits and prices from its next quote on."""
    parts, call = parts_of(request), call_of(request)
    partner_tier(body.tier, "/tier")
    async with transaction(parts.writer) as connection:
        tenant = await found_tenant(connection, parts, tenant_id)
        await store.set_tier(connection, parts.region, [tenant.tenant_id], body.tier)
        call.resource_id = tenant.tenant_id
        return Json(_shown(await found_tenant(connection, parts, tenant.tenant_id)))


def _tenant(parts: Parts, body: TenantNew) -> Tenant:
    """Raises UnknownTier, InvalidRequest, UnknownCell."""
    terms = partner_tier(body.tier, "/tier")
    if (body.id is None) != (body.owner_number is None):
        raise InvalidRequest(
            "A tenant of another cell is named by its id and its owner_number together.", pointer="/id"
        )
    if body.id is None or body.owner_number is None:
        return mint_tenant(
            body.name, parts.spec.entry, tier=body.tier, placement=terms.placement, environment=body.environment
        )
    home, number = parts.spec.directory.cell(parse(body.id).cell), int(body.owner_number)
    if number > _OWNER_MAX:
        raise InvalidRequest("No tenant has that owner_number.", pointer="/owner_number")
    return Tenant(body.id, body.name, home.region, home.name, body.tier, number, body.environment, terms.placement)


async def found_tenant(connection: Connection, parts: Parts, tenant_id: str) -> Tenant:
    """Raises UnknownTenant; the operator's own and the peers' are none that is administered here."""
    wanted = checked_id(tenant_id, "ten", UnknownTenant())
    tenant = (await store.find_tenants(connection, parts.region, [wanted])).get(wanted)
    if tenant is None:
        raise UnknownTenant
    return tenant


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.tenant_id,
        "name": tenant.name,
        "tier": tenant.tier,
        "requests_per_minute": partner_tier(tenant.tier).requests_per_minute,
        "environment": tenant.environment,
        "placement": tenant.placement,
        "home_cell": tenant.home_cell,
        # A decimal string: it has more digits than a JSON number keeps.
        "owner_number": str(tenant.owner_number),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, ADMIN, "Administration")
    routes.add(
        "POST", TENANTS, create_tenant, summary="Create a tenant", model=TenantShown, status=201,
        errors=(UnknownTier, UnknownCell, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight),
        headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", TENANTS, list_tenants, summary="All tenants", model=TenantList)
    one = f"{TENANTS}/{{tenant_id}}"
    routes.add("GET", one, get_tenant, summary="One tenant", model=TenantShown, errors=(UnknownTenant,))
    routes.add(
        "PUT",
        f"{one}/tier",
        set_tenant_tier,
        summary="Set a tier",
        model=TenantShown,
        errors=(UnknownTenant, UnknownTier),
    )
