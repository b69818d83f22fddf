"""What the cells offer: regions with their currencies and rails, and today's reference rates."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.fx.offers import rails_paying
from cells.fx.rate_age import STALE_AFTER_DAYS, age_days
from cells.kit.money import UnknownCurrency, currency_of
from cells.rails.profile import RailProfile
from cells.rails.registry import profile_of
from residency.classes import Public
from residency.directory import Directory
from residency.rules import JurisdictionRules, rules_of
from router.api.call import Json
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import CurrencyCode


class RateShown(BaseModel):
    """Mid-market: major units of `target` for one of `source`, before any margin."""

    source: Annotated[str, Public]
    target: Annotated[str, Public]
    rate: Annotated[str, Public]


class Rates(BaseModel):
    """One publication of reference rates. `indicative`: they promise nothing; a quote locks a price."""

    as_of: Annotated[date, Public] = Field(description="The day on which the source published them")
    age_days: Annotated[int, Public] = Field(description="Banking days (TARGET's) from that day to today")
    stale: Annotated[bool, Public] = Field(description="Whether they are older than two banking days")
    age_max_days: Annotated[int | None, Public] = Field(
        description="Rates older than so many banking days make no price here; null: rates of any age do, as in a sandbox"
    )
    rate_source: Annotated[str, Public]
    kind: Annotated[Literal["mid"], Public]
    indicative: Annotated[Literal[True], Public]
    data: Annotated[list[RateShown], Public]


class HoursShown(BaseModel):
    """On business days, times of day (HH:MM) in `zone` (IANA). From `cut_off` on, a payment belongs to the next business day."""

    zone: Annotated[str, Public]
    opens: Annotated[str, Public]
    cut_off: Annotated[str, Public]
    closes: Annotated[str, Public]
    calendar: Annotated[str | None, Public] = Field(description="Whose holidays are no business days")


class RailHours(BaseModel):
    """`hours`: null for a rail that works at all hours of all days. How it stands now is at GET /v1/rails of its region."""

    name: Annotated[str, Public]
    title: Annotated[str, Public]
    currency: Annotated[str, Public]
    hours: Annotated[HoursShown | None, Public]


class CellShown(BaseModel):
    name: Annotated[str, Public]
    currencies: Annotated[list[str], Public]
    rails: Annotated[list[str], Public]


class RegionShown(BaseModel):
    """A jurisdiction. Wallets in its currencies and recipients with accounts in them live here."""

    region: Annotated[str, Public]
    name: Annotated[str, Public]
    supervisors: Annotated[list[str], Public] = Field(description="The authorities that oversee payments there")
    data_protection: Annotated[str, Public] = Field(description="The law under which personal data may leave it")
    currencies: Annotated[list[str], Public]
    cells: Annotated[list[CellShown], Public]
    rails: Annotated[list[RailHours], Public]


class CorridorShown(BaseModel):
    """A pair of currencies that can be quoted, and the rails that pay out at its end."""

    source_currency: Annotated[str, Public]
    target_currency: Annotated[str, Public]
    source_region: Annotated[str, Public]
    target_region: Annotated[str, Public]
    crosses_border: Annotated[bool, Public]
    rails: Annotated[list[str], Public]


class Regions(BaseModel):
    here: Annotated[str, Public]
    data: Annotated[list[RegionShown], Public]
    corridors: Annotated[list[CorridorShown], Public]


async def list_rates(
    request: Request, source: CurrencyCode | None = None, target: CurrencyCode | None = None
) -> Response:
    """Reference rates between the currencies of the regions, of one source or target if given."""
    parts = parts_of(request)
    for code in (source, target):
        if code is not None:
            currency_of(code)
    table = parts.rates.latest()
    codes = sorted(parts.spec.directory.region_of_currency)
    data = [
        {"source": one, "target": other, "rate": table.rate(one, other).text}
        for one in codes
        for other in codes
        if one != other and source in (None, one) and target in (None, other)
    ]
    age = age_days(table.as_of, datetime.now(UTC))
    ages = {"age_days": age, "stale": age > STALE_AFTER_DAYS, "age_max_days": parts.spec.settings.rate_age_limit}
    publication = {
        "as_of": table.as_of.isoformat(),
        **ages,
        "rate_source": table.origin,
        "kind": "mid",
        "indicative": True,
    }
    return Json({**publication, "data": data})


def _law(rules: JurisdictionRules) -> dict[str, Any]:
    return {"name": rules.name, "supervisors": list(rules.supervisors), "data_protection": rules.data_protection}


async def list_regions(request: Request) -> Response:
    """Every region there is: where each currency lives, which rails pay it out and when, and the corridors between them."""
    spec = parts_of(request).spec
    data: list[dict[str, Any]] = [
        {
            "region": region,
            **_law(rules_of(region)),
            "currencies": sorted({currency for cell in cells for currency in cell.currencies}),
            "cells": [
                {"name": cell.name, "currencies": sorted(cell.currencies), "rails": list(cell.rails)} for cell in cells
            ],
            "rails": [_rail(profile_of(name)) for name in dict.fromkeys(rail for cell in cells for rail in cell.rails)],
        }
        for region, cells in sorted(spec.directory.regions.items())
    ]
    return Json({"here": spec.region, "data": data, "corridors": _corridors(spec.directory)})


def _rail(profile: RailProfile) -> dict[str, Any]:
    hours = profile.hours
    shown = None
    if hours is not None:
        times = {name: f"{getattr(hours, name):%H:%M}" for name in ("opens", "cut_off", "closes")}
        shown = {"zone": profile.zone, **times, "calendar": profile.calendar}
    return {"name": profile.name, "title": profile.title, "currency": profile.currency, "hours": shown}


def _corridors(directory: Directory) -> list[dict[str, Any]]:
    region_of = directory.region_of_currency
    rails = {currency: rails_paying(directory, currency) for currency in sorted(region_of)}
    return [
        {
            "source_currency": source,
            "target_currency": target,
            "source_region": region_of[source],
            "target_region": region_of[target],
            "crosses_border": region_of[source] != region_of[target],
            "rails": [rail.name for rail in found],
        }
        for source in sorted(region_of)
        for target, found in rails.items()
        if found
    ]


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "quotes", "Rates and regions")
    routes.add("GET", "/v1/rates", list_rates, summary="Reference rates", model=Rates, errors=(UnknownCurrency,))
    routes.add("GET", "/v1/regions", list_regions, summary="Regions", model=Regions)
