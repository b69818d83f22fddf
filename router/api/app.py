"""The application of one cell, from its spec and a way to open its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from cells.spec import CellSpec
from residency.errors import KovraError
from router.api import documents, inbound, inbound_snap, metrics, openapi
from router.api.call import Json, call_of
from router.api.errors import BodyNotJson, BodyTooLarge, MethodNotAllowed, RouteUnknown
from router.api.front import Front
from router.api.pages import add_pages
from router.api.parts import Parts, count_refusal, opened_parts, parts_of
from router.api.problems import Problems, described_fault, invalid_fields
from router.api.reasons import add_reasons
from router.api.routes import Direct, OpenRoute, direct_routes
from router.api.strangers import OPEN_PER_MINUTE, Strangers
from router.api.v1 import (
    admin,
    admin_keys,
    batches,
    directory,
    events,
    fees,
    intents,
    keys,
    limits,
    oauth,
    payers,
    quotes,
    rails,
    recipients,
    requirements,
    sandbox,
    sandbox_magic,
    sandbox_schemes,
    statements,
    sub_wallets,
    transfer_stream,
    transfer_views,
    transfers,
    wallet_transfers,
    wallets,
    webhook_deliveries,
    webhooks,
)

VERSION = "1.0.0"
# Routes are tried in this order: the busiest first.
_RESOURCES = (
    transfers,
    transfer_stream,
    transfer_views,
    quotes,
    intents,
    wallets,
    statements,
    wallet_transfers,
    sub_wallets,
    requirements,
    recipients,
    payers,
    batches,
    webhooks,
    webhook_deliveries,
    events,
    directory,
    keys,
    limits,
    fees,
    rails,
    sandbox,
    oauth,
    sandbox_magic,
    sandbox_schemes,
    admin,
    admin_keys,
)

PartsOpener = Callable[[CellSpec], AbstractAsyncContextManager[Parts]]


def create_app(spec: CellSpec, opened: PartsOpener = opened_parts, open_per_minute: int = OPEN_PER_MINUTE) -> FastAPI:
    """The API of `spec`. Its parts are open while its lifespan runs. `open_per_minute`: how often one address may ask what needs no key."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(spec) as parts:
            app.state.parts = parts
            yield
            await inbound.told()

    app = FastAPI(
        generate_unique_id_function=openapi.operation_id,
        title="Kovra", version=VERSION, lifespan=lifespan, docs_url=None,
        redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.router.route_class = OpenRoute
    made = Problems()
    app.state.problems = made
    direct: dict[tuple[str, str], Direct] = {}
    app.add_middleware(
        Front, entry=spec.entry, directory=spec.directory, router_secrets=spec.settings.router_secrets, problems=made,
        direct=direct, refused=lambda call, status: count_refusal(app.state.parts, call, status),
        strangers=Strangers(open_per_minute),
    )  # fmt: skip
    _handle_failures(app, made)
    for resource in _RESOURCES:
        resource.add_routes(app)
    direct |= direct_routes(app)
    inbound.add_routes(app)
    inbound_snap.add_routes(app)
    _add_probes(app)
    add_pages(app)
    add_reasons(app)
    documents.add_documents(app, spec.directory)
    return app


def _handle_failures(app: FastAPI, made: Problems) -> None:
    async def expected(request: Request, error: Exception) -> Response:
        assert isinstance(error, KovraError)
        return made.of_error(error, call_of(request).request_id)

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        field = getattr(request.scope.get("route"), "body_field", None)
        model = None if field is None else field.field_info.annotation
        places = [(one, tuple(one["loc"][1:])) for one in error.errors()]
        found = [(one["loc"][0], place, described_fault(one, place, model)) for one, place in places]
        return made.of_error(invalid_fields(found), call_of(request).request_id)

    async def unanswered(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = made.of_error(_of_status(error.status_code), call_of(request).request_id)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _allowed(app, request)
        return response

    app.add_exception_handler(KovraError, expected)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unanswered)


def _allowed(app: FastAPI, request: Request) -> str:
    """The methods of every route of the path that the address is met by; the framework tells those of the first route."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    met = next(route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in routes if route.path == met for method in route.methods or ()}))


def _of_status(status: int) -> KovraError:
    """What the framework refuses by status alone."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return RouteUnknown()
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed()
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge()
        case HTTPStatus.BAD_REQUEST:
            return BodyNotJson()
        case _:
            return KovraError()


def _add_probes(app: FastAPI) -> None:
    async def healthz(request: Request) -> Response:
        """Whether the process serves, and what it last saw of the parts it stands on."""
        parts = parts_of(request)
        seen = {"postgres": parts.health.postgres, "actors": parts.health.actors}
        return Json({"cell": parts.spec.name, "healthy": True, "parts": seen})

    async def figures() -> Response:
        return metrics.exposition()

    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/metrics", figures, include_in_schema=False)
