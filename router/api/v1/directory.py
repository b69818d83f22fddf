"""What the cells offer: regions with their currencies and rails, and today's reference rates."""

from datetime import date
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cells.kit.money import UnknownCurrency, currency_of
from residency.classes import Public
from router.api.call import Json
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import CurrencyCode


class RateShown(BaseModel):
    """Major units of `target` for one of `source`, before any margin."""

    source: Annotated[str, Public]
    target: Annotated[str, Public]
    rate: Annotated[str, Public]


class Rates(BaseModel):
    """One publication of reference rates."""

    as_of: Annotated[date, Public]
    rate_source: Annotated[str, Public]
    data: Annotated[list[RateShown], Public]


class CellShown(BaseModel):
    name: Annotated[str, Public]
    rails: Annotated[list[str], Public]


class RegionShown(BaseModel):
    """A jurisdiction. Wallets in its currencies and recipients with accounts in them live here."""

    region: Annotated[str, Public]
    currencies: Annotated[list[str], Public]
    cells: Annotated[list[CellShown], Public]


class Regions(BaseModel):
    here: Annotated[str, Public]
    data: Annotated[list[RegionShown], Public]


async def list_rates(
    request: Request, source: CurrencyCode | None = None, target: CurrencyCode | None = None
) -> Response:
    """Reference rates of the pairs that can be paid, of one source or target if given."""
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
    return Json({"as_of": table.as_of.isoformat(), "rate_source": table.origin, "data": data})


async def list_regions(request: Request) -> Response:
    """Every region there is, and where each currency lives."""
    spec = parts_of(request).spec
    data: list[dict[str, Any]] = [
        {
            "region": region,
            "currencies": sorted({currency for cell in cells for currency in cell.currencies}),
            "cells": [{"name": cell.name, "rails": list(cell.rails)} for cell in cells],
        }
        for region, cells in sorted(spec.directory.regions.items())
    ]
    return Json({"here": spec.region, "data": data})


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "quotes", "Rates and regions")
    routes.add("GET", "/v1/rates", list_rates, summary="Reference rates", model=Rates, errors=(UnknownCurrency,))
    routes.add("GET", "/v1/regions", list_regions, summary="Regions", model=Regions)
