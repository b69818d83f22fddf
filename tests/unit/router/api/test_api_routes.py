"""What holds for every route, walked over the application itself."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Route

from cells.spec import CellSpec, PrivateSettings
from cells.tenants.keys import ADMIN, SCOPES
from residency.classes import classify, nested_models
from residency.directory import load_directory
from router.api.app import create_app
from router.api.registry import kinds
from router.api.routes import PartnerRoute
from router.api.v1.transfers import TransferNew
from tests.support.whole_document import whole_document

OPEN = {
    "/healthz",
    "/metrics",
    "/problems",
    "/problems/{code}",
    "/reasons",
    "/reasons/{code}",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/v1/oauth/token",  # the client's id and secret are in the request
    "/openapi.json",
    "/v1/admin/openapi.json",
    "/rails/openapi.json",
    "/docs",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
    "/rails/{rail}/inbound",  # the scheme signs; see inbound.py
    "/rails/{rail}/v1.0/transfer-va/payment",  # the bank signs; see inbound_snap.py
}
# RFC 6749 section 5.2 says how these look.
OF_ANOTHER_STANDARD = {
    "/v1/oauth/token": {"400", "401"},
    # SNAP says how a bank is answered.
    "/rails/{rail}/v1.0/transfer-va/payment": {"400", "401", "404"},
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    directory = load_directory()
    return create_app(
        CellSpec(
            Path("/nowhere"),
            directory.cell("eu-1"),
            directory,
            PrivateSettings.model_construct(router_secrets=("s" * 32,)),
        )
    )


def routes_of(app: FastAPI) -> list[Route]:
    return [route for route in app.routes if isinstance(route, Route)]


def test_every_route_needs_a_key_but_those_that_are_open_on_purpose(app: FastAPI) -> None:
    guarded = {route.path for route in routes_of(app) if isinstance(route, PartnerRoute)}
    assert {route.path for route in routes_of(app)} - guarded == OPEN
    assert not guarded & OPEN
    assert len(app.routes) == len(routes_of(app)), "no mount or socket hides from this walk"


def test_every_guarded_route_has_a_scope_that_keys_can_have(app: FastAPI) -> None:
    for route in routes_of(app):
        if isinstance(route, PartnerRoute):
            assert route.scope in SCOPES | {ADMIN} or route.path == "/v1/me", route.path


def test_every_operation_says_how_it_fails_and_who_may_call_it(app: FastAPI) -> None:
    for path, operations in whole_document(app)["paths"].items():
        for method, operation in operations.items():
            failures = {status for status in operation["responses"] if status >= "400"}
            for status in failures - OF_ANOTHER_STANDARD.get(path, set()):
                content = operation["responses"][status]["content"]
                assert list(content) == ["application/problem+json"], (method, path, status)
                assert content["application/problem+json"]["examples"], (method, path, status)
            if path not in OPEN:
                ways = [way for one in operation["security"] for way in one]
                assert ways == ["api_key", "oauth2", "signature"], path
                assert {"401", "403", "421", "422", "429", "500", "503"} <= failures, (method, path)


def test_every_field_that_comes_or_goes_is_classed(app: FastAPI) -> None:
    waiting: set[type[BaseModel]] = set()
    for route in routes_of(app):
        if isinstance(route, APIRoute):
            waiting |= nested_models(route.response_model)
            for parameter in route.dependant.body_params:
                waiting |= nested_models(parameter.field_info.annotation)
    waiting.add(TransferNew)
    seen: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        seen.add(model)
        unmarked = [name for name, marked in classify(model).items() if marked is None]
        assert not unmarked, f"{model.__name__} does not say how private {unmarked} are"
        for one in model.model_fields.values():
            waiting |= nested_models(one.annotation) - seen
    assert len(seen) > 20


def test_two_kinds_of_problem_never_share_a_code_and_differ() -> None:
    for code, kind in kinds().items():
        assert code == code.lower().strip("-")
        assert 400 <= kind.status < 600, code
        assert kind.title, code


def test_every_operation_has_a_plain_name_of_its_own_and_says_whether_it_needs_a_key(app: FastAPI) -> None:
    document = whole_document(app)
    operations = [one for part in ("paths", "webhooks") for path in document[part].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", one) for one in names), names
    assert {"createTransfer", "listWallets", "getTransfer", "createWebhook", "transferCompletedWebhook"} <= set(names)
    assert all("security" in one for one in operations)
