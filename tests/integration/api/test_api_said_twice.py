"""What is said twice, or where a route does not look for it: each refused by name, and nothing done."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cells.kit.headers import LISTS, SINGLE
from cells.rails.connection import sign
from cells.tenants.keys import ADMIN
from infra.schemes.credits import credit_message
from router.api.routes import PartnerRoute
from tests.support.api_cell import RAIL_SECRETS, ApiCell, credit_to, open_api_cell
from tests.support.documented import documented
from tests.support.signing import signed
from tests.support.whole_document import whole_document


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_payment_under_two_keys_is_not_made_under_the_first(cell: ApiCell) -> None:
    await cell.fund()
    asked = {
        "quote_id": (await cell.quote())["id"],
        "recipient_id": await cell.recipient(),
        "payer_id": await cell.payer(),
    }
    for keys in (("one", "two"), ("one", "one")):
        answer = await cell.client.post("/v1/transfers", json=asked, headers=[("Idempotency-Key", key) for key in keys])
        assert code_of(answer) == (400, "header-repeated")
        assert answer.json()["detail"] == "Idempotency-Key is there more than once; send it once."
        assert answer.headers["Kovra-Request-Id"] == answer.json()["request_id"]
    assert (await cell.client.get("/v1/transfers")).json()["data"] == []
    for key in ("one", "two"):
        answer = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": key})
        # Neither key stands for anything yet: the quote pays once, under the key that it came with.
        assert answer.status_code == (202 if key == "one" else 409), answer.text


async def test_no_route_takes_a_header_twice_that_may_be_there_once(cell: ApiCell) -> None:
    """Every operation of the document, and each header; also where nobody is known yet."""
    document = whole_document(cell.app)
    asked = 0
    for method, path in documented(document):
        for name in sorted(one.decode() for one in SINGLE):
            if name in ("content-length", "host", "transfer-encoding"):
                continue
            for client in (cell.client, cell.anyone):
                headers = [(name, "EU"), (name.title(), "EU")]
                answer = await client.request(method, path, headers=headers, content=b"{}" if method != "GET" else None)
                assert code_of(answer) == (400, "header-repeated"), (method, path, name, answer.text)
                asked += 1
    assert asked > 1_000


async def test_what_frames_a_request_is_said_once(cell: ApiCell) -> None:
    for name in ("host", "content-length", "transfer-encoding", "content-type", "authorization"):
        headers = [*cell.client.headers.raw, (name.encode(), b"2"), (name.encode(), b"2")]
        request = httpx.Request("POST", "http://eu-1.test/v1/quotes", headers=headers, content=b"{}")
        answer = await cell.anyone.send(request)
        assert code_of(answer) == (400, "header-repeated"), name


def test_every_header_that_a_route_reads_is_known_as_single_or_as_a_list(cell: ApiCell) -> None:
    told = {
        one["name"].lower().encode()
        for path in whole_document(cell.app)["paths"].values()
        for operation in path.values()
        for one in operation.get("parameters", ())
        if one["in"] == "header"
    }
    assert {b"idempotency-key", b"x-signature", b"scheme-timestamp", b"last-event-id"} <= told
    assert told <= SINGLE | LISTS
    assert not SINGLE & LISTS


async def test_a_scheme_s_headers_are_said_once(cell: ApiCell) -> None:
    body = credit_message(credit_to({"iban": cell.wallets["EUR"].account_number}, 1_000))
    headers = sign(RAIL_SECRETS["sepa_instant"].encode(), body, datetime.now(UTC))
    for name, value in headers.items():
        answer = await cell.anyone.post(
            "/rails/sepa_instant/inbound", content=body, headers=[*headers.items(), (name, value)]
        )
        assert code_of(answer) == (400, "header-repeated")
    answer = await cell.anyone.post("/rails/sepa_instant/inbound?dry_run=true", content=body, headers=headers)
    assert code_of(answer) == (422, "invalid-request")
    assert (await cell.anyone.post("/rails/sepa_instant/inbound", content=body, headers=headers)).status_code == 200


async def test_a_signature_beside_a_key_is_not_passed_over(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    headers = signed(key_id, secret, "GET", "/v1/wallets")
    assert (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == 200
    answer = await cell.client.get("/v1/wallets", headers=signed(key_id, secret, "GET", "/v1/wallets"))
    assert code_of(answer) == (401, "signature-invalid")


async def test_a_digest_on_two_lines_is_read_as_one_and_two_of_a_kind_are_refused(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    body = json.dumps({"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR"}).encode()
    headers = dict(signed(key_id, secret, "POST", "/v1/quotes", body))
    good = headers.pop("Content-Digest")
    for lines in ([good, good], ["sha-256=:" + "A" * 43 + "=:", good]):
        sent = [*headers.items(), ("Content-Type", "application/json"), *(("Content-Digest", line) for line in lines)]
        assert code_of(await cell.anyone.post("/v1/quotes", content=body, headers=sent)) == (401, "signature-invalid")


async def test_no_route_takes_an_object_with_a_member_twice(cell: ApiCell) -> None:
    """Every route that takes JSON, whatever else is wrong with what it is sent."""
    asked, admin = 0, await cell.operator_key()
    for path, operations in whole_document(cell.app)["paths"].items():
        for method, operation in operations.items():
            if "application/json" not in operation.get("requestBody", {}).get("content", {}) or path.startswith(
                "/rails"
            ):
                continue
            speaker = {"Authorization": f"Bearer {admin}"} if "/admin/" in path else {}
            for text in (
                b'{"a":1,"a":1}',
                b'{"a":{"b":[{"c":1,"\\u0063":2}]}}',
                b'{"a":"\\ud800"}',
                b'{"a":NaN}',
                b"\xef\xbb\xbf{}",
            ):
                headers = {"Content-Type": "application/json", "Idempotency-Key": "k", "Kovra-Region": "EU", **speaker}
                answer = await cell.client.request(method, path, content=text, headers=headers)
                assert code_of(answer) == (400, "body-not-json"), (method, path, text, answer.text)
                asked += 1
    assert asked > 60


async def test_the_second_member_is_not_what_counts(cell: ApiCell) -> None:
    text = b'{"source":{"value":"1.00","currency":"EUR"},"target_currency":"EUR","source":{"value":"9.00","currency":"EUR"}}'
    answer = await cell.client.post("/v1/quotes", content=text, headers={"Content-Type": "application/json"})
    assert code_of(answer) == (400, "body-not-json")
    assert answer.json()["detail"] == "A member of an object is there twice: see line 1, column 78."


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "9007199254740993", "1e999999999", "0." + "1" * 5000])
async def test_a_number_beyond_a_double_is_refused(cell: ApiCell, number: str) -> None:
    body = f'{{"source":{{"value":"1.00","currency":"EUR"}},"target_currency":"EUR","sandbox_lifetime_s":{number}}}'
    answer = await cell.client.post("/v1/quotes", content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == (422, "invalid-request")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/quotes", '{"source":{"value":"1.00","currency":"EUR"},"target_currency":"EUR","sandbox_lifetime_s":%s}'),
        ("/v1/sandbox/time", '{"seconds":%s}'),
        ("/v1/webhooks/whe_eu1_00000000000000000000000000/secret", '{"overlap_s":%s}'),
        ("/v1/batches", '{"lines":[1],"all_or_nothing":%s}'),
    ],
)
async def test_a_value_of_another_type_is_not_taken_for_the_one_that_is_asked_for(
    cell: ApiCell, path: str, body: str
) -> None:
    """Neither true for 1, nor "5" for 5, nor "no" or 0 for false."""
    for text in ('"1"', '"no"', "[1]", "{}", "true" if "batches" not in path else "0", "1.5"):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        answer = await cell.client.post(path, content=body.replace("%s", text), headers=headers)
        assert code_of(answer) == (422, "invalid-request"), (text, answer.text)


def test_every_number_of_a_body_has_bounds_that_a_double_holds(cell: ApiCell) -> None:
    schemas = whole_document(cell.app)["components"]["schemas"]
    numbers = list(_numbers({name: one for name, one in schemas.items() if one.get("additionalProperties") is False}))
    assert len(numbers) > 3
    for where, schema in numbers:
        low, high = (
            schema.get("minimum", schema.get("exclusiveMinimum")),
            schema.get("maximum", schema.get("exclusiveMaximum")),
        )
        assert low is not None, where
        assert high is not None, where
        assert -(2**53) < low <= high < 2**53, where


def _numbers(schema: Any, where: str = "") -> Any:
    if isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield where, schema
        for name, one in schema.items():
            yield from _numbers(one, f"{where}/{name}")
    elif isinstance(schema, list):
        for one in schema:
            yield from _numbers(one, where)


async def test_a_parameter_twice_is_refused_but_where_it_is_a_list(cell: ApiCell) -> None:
    for path in (
        "/v1/transfers?limit=1&limit=2",
        "/v1/payers?limit=1&limit=1",
        "/.well-known/jwks.json?tenant_id=a&tenant_id=b",
    ):
        answer = await cell.client.get(path)
        assert code_of(answer) == (400, "parameter-repeated"), path
        [fault] = answer.json()["errors"]
        assert fault["parameter"] in path
    assert (await cell.client.get("/v1/transfers?status=COMPLETED&status=REFUNDED")).status_code == 200
    assert code_of(await cell.anyone.get("/.well-known/jwks.json?tenant=a")) == (422, "invalid-request")


async def test_a_token_is_asked_for_in_the_form_alone(cell: ApiCell) -> None:
    secret, client_id = await cell.issue(cell.tenant, "client")
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    assert (await cell.anyone.post("/v1/oauth/token", data=form)).status_code == 200
    answer = await cell.anyone.post("/v1/oauth/token?scope=transfers", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    other = {"grant_type": "client_credentials", "client_id": "key_eu1_another"}
    answer = await cell.anyone.post("/v1/oauth/token", data=other, auth=(client_id, secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Content-Type": "application/json; charset=utf-16"}, "/v1/quotes"),
        ({"Content-Type": "application/json; charset=iso-8859-1"}, "/v1/batches"),
        ({"Content-Type": "text/csv; charset=windows-1252"}, "/v1/batches"),
        ({"Content-Type": 'text/csv; header="absent"'}, "/v1/batches"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "/v1/transfers"),
        ({"Content-Type": "application/xml", "Content-Encoding": "br"}, "/v1/batches"),
        ({"Content-Type": "text/plain"}, "/v1/transfers"),
        ({}, "/v1/transfers"),
    ],
)
async def test_what_a_header_says_of_the_bytes_is_not_passed_over(
    cell: ApiCell, headers: dict[str, str], path: str
) -> None:
    answer = await cell.client.post(path, content=b"{}", headers={"Idempotency-Key": "k", **headers})
    assert code_of(answer) == (415, "unsupported-media-type")


async def test_utf_8_may_be_named(cell: ApiCell) -> None:
    body = json.dumps({"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR"})
    for kind in ("application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON"):
        answer = await cell.client.post(
            "/v1/quotes", content=body, headers={"Content-Type": kind, "Content-Encoding": "identity"}
        )
        assert answer.status_code == 201, (kind, answer.text)


async def test_a_body_where_none_is_taken_is_refused(cell: ApiCell) -> None:
    """Every route without one: a filter in the body of a GET, a reason in that of a cancellation."""
    asked, admin = 0, await cell.operator_key()
    for route in cell.app.routes:
        if not isinstance(route, PartnerRoute) or route.body_field or "requestBody" in (route.openapi_extra or {}):
            continue
        (method,) = route.methods
        speaker = {"Authorization": f"Bearer {admin}"} if route.scope == ADMIN else {}
        answer = await cell.client.request(method, route.path, json={"status": "COMPLETED"}, headers=speaker)
        assert code_of(answer) == (422, "invalid-request"), (method, route.path, answer.text)
        answer = await cell.client.request(method, route.path, json={}, headers=speaker)
        assert answer.json().get("detail") != "This address takes no body: what it says would be passed over.", (
            route.path
        )
        asked += 1
    assert asked > 40


async def test_a_whole_number_may_be_written_with_a_point(cell: ApiCell) -> None:
    """530 and 530.0 are one number of JSON."""
    for number in (530, 530.0):
        body = {"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR", "sandbox_lifetime_s": number}
        assert (await cell.client.post("/v1/quotes", json=body)).status_code == 201


@pytest.mark.parametrize(
    "start",
    ["0001-01-01T00:00:00+00:01", "2026-13-01T00:00:00Z", "", "an event", 1, None, ["x"], "2026-11-21T10:00:00"],
)
async def test_a_fault_is_told_of_the_field_as_it_is_written(cell: ApiCell, start: Any) -> None:
    path = "/v1/webhooks/whe_eu1_00000000000000000000000000/replay"
    answer = await cell.client.post(path, json={"from": start})
    assert code_of(answer) == (422, "invalid-request")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/from"]
