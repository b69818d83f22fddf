"""The rails of this cell: what they carry, whether they are open, and how their circuits stand."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.kit.money import money
from cells.rails import store_routing
from cells.rails.calendar import CalendarUnknown, next_opening, settled_by
from cells.rails.profile import RailProfile
from residency.classes import Confidential, Public
from residency.wire import Money
from router.api.call import Json, call_of
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import stamp


class RailShown(BaseModel):
    """One rail. A payment handed over now would be with the payee at `settles_by`, if all goes as it should."""

    name: Annotated[str, Public]
    title: Annotated[str, Public]
    cell: Annotated[str, Public]
    currency: Annotated[str, Public]
    countries: Annotated[list[str], Public] = Field(
        description="Where the accounts are that it reaches: ISO 3166-1 alpha-2, of IBANs their country code"
    )
    floor: Annotated[Money, Public]
    ceiling: Annotated[Money | None, Public]
    open: Annotated[bool, Public]
    next_opening: Annotated[datetime | None, Public] = Field(description="When it opens; null while it is open")
    settles_by: Annotated[datetime | None, Public]
    breaker: Annotated[str, Public] = Field(
        description="`closed`, `half_open` or `open`: then payments go round it or wait"
    )
    cost: Annotated[Money, Confidential]


class Rails(BaseModel):
    data: Annotated[list[RailShown], Confidential]


async def list_rails(request: Request) -> Response:
    """The rails that pay out from this cell, as they stand now."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        breakers = await store_routing.breakers(connection, parts.region)
    now = datetime.now(UTC)
    return Json(
        {
            "data": [
                _shown(one, parts.spec.name, breakers.get(one.name, "closed"), now)
                for one in parts.institution.router.profiles
            ]
        }
    )


def _shown(profile: RailProfile, cell: str, breaker: str, now: datetime) -> dict[str, Any]:
    opening = settles = None
    with suppress(CalendarUnknown):  # then it is closed, and nobody knows until when
        opening, settles = next_opening(profile, now), settled_by(profile, now)
    return {
        "name": profile.name,
        "title": profile.title,
        "cell": cell,
        "currency": profile.currency,
        "countries": sorted(profile.countries),
        "floor": money(profile.floor_minor, profile.currency),
        "ceiling": None if profile.ceiling_minor is None else money(profile.ceiling_minor, profile.currency),
        "open": opening is not None and opening <= now,
        "next_opening": stamp(opening) if opening is not None and opening > now else None,
        "settles_by": stamp(settles) if settles is not None else None,
        "breaker": breaker,
        "cost": money(profile.cost_minor, profile.currency),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "quotes", "Rates and regions")
    routes.add("GET", "/v1/rails", list_rails, summary="Rails", model=Rails)
