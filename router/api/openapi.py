"""The parts of which routes describe themselves in OpenAPI 3.1: their headers, their failures, and the credentials that they take.

router/api/documents.py makes the documents of them.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from pydantic import BaseModel

from residency.errors import KovraError
from router.api.problems import MEDIA_TYPE
from router.api.registry import document as example

COMPONENTS = "#/components/schemas/"


class Header(NamedTuple):
    """A request header as the document describes it."""

    name: str
    required: bool
    description: str
    pattern: str

    @property
    def parameter(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "in": "header",
            "required": self.required,
            "description": self.description,
            "schema": {"type": "string", "pattern": self.pattern},
        }


_KEY = (
    "A name of your choice for this request: the same key and body again answer as the first time, and change nothing"
)
KEY_REQUIRED = Header("Idempotency-Key", True, _KEY, "^[!-~]{1,255}$")
KEY_OPTIONAL = Header("Idempotency-Key", False, _KEY, "^[!-~]{1,255}$")
REGION_REQUIRED = Header(
    "Kovra-Region", True, "The region that shall keep the data; or name it in the path", "^[A-Z]{2}$"
)

_SCOPE_TEXT = "What `{}` names"


def security_schemes(scopes: Collection[str]) -> dict[str, Any]:
    """The three credentials; an access token may have any of `scopes`."""
    return {
        "api_key": {"type": "http", "scheme": "bearer", "description": "Your API key, `kv_sandbox_…` or `kv_live_…`"},
        "oauth2": {
            "type": "oauth2",
            "description": "An access token of this region for your client (RFC 6749 section 4.4), good for ten minutes",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/v1/oauth/token",
                    "scopes": {one: _SCOPE_TEXT.format(one) for one in sorted(scopes)},
                }
            },
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "Signature",
            "description": "HTTP Message Signatures (RFC 9421) with hmac-sha256; `Signature-Input` covers @method, @path, @query,"
            " content-digest (RFC 9530) where there is a body and idempotency-key where it is sent, with created, keyid and nonce",
        },
    }


EVERY_ANSWER = {
    "Kovra-Request-Id": {"description": "Name it when you ask us about this request", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "Once the caller is known: `r` requests are left, and in `t` seconds all (after a 429: one) are free again",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Once the caller is known: your tier, and the `q` requests that it may make in `w` seconds",
        "schema": {"type": "string"},
    },
}

# By name: the models of bodies that endpoints read by themselves, and those that another schema names in words alone.
direct_bodies: dict[str, type[BaseModel]] = {}
named_in_words: set[str] = set()


def problem_responses(kinds: Sequence[type[KovraError]]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may fail in these ways, one example for each."""
    by_status: dict[int, dict[str, type[KovraError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, {})[kind.code] = kind
    return {
        status: {
            "description": " · ".join(dict.fromkeys(kind.title for kind in found.values())),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": f"{COMPONENTS}Problem"},
                    "examples": {
                        code: {"value": example(code, kind.title, kind.status, kind.retryable)}
                        for code, kind in found.items()
                    },
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def security(noun: str) -> list[dict[str, list[str]]]:
    """Any of the three ways in opens a route; a token's scope must hold `noun`, where there is one."""
    return [{"api_key": []}, {"oauth2": [noun] if noun else []}, {"signature": []}]


def described(
    body: type[BaseModel] | None, headers: Sequence[Header], texts: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What FastAPI cannot see: the body of a route that reads it by itself, and the headers that a route reads."""
    found: dict[str, Any] = {}
    if headers:
        found["parameters"] = [one.parameter for one in headers]
    if body is not None:
        direct_bodies[body.__name__] = body
        content: dict[str, Any] = {"application/json": {"schema": {"$ref": COMPONENTS + body.__name__}}}
        content |= {kind: {"schema": {"type": "string", "description": says}} for kind, says in texts.items()}
        found["requestBody"] = {"required": True, "content": content}
    return found


def operation_id(route: APIRoute) -> str:
    """The name that clients generate a method from: the endpoint's own, `create_transfer` as `createTransfer`."""
    first, *others = route.name.split("_")
    return first + "".join(one.title() for one in others)


def among_schemas(model: type[BaseModel]) -> None:
    """Have the document describe a model that no route refers to, because a description names it."""
    direct_bodies[model.__name__] = model
    named_in_words.add(model.__name__)
