"""The OpenAPI 3.1 documents of a cell: one for partners, one for its operator and one for its schemes, each of its listener's routes alone.

FastAPI derives them from the routes; what it cannot see is added: headers, credentials, webhooks. The partners' document is the same
from every cell, since the router asks whichever cell is up.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from cells.tenants.keys import ADMIN, GRANTABLE
from cells.webhooks import catalogue
from residency.directory import Directory
from router.api.call import Json
from router.api.listeners import for_operator, for_partners, for_schemes
from router.api.openapi import (
    COMPONENTS,
    EVERY_ANSWER,
    REGION_REQUIRED,
    direct_bodies,
    named_in_words,
    security_schemes,
)
from router.api.problems import Problem

_LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


@dataclass(frozen=True, eq=False)
class Audience:
    """Whom a document is for: where it is served, which paths are in it, the tags of their operations, and the scopes of access tokens."""

    path: str
    title: str
    description: str
    serves: Callable[[str], bool]
    tags: Mapping[str, str]
    scopes: frozenset[str] = frozenset()


PARTNERS: Final = Audience(
    "/openapi.json",
    "Kovra",
    """Pay bank accounts across borders from one wallet per currency, without moving people's data.

A first payment takes five calls: a deposit (`POST /v1/sandbox/deposits`), a recipient (`POST /v1/recipients`, in the region of
its bank account), a payer (`POST /v1/payers`), a quote (`POST /v1/quotes`), and the payment (`POST /v1/transfers`).

Every failure is a problem document (RFC 9457) whose `type` leads to a page about it. What makes the sandbox refuse, time out or return is
at `GET /v1/sandbox/magic-values`.""",
    for_partners,
    MappingProxyType({
        "Transfers": "Payments to bank accounts: create, follow, cancel.",
        "Quotes": "A price for an exchange, good until it expires.",
        "Intents": "A quote and a transfer in one request.",
        "Wallets": "Your balances, one main wallet for each currency, with sub-wallets, statements and transfers between them.",
        "Recipients": "Whom you pay. Each is stored in the region of its bank account.",
        "Payers": "On whose behalf you pay. Each is stored in its own region.",
        "Batches": "Many payments of one wallet in one request, as JSON, CSV or pain.001.",
        "Webhooks": "Endpoints of yours that events are sent to, and the keys that verify them.",
        "Events": "What happened to your payments and wallets, in order.",
        "Rates and regions": "Exchange rates, regions with their corridors, and the opening hours of rails.",
        "Account": "Your own profile, keys, limits and fees.",
        "Sandbox": "What a counterparty or a scheme would do, on request. Sandbox only.",
        "Access": "Access tokens by OAuth 2.0 client credentials.",
        "Problems": "What each kind of problem and each reason code means.",
    }),
    GRANTABLE,
)  # fmt: skip
OPERATOR: Final = Audience(
    "/v1/admin/openapi.json",
    "Kovra: operation of a cell",
    "What a cell's operator may do, on the operator's listener of the cell. The router carries none of it.",
    for_operator,
    MappingProxyType({"Administration": "Tenants, their tiers and their keys, in one cell."}),
    frozenset({ADMIN}),
)
SCHEMES: Final = Audience(
    "/rails/openapi.json",
    "Kovra: messages of schemes",
    "What payment schemes and banks send to a cell, on its listener for them. Each message is signed. The router carries none of it.",
    for_schemes,
    MappingProxyType({"Rails": "Credits, returns and status reports from schemes and banks."}),
)
AUDIENCES: Final = (PARTNERS, OPERATOR, SCHEMES)


def add_documents(app: FastAPI, directory: Directory) -> None:
    """Serve each document at its path. Each is made when it is first asked for, after all routes are there."""

    @cache
    def made(audience: Audience) -> dict[str, Any]:
        return document(app, audience, sorted(directory.regions))

    app.openapi = lambda: made(PARTNERS)  # type: ignore[method-assign]
    for audience in (OPERATOR, SCHEMES):
        app.add_api_route(audience.path, _served(made, audience), include_in_schema=False)


def _served(made: Callable[[Audience], dict[str, Any]], audience: Audience) -> Callable[[], Any]:
    async def serve() -> Response:
        return Json(made(audience))

    return serve


def document(app: FastAPI, audience: Audience, regions: list[str]) -> dict[str, Any]:
    """The document of `audience`, where data may be stored in any of `regions`."""
    routes = [one for one in app.routes if isinstance(one, APIRoute) and audience.serves(one.path)]
    found = get_openapi(
        title=audience.title, version=app.version, description=audience.description, routes=routes, openapi_version="3.1.0",
        tags=[{"name": name, "description": text} for name, text in audience.tags.items()], license_info=_LICENSE,
        servers=_servers(audience, regions),
    )  # fmt: skip
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    models: list[type[BaseModel]] = [Problem, *direct_bodies.values()]
    for model in models:
        schema = model.model_json_schema(ref_template=COMPONENTS + "{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for carried in {kind.model for kind in catalogue.CATALOGUE.values()}:
        schema = carried.model_json_schema(mode="serialization", ref_template=COMPONENTS + "{model}")
        for name, one in {**schema.pop("$defs", {}), carried.__name__: schema}.items():
            schemas.setdefault(name, one)
    used: set[str] = set()
    for path in found["paths"].values():
        for operation in path.values():
            # Stated where no credential is needed, too: its absence would read as an omission.
            operation.setdefault("security", [])
            used.update(name for one in operation["security"] for name in one)
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == REGION_REQUIRED.name:
                    parameter["schema"] = {"type": "string", "enum": regions}
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(EVERY_ANSWER)
    credentials = security_schemes(audience.scopes)
    found["components"]["securitySchemes"] = {name: one for name, one in credentials.items() if name in used}
    if audience is PARTNERS:
        found["webhooks"] = _webhooks()
    found["components"]["schemas"] = _referred_to(found, schemas)
    return found


def _servers(audience: Audience, regions: list[str]) -> list[dict[str, Any]]:
    """Relative, so that they hold wherever the document was asked for."""
    if audience is not PARTNERS:
        return [{"url": "/", "description": "The listener of the cell that this document came from"}]
    names = [one.lower() for one in regions]
    region = {"default": names[0], "enum": names, "description": "The region that the request is for"}
    return [
        {
            "url": "/",
            "description": "The region of the id in the path, of Kovra-Region, or else your key's home region",
        },
        {"url": "/{region}", "description": "One region, named in the path", "variables": {"region": region}},
    ]


def _referred_to(found: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `schemas` that an operation or a webhook needs, by name."""
    waiting = list(_references([found["paths"], found.get("webhooks", {})]))
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(_references(schemas[name]))
            waiting.extend(one for one in named_in_words if one in str(schemas[name]))
    return {name: schemas[name] for name in sorted(needed)}


def _references(part: Any) -> Iterator[str]:
    match part:
        case dict():
            if isinstance(named := part.get("$ref"), str):
                yield named.removeprefix(COMPONENTS)
            for one in part.values():
                yield from _references(one)
        case list():
            for one in part:
                yield from _references(one)


def _webhooks() -> dict[str, Any]:
    """What partners' endpoints are sent: an entry per kind of event (OpenAPI 3.1, `webhooks`)."""
    return {
        name: {
            "post": {
                "operationId": "".join([first, *map(str.title, others)]) + "Webhook",
                "security": [],
                "summary": kind.says,
                "tags": ["Webhooks"],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "allOf": [{"$ref": f"{COMPONENTS}Event"}],
                                "properties": {
                                    "type": {"const": name},
                                    "data": {"$ref": f"{COMPONENTS}{kind.model.__name__}"},
                                },
                            },
                            "example": catalogue.example(name),
                        }
                    },
                },
                "responses": {"2XX": {"description": "Taken; anything else, or silence, is tried again"}},
            }
        }
        for name, kind in catalogue.CATALOGUE.items()
        for first, *others in (name.replace(".", "_").split("_"),)
    }
