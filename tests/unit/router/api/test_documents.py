"""The three documents of a cell: whose routes are in which, and what a reader of OpenAPI makes of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from cells.tenants.keys import ADMIN, GRANTABLE
from router.api.app import create_app
from router.api.documents import AUDIENCES, OPERATOR, PARTNERS, SCHEMES, Audience, document
from tests.support.border import make_world

WORLD = make_world()
REGIONS = sorted(WORLD.directory.regions)
NAMES = [one.title for one in AUDIENCES]


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(WORLD.spec("eu-1"))


@pytest.fixture(scope="module")
def documents(app: FastAPI) -> Mapping[Audience, dict[str, Any]]:
    return {audience: document(app, audience, REGIONS) for audience in AUDIENCES}


def operations(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part in ("paths", "webhooks"):
        for path in found.get(part, {}).values():
            yield from path.values()


def examples(found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(where, the schema, an example of it) of every body that is shown, either way."""
    for operation in operations(found):
        for name, body in (("request", operation.get("requestBody", {})), *operation["responses"].items()):
            for content in body.get("content", {}).values():
                shown = [one["value"] for one in content.get("examples", {}).values()]
                shown += [content["example"]] if "example" in content else []
                for one in shown:
                    yield f"{operation['operationId']} {name}", content.get("schema", {}), one
    for name, schema in found["components"]["schemas"].items():
        for one in schema.get("examples", ()):
            yield name, schema, one
        for field, inner in schema.get("properties", {}).items():
            for one in inner.get("examples", ()):
                yield f"{name}.{field}", inner, one


def test_each_route_is_in_the_document_of_its_listener_and_in_no_other(app: FastAPI, documents) -> None:
    described = [one.path for one in app.routes if isinstance(one, APIRoute) and one.include_in_schema]
    for path in described:
        assert [one for one in AUDIENCES if path in documents[one]["paths"]] == [
            one for one in AUDIENCES if one.serves(path)
        ], path
    assert not [path for path in documents[PARTNERS]["paths"] if path.startswith(("/v1/admin", "/rails/"))]
    assert documents[OPERATOR]["paths"] and documents[SCHEMES]["paths"]  # noqa: PT018
    assert all(one.serves(one.path) for one in AUDIENCES)


def test_partners_get_the_same_document_from_every_cell(documents) -> None:
    for cell in WORLD.directory.cells:
        app = create_app(WORLD.spec(cell))
        assert app.openapi() == documents[PARTNERS], cell
    headers = [
        parameter["schema"]["enum"]
        for operation in operations(documents[PARTNERS])
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Kovra-Region"
    ]
    assert headers
    assert all(one == REGIONS for one in headers)
    _, region = documents[PARTNERS]["servers"]
    assert region["variables"]["region"]["enum"] == [one.lower() for one in REGIONS]


@pytest.mark.parametrize("audience", AUDIENCES, ids=NAMES)
def test_a_document_is_valid_openapi(documents, audience: Audience) -> None:
    faults = [f"{list(one.path)}: {one.message}" for one in OpenAPIV31SpecValidator(documents[audience]).iter_errors()]
    assert not faults


@pytest.mark.parametrize("audience", AUDIENCES, ids=NAMES)
def test_whatever_a_document_names_is_in_it_and_described(documents, audience: Audience) -> None:
    found = documents[audience]
    tags = {tag for operation in operations(found) for tag in operation["tags"]}
    assert tags == {one["name"] for one in found["tags"]}
    assert all(one["description"].endswith(".") for one in found["tags"])
    assert found["servers"]
    assert found["info"]["license"]["identifier"] == "Apache-2.0"
    schemas = found["components"]["schemas"]
    assert [name for name in schemas if not name.isalpha()] == [], "one plain name per schema"
    titles = [schema["title"] for schema in schemas.values() if "enum" in schema]
    assert len(titles) == len(set(titles)), "generators name enumerations by their titles"
    credentials = found["components"]["securitySchemes"]
    asked: dict[str, set[str]] = {}
    for operation in operations(found):
        for one in operation["security"]:
            for name, scopes in one.items():
                asked.setdefault(name, set()).update(scopes)
    assert asked.keys() == credentials.keys()
    if asked:
        given = credentials["oauth2"]["flows"]["clientCredentials"]["scopes"]
        assert asked["oauth2"] <= given.keys()
        assert given.keys() == ({ADMIN} if audience is OPERATOR else GRANTABLE)


@pytest.mark.parametrize("audience", AUDIENCES, ids=NAMES)
def test_every_example_is_of_its_schema(documents, audience: Audience) -> None:
    found, seen = documents[audience], 0
    for where, schema, example in examples(found):
        whole = {**schema, "components": found["components"]}
        faults = [one.message for one in Draft202012Validator(whole).iter_errors(example)]
        assert not faults, f"{where}: {faults}"
        seen += 1
    assert seen > (100 if audience is PARTNERS else 5)


def test_a_schema_that_only_words_name_is_there(documents) -> None:
    schemas = documents[PARTNERS]["components"]["schemas"]
    assert "BatchLineNew" in schemas["BatchNew"]["properties"]["lines"]["description"]
    assert "BatchLineNew" in schemas
    assert "BatchLineNew" not in documents[OPERATOR]["components"]["schemas"]
    assert "TenantNew" not in schemas
