"""OAuth 2.0 client credentials (RFC 6749 section 4.4): a client's id and secret for a token of ten minutes.

Failures are those of RFC 6749 section 5.2, as `application/json` with `error`: the one place of this API where the media type is not
`application/problem+json`, because clients of that standard ask for it. They have every member of a problem beside it.
"""

import base64
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cells.kit.headers import HeaderRepeated
from cells.tenants.keys import GRANTABLE, InvalidKey, grants
from cells.tenants.tokens import LIFETIME_S
from residency.classes import Confidential, Public
from residency.errors import KovraError
from router.api.call import Caller, Json, call_of
from router.api.errors import BodyTooLarge, InvalidRequest, MediaTypeUnsupported, TooManyFailures
from router.api.media import media_type
from router.api.openapi import problem_responses
from router.api.parts import issuer_of, parts_of
from router.api.problems import Problem, Problems
from router.api.registry import document
from router.api.routes import audited
from router.api.strangers import TooManyFromAddress
from router.api.throttle import TooManyRequests

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address
_FORM = "application/x-www-form-urlencoded"
_GRANT = "client_credentials"
# RFC 6749 section 5.1.
_UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FIELDS_MAX = 20


class TokenRefused(KovraError):
    """`error` is the code of RFC 6749 section 5.2."""

    error: ClassVar[str] = "invalid_request"
    code = "token-request-invalid"
    status = 400
    title = "The request for a token does not have the form of RFC 6749"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, error=self.error, error_description=detail or self.title)


class ClientInvalid(TokenRefused):
    error = "invalid_client"
    code = "client-invalid"
    status = 401
    title = "The client's id or secret is missing, unknown, expired or revoked"


class GrantUnsupported(TokenRefused):
    error = "unsupported_grant_type"
    code = "grant-unsupported"
    title = "Tokens are given for client_credentials only"


class ScopeInvalid(TokenRefused):
    error = "invalid_scope"
    code = "scope-invalid"
    title = "The client may not have a scope that it asks for"


_REFUSALS = (TokenRefused, GrantUnsupported, ScopeInvalid, ClientInvalid)


class TokenShown(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: Annotated[str, Confidential]
    token_type: Annotated[Literal["Bearer"], Public]
    expires_in: Annotated[int, Public]
    scope: Annotated[str, Public]


class TokenFailure(Problem):
    """RFC 6749 section 5.2, and a problem."""

    error: Annotated[str, Public]
    error_description: Annotated[str, Public]


class ServerShown(BaseModel):
    """RFC 8414."""

    issuer: Annotated[str, Public]
    token_endpoint: Annotated[str, Public]
    jwks_uri: Annotated[str, Public]
    grant_types_supported: Annotated[list[str], Public]
    response_types_supported: Annotated[list[str], Public]
    token_endpoint_auth_methods_supported: Annotated[list[str], Public]
    scopes_supported: Annotated[list[str], Public]


class _Asked(NamedTuple):
    client_id: str
    secret: str
    scopes: frozenset[str]


async def create_token(request: Request) -> Response:
    """An access token for a client, by HTTP Basic or with its id and secret in the form. It opens this region only."""
    try:
        return await _created(request)
    except TokenRefused as error:
        response = Problems().of_error(error, call_of(request).request_id)
        response.headers.update({"Content-Type": "application/json", **_UNCACHED})
        if isinstance(error, ClientInvalid):
            response.headers["WWW-Authenticate"] = 'Basic realm="kovra"'
        return response


async def _created(request: Request) -> Response:
    parts, call = parts_of(request), call_of(request)
    asked = await _read(request)
    try:
        holder = await parts.keys.client(request, asked.client_id, asked.secret)
    except InvalidKey:
        raise ClientInvalid from None
    call.caller = Caller(holder.key.key_id, holder.tenant, holder.key.scopes)
    call.allowance = await parts.throttle.admit(holder.tenant)
    if not call.allowance.allowed:
        raise TooManyRequests(retry_after_s=call.allowance.wait_s)
    if not all(grants(holder.key.scopes, one) for one in asked.scopes):
        raise ScopeInvalid(f"This client may have {', '.join(sorted(holder.key.scopes))}.")
    scopes, now = asked.scopes or holder.key.scopes, datetime.now(UTC)
    signer = parts.institution.keys.signer(parts.spec.directory, now)
    token = parts.tokens.issue(signer, holder.key, scopes, secrets.token_urlsafe(16), now)
    await audited(request, call, f"POST {TOKEN_PATH}", 200)
    shown = {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S, "scope": " ".join(sorted(scopes))}
    return Json(shown, headers=_UNCACHED)


async def _read(request: Request) -> _Asked:
    """Raises TokenRefused."""
    if request.scope["query_string"]:
        # RFC 6749 section 2.3.1: credentials are never in the address, which logs keep.
        raise TokenRefused("Send the parameters in the form, and none in the address.")
    try:
        form_sent = media_type(request) == _FORM
    except MediaTypeUnsupported as error:
        raise TokenRefused(error.detail) from None
    if not form_sent:
        raise TokenRefused(f"Send the parameters as {_FORM}.")
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise TokenRefused("The form cannot be read.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused("A parameter is there twice.")
    if "grant_type" not in form:
        raise TokenRefused("Say grant_type=client_credentials.")
    if form["grant_type"] != _GRANT:
        raise GrantUnsupported
    client_id, secret = _credentials(request.headers.get("authorization"), form)
    return _Asked(client_id, secret, frozenset(form.get("scope", "").split()))


def _credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """The client's id and secret, from the one place of two where they are. Raises TokenRefused."""
    if authorization is None:
        if "client_id" in form and "client_secret" in form:
            return form["client_id"], form["client_secret"]
        raise ClientInvalid("Send the client's id and secret by HTTP Basic, or as client_id and client_secret.")
    if "client_secret" in form:
        raise TokenRefused("The client's secret is sent in two ways; send it in one.")
    scheme, _, encoded = authorization.partition(" ")
    try:
        told = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # not base64, not UTF-8, or not even ASCII
        told = ""
    client_id, colon, secret = told.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ClientInvalid("Send the client's id and secret by HTTP Basic.")
    # RFC 6749 section 2.3.1: each is form-encoded before they are joined.
    client_id = unquote_plus(client_id)
    if form.get("client_id", client_id) != client_id:
        raise TokenRefused("The form names another client_id than HTTP Basic does.")
    return client_id, unquote_plus(secret)


async def get_authorization_server(request: Request) -> Response:
    """Where this region gives tokens, and how (RFC 8414)."""
    issuer = issuer_of(parts_of(request).spec)
    shown = {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": [_GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": sorted(GRANTABLE),
    }
    return Json(shown, headers={"Cache-Control": "public, max-age=300"})


def _examples(status: int | str) -> dict[str, Any]:
    return {
        kind.code: {
            "value": {
                **document(kind.code, kind.title, kind.status, kind.retryable),
                "error": kind.error,
                "error_description": kind.title,
            }
        }
        for kind in _REFUSALS
        if kind.status == status
    }


def add_routes(app: FastAPI) -> None:
    fields = {"grant_type": {"type": "string", "const": _GRANT}} | {
        name: {"type": "string", "maxLength": 2_000} for name in ("scope", "client_id", "client_secret")
    }
    form = {"type": "object", "required": ["grant_type"], "properties": fields}
    failures = problem_responses(
        (BodyTooLarge, HeaderRepeated, TooManyRequests, TooManyFailures, TooManyFromAddress, KovraError)
    )
    for status, told in problem_responses(_REFUSALS).items():
        others = failures.get(status, {}).get("content", {})
        content = {**others, "application/json": {"examples": _examples(status)}}
        failures[status] = {**told, "model": TokenFailure, "content": content}
    # By the framework's own class: what is wrong with the query is answered as RFC 6749 has it.
    app.router.add_api_route(
        TOKEN_PATH, create_token, methods=["POST"], response_model=TokenShown, tags=["Access"], summary="A token for a client",
        responses=failures, openapi_extra={"requestBody": {"required": True, "content": {_FORM: {"schema": form}}}}, route_class_override=APIRoute,
    )  # fmt: skip
    app.add_api_route(
        "/.well-known/oauth-authorization-server", get_authorization_server, response_model=ServerShown, tags=["Access"],
        summary="How tokens are given", responses=problem_responses((InvalidRequest, HeaderRepeated, TooManyFromAddress, KovraError)),
    )  # fmt: skip
