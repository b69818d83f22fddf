"""A route that knows its caller: authenticate, count, then handle, then audit, then answer.

Authentication comes before anything of the body is read, and the audit trail before the answer leaves: what a partner
changed is on record, whatever the answer said.
"""

import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, get_origin

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cells.audit.entry import Entry
from cells.backends.postgres import StoreUnavailable
from cells.kit.headers import HeaderRepeated
from cells.parties.recipients import WrongRegion
from cells.tenants.keys import InvalidKey
from cells.tenants.signatures import NonceReplayed, SignatureExpired, SignatureInvalid
from cells.tenants.tokens import InvalidToken, TokenExpired
from residency import i_json
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
    ParameterRepeated,
    ScopeMissing,
    TooManyFailures,
)
from router.api.media import is_json, media_type
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
    ScopeMissing, WrongRegion, UnknownCell, HeaderRepeated, ParameterRepeated, StoreUnavailable, KovraError,
)  # fmt: skip
_WITH_BODY = (BodyNotJson, BodyTooLarge, MediaTypeUnsupported, InvalidRequest)


class IJsonRequest(Request):
    """A request whose body the framework, too, gets as I-JSON. Read it before the framework does, which has words of its own for what it
    cannot read."""

    async def json(self) -> Any:
        """Raises BodyNotJson."""
        if not hasattr(self, "_json"):
            try:
                self._json = i_json.loads(await self.body())
            except i_json.NotIJson as error:
                raise BodyNotJson(str(error)) from None
        return self._json


class OpenRoute(APIRoute):
    """A route that knows no caller. What it does not know in the query it refuses all the same, but on pages that no document describes:
    probes and assets are asked for with what others add."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = _parameters(self.dependant)

        async def checked(request: Request) -> Response:
            if request.scope["query_string"] and self.include_in_schema:
                _check_query(request, known)
            return await handle(request)

        return checked


# The scope of what any key may ask, whatever else it may do.
ANY_SCOPE = ""


class PartnerRoute(APIRoute):
    """A route for keys with `scope`, or for any key (ANY_SCOPE). A method other than GET is audited."""

    scope: ClassVar[str]
    direct: ClassVar[bool] = False

    def get_route_handler(self) -> Handler:
        # `direct`: the endpoint reads the request itself, and FastAPI's solving of parameters is spared.
        handle = self._read(self.endpoint if self.direct else super().get_route_handler())
        (method,) = self.methods or {"GET"}
        action = f"{method} {self.path}"
        reading = method == "GET"
        known = _parameters(self.dependant)
        takes_json = self.direct or self.body_field is not None

        async def called(request: Request) -> Response:
            if self.body_field is not None:
                request = IJsonRequest(request.scope, request.receive)
            parts, call = parts_of(request), call_of(request)
            call.caller = await parts.keys.caller(request)
            call.allowance = await parts.throttle.admit(call.caller.tenant)
            if not call.allowance.allowed:
                raise TooManyRequests(retry_after_s=call.allowance.wait_s)
            await parts.keys.check_signed(request)
            if self.scope != ANY_SCOPE:
                require(call.caller, self.scope, reading=reading)
            if request.scope["query_string"]:
                _check_query(request, known)
            if takes_json and not is_json(media_type(request)):
                raise MediaTypeUnsupported("Send it as application/json.")
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

    def _read(self, handle: Handler) -> Handler:
        """`handle`, given the body as this route takes one: read as I-JSON, refused where it takes none, or left to the endpoint."""
        if self.body_field is not None:

            async def with_json(request: Request) -> Response:
                if await request.body():
                    # The framework asks for it in its turn, and is given what was read here.
                    await request.json()
                return await handle(request)

            return with_json
        if "requestBody" in (self.openapi_extra or {}):
            return handle

        async def without_body(request: Request) -> Response:
            await _refuse_body(request)
            return await handle(request)

        return without_body


def direct_routes(app: FastAPI) -> dict[tuple[str, str], Direct]:
    """By method and path, those whose endpoints read the request themselves."""
    return {
        (method, route.path): (route, route.get_route_handler())
        for route in app.routes
        if isinstance(route, PartnerRoute) and route.direct
        for method in route.methods or ()
    }


def _parameters(dependant: Dependant) -> dict[str, bool]:
    """What may stand in the query, and whether more than once: an endpoint's own parameters, and those of the model that it has its query
    read into."""
    found: dict[str, bool] = {}
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {one.alias or name: _is_list(one.annotation) for name, one in kind.model_fields.items()}
        else:
            found[field.alias] = _is_list(kind)
    for one in dependant.dependencies:
        found |= _parameters(one)
    return found


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Raises InvalidRequest for a parameter that the route does not know: a filter that is passed over lets everything through;
    ParameterRepeated for one that is there twice, and may be once."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    unknown = [name for name in counts if name not in known]
    if unknown:
        there = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise invalid_fields([("query", (name,), f"there is no such parameter; {there}") for name in unknown])
    repeated = [name for name, count in counts.items() if count > 1 and not known[name]]
    if repeated:
        said = "it is there more than once; send it once"
        raise ParameterRepeated(
            f"{repeated[0]}: {said}", errors=[{"detail": said, "parameter": name} for name in repeated]
        )


async def _refuse_body(request: Request) -> None:
    """Raises InvalidRequest where a body says something to a route that reads none. Clients that always send JSON send an empty object."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    if (await request.body()).strip() not in (b"", b"{}"):
        raise InvalidRequest("This address takes no body: what it says would be passed over.", pointer="")


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
    """Adds the routes of one resource to the application. `noun` is the scope that its keys need, or ANY_SCOPE."""

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
