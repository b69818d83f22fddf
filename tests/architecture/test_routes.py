"""Every route of a cell's API knows its caller, or is named here with the reason why not."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute

from router.api.app import create_app
from router.api.listeners import for_partners
from router.api.routes import PartnerRoute
from router.api.strangers import is_open
from tests.architecture.tree import keep
from tests.support.border import make_world
from tests.support.documented import documented
from tests.support.tenant_matrix import BODIES, gaps, guarded
from tests.support.whole_document import whole_document

_OPEN = {
    "/openapi.json": "what the API is, the same for everybody",
    "/v1/admin/openapi.json": "what the operator may do, on the listener of the operator alone",
    "/rails/openapi.json": "what schemes may send, on their listener alone",
    "/docs": "the same, to read",
    "/docs/swagger-ui-bundle.js": "part of the page above",
    "/docs/swagger-ui.css": "part of the page above",
    "/healthz": "whether the process serves: parts by name, nothing of a tenant",
    "/metrics": "counts and times; no tenant is a label",
    "/problems": "what each problem type means",
    "/problems/{code}": "what one problem type means",
    "/reasons": "what each reason code means",
    "/reasons/{code}": "what one reason code means",
    "/.well-known/jwks.json": "public keys, to verify webhooks and tokens with",
    "/.well-known/oauth-authorization-server": "where tokens are asked for, the same for everybody",
    "/v1/oauth/token": "the client's id and secret, in the request, are its authentication; counted and audited like the rest",
    "/rails/{rail}/inbound": "schemes: every body is signed with the connection's own secret (cells/rails/connection.py)",
    "/rails/{rail}/v1.0/transfer-va/payment": "banks: every notice is signed with the bank's own key (cells/rails/snap/notices.py)",
}
_SCOPES = {"transfers", "quotes", "wallets", "recipients", "webhooks", "sandbox", "admin", "read"}
_ANY_KEY = {"/v1/me": "who the caller is and what its key may do, which it learns from every refusal anyway"}


def open_doors(app: FastAPI) -> Iterator[str]:
    for route in app.routes:
        path, methods = _shown(route)
        if isinstance(route, PartnerRoute):
            if getattr(route, "scope", None) not in _SCOPES and path not in _ANY_KEY:
                yield f"{methods} {path}  asks for the scope {getattr(route, 'scope', None)!r}"
        elif path not in _OPEN:
            yield f"{methods} {path}  answers anybody"


def _shown(route: BaseRoute) -> tuple[str, str]:
    return getattr(route, "path", repr(route)), "/".join(sorted(getattr(route, "methods", None) or ["any"]))


@pytest.mark.parametrize("cell", sorted(make_world().directory.cells))
def test_every_route_knows_its_caller(cell: str) -> None:
    app = create_app(make_world().spec(cell))
    assert len(app.routes) > 20
    keep(
        "Every route authenticates its caller, checks the scope of the key, and audits what it changes.",
        why="one route made by hand is the one through which another tenant's payments are read; PartnerRoute does all three before "
        "and after the endpoint.",
        mend="add it with router.api.routes.Resource. A route that must be open is named in _OPEN of this file, with the reason.",
        breaches=open_doors(app),
    )


def test_what_is_named_open_exists() -> None:
    paths = {_shown(route)[0] for route in create_app(make_world().spec("eu-1")).routes}
    assert set(_OPEN) <= paths, "take what is gone out of _OPEN, so that nothing else comes in under its name"


def test_a_route_made_by_hand_is_seen() -> None:
    async def everything() -> dict[str, str]:
        return {}

    app = create_app(make_world().spec("eu-1"))
    app.add_api_route("/v1/everything", everything)
    assert list(open_doors(app)) == ["GET /v1/everything  answers anybody"]


def test_what_anybody_may_ask_of_the_partners_listener_is_counted_by_address() -> None:
    app = create_app(make_world().spec("eu-1"))
    partners = {path for route in app.routes if for_partners(path := _shown(route)[0])}
    assert {path for path in partners if is_open(path)} == {path for path in _OPEN if for_partners(path)}


# POSTs that take no Idempotency-Key, because asking twice does what asking once does.
_REPEATABLE = {
    "/v1/transfers/{transfer_id}/cancel": "cancelling what is cancelled changes nothing",
    "/v1/batches/{batch_id}/cancel": "cancelling what is cancelled changes nothing",
    "/v1/recipients/{recipient_id}/name-check": "a question",
    "/v1/oauth/token": "another token, and the first as good",
    "/v1/webhooks/{endpoint_id}/deliveries/{event_id}/resend": "sent twice, it has the same webhook-id",
    "/v1/webhooks/{endpoint_id}/replay": "begins again from the same place",
    "/v1/webhooks/{endpoint_id}/test": "a second test says what the first did",
    "/rails/{rail}/inbound": "schemes: each message has the scheme's own reference, and counts once",
    "/rails/{rail}/v1.0/transfer-va/payment": "banks: each notice has the bank's own reference, and counts once",
}


def careless_posts(document: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        taken = {one["name"] for one in operations.get("post", {}).get("parameters", ())}
        if "post" in operations and "Idempotency-Key" not in taken and path not in _REPEATABLE:
            yield f"POST {path}  takes no Idempotency-Key"


def test_every_post_can_be_repeated() -> None:
    document = whole_document(create_app(make_world().spec("eu-1")))
    keep(
        "Every POST takes an Idempotency-Key, or is one that may be repeated anyway.",
        why="a partner whose connection broke knows nothing, and asks again: what moves or makes something must do it once.",
        mend="give the route KEY_REQUIRED (money) or KEY_OPTIONAL (all else) and router.api.idempotency.created; or name it in "
        "_REPEATABLE of this file, with the reason.",
        breaches=careless_posts(document),
    )
    assert set(_REPEATABLE) <= set(document["paths"]), "take what is gone out of _REPEATABLE"


def test_every_route_is_tried_with_another_tenants_ids() -> None:
    document = whole_document(create_app(make_world().spec("eu-1")))
    keep(
        "Every route is called with another tenant's ids, in every place that takes an id.",
        why="tests/integration/api/test_tenant_matrix.py draws its calls from the OpenAPI document; what it cannot fill in, nobody tries.",
        mend="say in tests/support/tenant_matrix.py what the parameter is or what the body looks like, and give both tenants one of it in "
        "everything_of() of the test.",
        breaches=gaps(document),
    )
    assert set(BODIES) <= {(method, path) for method, path, _ in guarded(document)}, "take what is gone out of BODIES"


def test_a_route_that_reads_never_says_that_its_outcome_is_unknown() -> None:
    document = whole_document(create_app(make_world().spec("eu-1")))
    keep(
        "A GET declares no problem outcome-unknown.",
        why="it changes nothing, so nothing of what it did can be unknown: a partner would look for a payment that was never asked for.",
        mend="ask the wallets through router.api.v1.wallets.read_of, and declare UNREAD.",
        breaches=[
            f"{method.upper()} {path}"
            for (method, path), codes in documented(document).items()
            if method.lower() == "get" and "outcome-unknown" in codes
        ],
    )
