"""Bad input, each refused cleanly: the status, the kind, the field, and nothing done."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cells.backends.postgres import transaction
from cells.tenants import store_keys
from residency.ids import mint
from router.api.registry import registry
from tests.support.api_cell import PAYER, RECIPIENT, REMEMBERED_S, ApiCell, open_api_cell
from tests.support.waiting import until

HERE = {"Kovra-Region": "EU"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def assert_refused(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("pointer")) == (status, code, pointer), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/problems/{code}"
    assert problem["request_id"] == answer.headers["Kovra-Request-Id"]
    return problem


async def test_amounts_and_currencies(cell: ApiCell) -> None:
    cases = [
        ("100.00", "XYZ", "IDR", "unknown-currency", "/source/currency"),
        ("100.00", "EUR", "XYZ", "unknown-currency", "/target_currency"),
        ("100.00", "EUR", "SEK", "no-rail", "/target_currency"),
        ("100.00", "USD", "EUR", "no-rail", "/source/currency"),
        ("100.001", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("0", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("0.00", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("-5.00", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("1" + "0" * 20, "EUR", "IDR", "invalid-amount", "/source/value"),
        ("1" * 33, "EUR", "IDR", "invalid-request", "/source/value"),
        ("1e3", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("NaN", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("１２", "EUR", "IDR", "invalid-amount", "/source/value"),
        ("0.50", "EUR", "IDR", "amount-too-small", "/source/value"),
        ("99999999.00", "EUR", "DKK", "no-rail", "/target_currency"),
        ("1.00", "eur", "IDR", "invalid-request", "/source/currency"),
    ]
    for value, source, target, code, pointer in cases:
        body = {"source": {"value": value, "currency": source}, "target_currency": target}
        assert_refused(await cell.client.post("/v1/quotes", json=body), 422, code, pointer)
    large = {"source": {"value": "99999999.00", "currency": "EUR"}, "target_currency": "IDR"}
    assert (await cell.client.post("/v1/quotes", json=large)).json()["rail"] == "bi_rtgs", "above what BI-FAST carries"
    fixed = {"target": {"value": "10000.50", "currency": "IDR"}, "source_currency": "EUR"}
    assert_refused(await cell.client.post("/v1/quotes", json=fixed), 422, "amount-not-payable", "/target/value")


async def test_bodies_that_are_none(cell: ApiCell) -> None:
    async def send(content: bytes, kind: str = "application/json", path: str = "/v1/quotes") -> httpx.Response:
        return await cell.client.post(path, content=content, headers={"Content-Type": kind, "Idempotency-Key": "k"})

    for path in ("/v1/quotes", "/v1/transfers", "/v1/sandbox/deposits"):
        assert_refused(await send(b"{not json", path=path), 400, "body-not-json")
        assert_refused(await send(b"\xff\xfe", path=path), 400, "body-not-json")
        assert_refused(await send(b" " * 70_000, path=path), 413, "body-too-large")
        assert (await send(b"[]", path=path)).status_code == 422
        assert (await send(b"", path=path)).status_code in (400, 422)
    assert_refused(await send(b"{}", "text/plain"), 415, "unsupported-media-type")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    answer = await cell.client.post("/v1/transfers", content=endless(), headers=headers)
    assert_refused(answer, 413, "body-too-large")


async def test_unknown_and_missing_fields(cell: ApiCell) -> None:
    quote = {"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR"}
    answer = await cell.client.post("/v1/quotes", json={**quote, "sneaky": 1})
    problem = assert_refused(answer, 422, "invalid-request", "/sneaky")
    assert problem["errors"] == [{"detail": "there is no such field; remove it", "pointer": "/sneaky"}]
    assert_refused(await cell.client.post("/v1/quotes", json={"source": quote["source"]}), 422, "invalid-request", "")
    key = {"Idempotency-Key": "k"}
    transfer = {"quote_id": mint("qt", "eu-1"), "recipient_id": "r", "payer_id": "p", "amount": 1}
    assert_refused(
        await cell.client.post("/v1/transfers", json=transfer, headers=key), 422, "invalid-request", "/amount"
    )
    many = {**transfer, "metadata": {f"k{place}": "v" for place in range(21)}}
    del many["amount"]
    assert_refused(await cell.client.post("/v1/transfers", json=many, headers=key), 422, "invalid-request", "/metadata")
    control = {**many, "metadata": {"k": "a\u0000b"}}
    answer = await cell.client.post("/v1/transfers", json=control, headers=key)
    assert_refused(answer, 422, "invalid-request", "/metadata/k")
    answer = await cell.client.get("/v1/transfers", params={"limit": 101})
    assert assert_refused(answer, 422, "invalid-request")["errors"][0]["parameter"] == "limit"


async def test_account_numbers(cell: ApiCell) -> None:
    wrong = {**RECIPIENT, "account": {"iban": "DE88370400440532013000"}}
    problem = assert_refused(
        await cell.client.post("/v1/recipients", json=wrong, headers=HERE), 422, "iban-invalid", "/account/iban"
    )
    assert "370400440532013000" not in str(problem)
    other = {**RECIPIENT, "account": {"bank_code": "014", "account_number": "1234567890"}}
    assert (await cell.client.post("/v1/recipients", json=other, headers=HERE)).status_code == 422


async def test_recipients_need_a_region_and_go_nowhere_else(cell: ApiCell) -> None:
    for path, body in (("/v1/recipients", RECIPIENT), ("/v1/payers", PAYER)):
        assert_refused(await cell.client.post(path, json=body), 400, "region-required")
    indonesian = {**RECIPIENT, "currency": "IDR", "account": {"bank_code": "014", "account_number": "1234567890"}}
    answer = await cell.client.post("/v1/recipients", json=indonesian, headers=HERE)
    problem = assert_refused(answer, 421, "wrong-region", "/currency")
    assert problem["region"] == "ID"
    async with transaction(cell.parts.writer) as connection:
        assert await connection.fetchval("select count(*) from subjects") == 0


async def test_what_belongs_to_another_cell_is_not_read(cell: ApiCell) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    for path, headers, region in [
        ("/v1/recipients", {"Kovra-Region": "ID"}, "ID"),
        (f"/v1/transfers/{mint('tr', 'uk-1')}/cancel", {}, "UK"),
        (f"/v1/wallets/{mint('wal', 'id-1')}/statement", {}, "ID"),
    ]:
        answer = await cell.client.post(path, content=never(), headers=headers)
        problem = assert_refused(answer, 421, "wrong-region")
        assert problem["region"] == region
    unknown = await cell.client.get("/v1/wallets", headers={"Kovra-Region": "MARS"})
    assert_refused(unknown, 404, "unknown-cell")
    pounds = {"source": {"value": "1.00", "currency": "GBP"}, "target_currency": "IDR"}
    assert assert_refused(await cell.client.post("/v1/quotes", json=pounds), 421, "wrong-region", "/source/currency")
    foreign = {"quote_id": mint("qt", "uk-1"), "recipient_id": "r", "payer_id": "p"}
    answer = await cell.client.post("/v1/transfers", json=foreign, headers={"Idempotency-Key": "k"})
    assert_refused(answer, 421, "wrong-region", "/quote_id")


async def test_keys(cell: ApiCell) -> None:
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic a2V5"}):
        answer = await cell.anyone.get("/v1/wallets", headers=header)
        assert_refused(answer, 401, "invalid-api-key")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    text, key_id = await cell.key(cell.tenant, frozenset({"read"}))
    header = {"Authorization": f"Bearer {text}"}
    assert (await cell.anyone.get("/v1/wallets", headers=header)).status_code == 200
    answer = await cell.anyone.post("/v1/quotes", json={}, headers=header)
    assert assert_refused(answer, 403, "scope-missing")["scope"] == "quotes"
    forged = {"Authorization": f"Bearer {text[:-1]}{'0' if text[-1] != '0' else '1'}"}
    assert_refused(await cell.anyone.get("/v1/wallets", headers=forged), 401, "invalid-api-key")
    async with transaction(cell.parts.writer) as connection:
        await store_keys.revoke_keys(connection, "EU", [key_id])

    async def refused() -> bool:
        return (await cell.anyone.get("/v1/wallets", headers=header)).status_code == 401

    await until(refused, REMEMBERED_S + 5)


async def test_idempotency_keys(cell: ApiCell) -> None:
    body = {"quote_id": mint("qt", "eu-1"), "recipient_id": "r", "payer_id": "p"}
    assert_refused(await cell.client.post("/v1/transfers", json=body), 400, "idempotency-key-missing")
    for key in ("", "with space", "x" * 256):
        answer = await cell.client.post("/v1/transfers", json=body, headers={"Idempotency-Key": key})
        assert_refused(answer, 400, "idempotency-key-invalid")


async def test_addresses_and_methods(cell: ApiCell) -> None:
    assert_refused(await cell.client.get("/v1/nothing"), 404, "not-found")
    answer = await cell.client.put("/v1/quotes", json={})
    assert_refused(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, POST"
    for path in ("/v1/transfers/x", f"/v1/transfers/{mint('qt', 'eu-1')}", "/v1/transfers/%00", "/v1/wallets/tr_eu1_"):
        assert (await cell.client.get(path)).status_code == 404


async def test_a_bug_says_nothing(
    cell: ApiCell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("router.api.v1.directory.parts_of", lambda _: 1 / 0)
    answer = await cell.client.get("/v1/regions")
    problem = assert_refused(answer, 500, "internal")
    assert problem["detail"] == registry()["internal"].remedy
    assert answer.headers["Kovra-Request-Id"] in caplog.text
    assert "ZeroDivisionError at test_api_refusals.py" in caplog.text
    assert "division by zero" not in caplog.text


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/v1/wallets?limit=1", "limit: there is no such parameter; it takes none"),
        ("/v1/payers?after=x", "after: there is no such parameter; it takes cursor, limit"),
    ],
)
async def test_a_parameter_that_nobody_knows_is_not_passed_over(cell: ApiCell, path: str, detail: str) -> None:
    answer = await cell.client.get(path)
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (422, "invalid-request", detail)


async def test_a_state_that_is_never_shown_cannot_be_asked_for(cell: ApiCell) -> None:
    answer = await cell.client.get("/v1/transfers", params={"status": "SETTLING"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
