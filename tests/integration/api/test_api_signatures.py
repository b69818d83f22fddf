"""Signed requests over a running cell: good in its region, on the name that was called, once."""

import time
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from cells.backends.postgres import transaction
from cells.kit.forwarded import element, prove
from tests.support.api_cell import ROUTER_SECRET, ApiCell, open_api_cell
from tests.support.signing import signed


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def send_signed(
    cell: ApiCell, key_id: str, secret: str, method: str, target: str, body: bytes = b"", **more
) -> httpx.Response:
    headers = {"Content-Type": "application/json", **signed(key_id, secret, method, target, body, **more)}
    return await cell.anyone.request(method, target, content=body, headers=headers)


@pytest.mark.parametrize("region", ["ID", "UK", "eu-1", ""])
async def test_a_request_signed_for_another_region_is_refused_here(cell: ApiCell, region: str) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    body = orjson.dumps({"name": "Astrid Lindqvist"})
    answer = await send_signed(cell, key_id, secret, "POST", "/v1/payers", body, region=region)
    refused(answer, 401, "signature-invalid")
    async with transaction(cell.parts.writer) as connection:
        assert await connection.fetchval("select count(*) from audit_log where action = 'POST /v1/payers'") == 0


async def test_the_authority_is_the_name_that_the_router_was_called_by(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    assert (await send_signed(cell, key_id, secret, "GET", "/v1/wallets", authority="eu-1.test")).status_code == 200
    forwarded = element("192.0.2.1", "API.example:443", "https")
    proof = {"Forwarded": forwarded, "Kovra-Router": prove(ROUTER_SECRET.encode(), forwarded, int(time.time()))}
    for authority, status in (("api.example", 200), ("eu-1.test", 401)):
        headers = {**signed(key_id, secret, "GET", "/v1/wallets", authority=authority), **proof}
        assert (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == status
    claimed = {"Forwarded": forwarded, "X-Forwarded-Host": "api.example"}
    headers = {**signed(key_id, secret, "GET", "/v1/wallets", authority="api.example"), **claimed}
    refused(await cell.anyone.get("/v1/wallets", headers=headers), 401, "signature-invalid")


async def test_a_covered_field_on_several_lines_is_covered_as_one(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")

    async def sent(*lines: str, covered: str) -> int:
        headers = signed(key_id, secret, "GET", "/v1/wallets", more={"x-own": covered})
        own = [*headers.items(), *(("X-Own", line) for line in lines)]
        return (await cell.anyone.get("/v1/wallets", headers=own)).status_code

    assert await sent("a", " b\t", covered="a, b") == 200
    assert await sent("a", "", covered="a, ") == 200
    assert await sent("a", "b", covered="a") == 401
    assert await sent("b", "a", covered="a, b") == 401
    assert await sent(covered="a") == 401


async def test_a_proxy_s_own_signature_beside_ours_is_passed_over(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    headers = [
        ("Signature-Input", 'proxy=("@method");created=1;keyid="proxy, 1"'),
        ("Signature", f"proxy=:{'A' * 86}==:"),
        *signed(key_id, secret, "GET", "/v1/wallets").items(),
    ]
    assert (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == 200
    twice = [*headers, *signed(key_id, secret, "GET", "/v1/wallets").items()]
    refused(await cell.anyone.get("/v1/wallets", headers=twice), 401, "signature-invalid")


async def test_a_nonce_is_remembered_and_a_body_read_only_within_the_rate(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    cell.parts.throttle._share = 2 / 500
    statuses = []
    for number in range(6):
        headers = {
            "Content-Type": "application/json",
            **signed(key_id, secret, "POST", "/v1/quotes", b"{}", nonce=f"n{number}"),
        }
        statuses.append((await cell.anyone.post("/v1/quotes", content=b"{}", headers=headers)).status_code)
    assert statuses.count(429) >= 3
    remembered = sum(len(own) for own in cell.parts.throttle._nonces.values())
    assert remembered == 6 - statuses.count(429), "what was turned away takes no memory"
