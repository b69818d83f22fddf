"""A route that knows its caller: authenticate, count, then handle, then audit, then answer.

Authentication comes before anything of the body is read, and the audit trail before the answer leaves: what a partner
changed is on record, whatever the answer said.
"""

import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cells.audit.entry import Entry
from cells.backends.postgres import StoreUnavailable
from cells.parties.recipients import WrongRegion
from cells.tenants.keys import InvalidKey
from cells.tenants.signatures import NonceReplayed, SignatureExpired, SignatureInvalid
from cells.tenants.tokens import InvalidToken, TokenExpired
from residency.directory import UnknownCell
from residency.errors import KovraError
from router.api.auth import require
from router.api.call import Call, call_of
from router.api.errors import (
    BodyNotJson,
    BodyTooLarge,
    InvalidRequest,
    LiveOnly,
    MediaTypeUnsupported,
    ScopeMissing,
    TooManyFailures,
)
from router.api.metrics import AUDIT
from router.api.openapi import Header, described, problem_responses, security
from router.api.parts import parts_of
from router.api.problems import invalid_fields
from router.api.throttle import TooManyRequests

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

# A route and what answers it, for whoever finds the route by himself.
Direct = tuple[APIRoute, Handler]

_ALWAYS = (
    InvalidKey, InvalidToken, TokenExpired, SignatureInvalid, SignatureExpired, NonceReplayed, TooManyFailures, TooManyRequests,
    LiveOnly,
    ScopeMissing, WrongRegion, UnknownCell, StoreUnavailable, KovraError,
)  # fmt: skip
_WITH_BODY = (BodyNotJson, BodyTooLarge, MediaTypeUnsupported, InvalidRequest)


class PartnerRoute(APIRoute):
    """A route for keys with `scope`. A method other than GET is audited."""

    scope: ClassVar[str]
    direct: ClassVar[bool] = False

    def get_route_handler(self) -> Handler:
        # `direct`: the endpoint reads the request itself, and FastAPI's solving of parameters is spared.
        handle: Handler = self.endpoint if self.direct else super().get_route_handler()
        (method,) = self.methods or {"GET"}
        action = f"{method} {self.path}"
        reading = method == "GET"
        takes_json = self.body_field is not None
        known = _parameters(self.dependant)

        async def called(request: Request) -> Response:
            parts, call = parts_of(request), call_of(request)
            call.caller = await parts.keys.caller(request)
            call.allowance = await parts.throttle.admit(call.caller.tenant)
            if not call.allowance.allowed:
                raise TooManyRequests(retry_after_s=call.allowance.wait_s)
            require(call.caller, self.scope, reading=reading)
            if request.scope["query_string"]:
                _refuse_unknown(request, known)
            if takes_json and not _is_json(request):
                raise MediaTypeUnsupported
            if reading:
                return await handle(request)
            try:
                response = await handle(request)
            except (KovraError, RequestValidationError) as error:
                status = error.status if isinstance(error, KovraError) else InvalidRequest.status
                await audited(request, call, action, status)
                raise
            await audited(request, call, action, response.status_code)
            return response

        return called


def direct_routes(app: FastAPI) -> dict[tuple[str, str], Direct]:
    """By method and path, those whose endpoints read the request themselves."""
    return {
        (method, route.path): (route, route.get_route_handler())
        for route in app.routes
        if isinstance(route, PartnerRoute) and route.direct
        for method in route.methods or ()
    }


def _parameters(dependant: Dependant) -> frozenset[str]:
    """The names that may stand in the query: an endpoint's own, and those of the model that it has its query read into."""
    names: set[str] = set()
    for field in dependant.query_params:
        kind = field.field_info.annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        names |= {one.alias or name for name, one in model.model_fields.items()} if model is not None else {field.alias}
    return frozenset(names).union(*(_parameters(one) for one in dependant.dependencies))


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Raises InvalidRequest for a parameter that the route does not know: a filter that is passed over lets everything through."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise invalid_fields(
            [("query", "extra_forbidden", (name,), f"there is no such parameter; {there}") for name in unknown]
        )


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def audited(request: Request, call: Call, action: str, status: int) -> None:
    """Put what a known caller did on the audit trail. Raises StoreUnavailable."""
    assert call.caller is not None
    started_at = time.perf_counter()
    entry = Entry(
        at=datetime.now(UTC),
        actor=call.caller.key_id,
        tenant_id=call.tenant_id,
        action=action,
        resource_id=call.resource_id,
        outcome=str(status),
        request_id=call.request_id,
    )
    await parts_of(request).audit.append(entry)
    AUDIT.observe(time.perf_counter() - started_at)


class Resource:
    """Adds the routes of one resource to the application. `noun` is the scope that its keys need."""

    def __init__(self, app: FastAPI, noun: str, tag: str) -> None:
        self._router: APIRouter = app.router
        self._tag = tag
        self._noun = noun
        self._routes = {
            direct: type(f"{noun.title()}Route", (PartnerRoute,), {"scope": noun, "direct": direct})
            for direct in (False, True)
        }

    def add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        *,
        summary: str,
        model: type[BaseModel] | None,
        status: int = 200,
        errors: tuple[type[KovraError], ...] = (),
        direct_body: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        texts: Mapping[str, str] = MappingProxyType({}),
        headers: tuple[Header, ...] = (),
        answers: Mapping[int | str, dict[str, Any]] = MappingProxyType({}),
    ) -> None:
        """One route. `direct_body`: the model that the endpoint reads by itself, and all else of the request; `body`: that it reads by
        itself beside parameters; `texts`: what else it takes for one, by media type. `headers`: those that it reads. `answers`: by
        status, in OpenAPI's words, those that `model` does not describe."""
        body_errors = _WITH_BODY if method in ("POST", "PUT", "PATCH") else (InvalidRequest,)
        self._router.add_api_route(
            path,
            endpoint,
            methods=[method],
            summary=summary,
            tags=[self._tag],
            response_model=model,
            status_code=status,
            responses=problem_responses((*_ALWAYS, *body_errors, *errors)) | dict(answers),
            route_class_override=self._routes[direct_body is not None],
            openapi_extra=described(direct_body or body, headers, texts) | {"security": security(self._noun)},
            response_class=JSONResponse if model is not None else Response,
        )
