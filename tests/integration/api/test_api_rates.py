"""Rates as a partner meets them: what every answer says, what a 429 says, and that Redis may come and go meanwhile."""

import shutil
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from http_sf import parse as parse_field

from cells.kit.forwarded import element, prove
from cells.kit.gcra import Meter
from cells.tenants import store_keys
from cells.tenants.tenant import CredentialType
from infra.local.child import clean_environment, start
from router.api import auth
from tests.support import servers
from tests.support.api_cell import ROUTER_SECRET, ApiCell, open_api_cell
from tests.support.signing import signed
from tests.support.waiting import until


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


@pytest.fixture
def own_redis() -> Iterator[servers.RunningRedis]:
    directory = servers.scratch_directory()
    running = servers.start_redis(directory)
    yield running
    servers.stop(running.process)
    shutil.rmtree(directory, ignore_errors=True)


def through_router(address: str, *, secret: bytes = ROUTER_SECRET.encode(), at: float | None = None) -> dict[str, str]:
    """What a router adds to the request of a caller at that address."""
    forwarded = element(address, "eu-1.test", "http")
    return {
        "Forwarded": forwarded,
        "Kovra-Router": prove(secret, forwarded, int(time.time() if at is None else at)),
    }


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_every_answer_to_a_known_caller_says_where_it_stands(cell: ApiCell) -> None:
    seen = []
    for answer in (
        await cell.client.get("/v1/wallets"),
        await cell.client.get("/v1/wallets/wal_eu1_00000000000000000000000000"),
        await cell.client.post("/v1/quotes", json={}),
        await cell.client.post("/v1/transfers", json={}),
    ):
        [(tier, told)] = parse_field(answer.headers["RateLimit"].encode(), tltype="list")
        [(policy, terms)] = parse_field(answer.headers["RateLimit-Policy"].encode(), tltype="list")
        assert tier == policy == "growth"
        assert terms["w"] == 60
        assert 0 < told["r"] < terms["q"]
        assert told["t"] >= 0
        seen.append(told["r"])
    assert sorted(seen, reverse=True) == seen
    assert "RateLimit" not in (await cell.anyone.get("/v1/wallets")).headers
    assert "RateLimit" not in (await cell.anyone.get("/problems")).headers


async def test_who_asks_too_often_is_told_when_to_come_back(cell: ApiCell) -> None:
    throttle = cell.parts.throttle
    throttle._share = 5 / 500
    answers = [await cell.other.get("/v1/regions") for _ in range(7)]
    assert [one.status_code for one in answers[:5]] == [200] * 5
    refused(answers[-1], 429, "too-many-requests")
    assert answers[-1].json()["retryable"] is True
    wait_s = int(answers[-1].headers["Retry-After"])
    assert 1 <= wait_s <= 12
    assert f";t={wait_s}" in answers[-1].headers["RateLimit"]
    assert ";r=0;" in answers[-1].headers["RateLimit"]
    assert (await cell.client.get("/v1/regions")).status_code == 200, "another tenant has a rate of its own"


async def test_who_guesses_is_stopped_and_nobody_else(cell: ApiCell) -> None:
    cell.parts.keys._remembered_s = 60
    text, _ = await cell.key(cell.tenant)
    statuses: list[int] = []
    # Each 0.6 s one more attempt comes free: on a slow machine it takes a few more than the limit.
    while 429 not in statuses and len(statuses) < 9 * auth.FAILURES_PER_MINUTE:
        wrong = text[:-3] + f"{len(statuses):03d}"
        statuses.append(
            (await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {wrong}"})).status_code
        )
    assert statuses[: auth.FAILURES_PER_MINUTE] == [401] * auth.FAILURES_PER_MINUTE
    assert statuses[-1] == 429
    assert (await cell.anyone.get("/v1/wallets", headers={"Authorization": "Bearer kv_nonsense"})).status_code == 401
    good = {"Authorization": f"Bearer {text}"}
    for claim in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"):
        said = {claim: "for=203.0.113.9" if claim == "Forwarded" else "203.0.113.9"}
        refused(await cell.anyone.get("/v1/wallets", headers={**good, **said}), 429, "too-many-failures")
    forged = through_router("203.0.113.9", secret=b"another cell's, or made up, of 32 bytes")
    refused(await cell.anyone.get("/v1/wallets", headers={**good, **forged}), 429, "too-many-failures")
    late = through_router("203.0.113.9", at=time.time() - 400)
    refused(await cell.anyone.get("/v1/wallets", headers={**good, **late}), 429, "too-many-failures")
    altered = {**through_router("203.0.113.9"), "Forwarded": through_router("203.0.113.8")["Forwarded"]}
    refused(await cell.anyone.get("/v1/wallets", headers={**good, **altered}), 429, "too-many-failures")
    elsewhere = {**good, **through_router("203.0.113.9")}
    assert (await cell.anyone.get("/v1/wallets", headers=elsewhere)).status_code == 200
    assert (await cell.anyone.get("/v1/wallets", headers=good)).status_code == 200, "it is remembered"


async def test_nobody_is_locked_out_in_the_name_of_another(cell: ApiCell) -> None:
    """Whoever is not believed about its address fails for its own, and the router's other callers go on."""
    text, _ = await cell.key(cell.tenant)
    wrong = {"Authorization": f"Bearer {text[:-1]}{'0' if text[-1] != '0' else '1'}"}
    claim = {"Forwarded": through_router("198.51.100.1")["Forwarded"], "X-Forwarded-For": "198.51.100.1"}
    for _ in range(auth.FAILURES_PER_MINUTE + 20):
        await cell.anyone.get("/v1/wallets", headers={**wrong, **claim})
    cell.parts.keys._key_failures = Meter()
    answer = await cell.anyone.get("/v1/wallets", headers={**wrong, **through_router("198.51.100.1")})
    refused(answer, 401, "invalid-api-key")
    neighbours = [through_router(f"2001:db8:1::{number:x}") for number in range(auth.FAILURES_PER_MINUTE + 20)]
    statuses = [
        (await cell.anyone.get("/v1/wallets", headers={**wrong, **headers})).status_code for headers in neighbours
    ]
    assert statuses[-1] == 429, "one host has a whole /64 of addresses"


@pytest.mark.parametrize("credential_type", ["key", "signature", "client"])
async def test_a_key_that_is_guessed_at_from_everywhere_is_looked_up_seldom_and_opens_for_its_owner(
    cell: ApiCell, credential_type: CredentialType, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.parts.keys._remembered_s = 60
    text, key_id = await cell.issue(cell.tenant, credential_type)
    looked_up: list[str] = []

    async def counted(connection, region, key_ids):
        looked_up.extend(key_ids)
        return await store_keys.find_keys(connection, region, key_ids)

    monkeypatch.setattr(auth, "find_keys", counted)

    async def asked(number: int, secret: str) -> httpx.Response:
        origin = through_router(f"198.51.{number // 250}.{number % 250}")
        if credential_type == "signature":
            origin |= signed(key_id, secret, "GET", "/v1/wallets")
        elif credential_type == "client":
            form = {"grant_type": "client_credentials", "client_id": key_id, "client_secret": secret}
            return await cell.anyone.post("/v1/oauth/token", data=form, headers=origin)
        else:
            origin["Authorization"] = f"Bearer {secret}"
        return await cell.anyone.get("/v1/wallets", headers=origin)

    statuses = []
    while statuses.count(429) < 50 and len(statuses) < 5 * auth.FAILURES_PER_KEY_PER_MINUTE:
        wrong = text[:-3] + f"{len(statuses) % 1000:03d}"
        statuses.append((await asked(len(statuses), wrong)).status_code)
    assert statuses[: auth.FAILURES_PER_KEY_PER_MINUTE] == [401] * auth.FAILURES_PER_KEY_PER_MINUTE
    assert statuses.count(429) == 50
    assert looked_up.count(key_id) <= auth.FAILURES_PER_KEY_PER_MINUTE + 1, "the guesses after that cost no look-up"
    assert (await asked(0, text)).status_code == 200, "its owner is not locked out"


async def test_redis_may_be_killed_and_come_back_while_partners_ask(
    cell_database, schemes, tmp_path, monkeypatch, own_redis: servers.RunningRedis
) -> None:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    url = own_redis.server.url
    async with open_api_cell(tmp_path, cell_database("EU"), schemes, redis_url=url) as cell:
        path = "/v1/regions"

        async def left() -> int:
            answer = await cell.client.get(path)
            assert answer.status_code == 200, answer.text
            [(_, told)] = parse_field(answer.headers["RateLimit"].encode(), tltype="list")
            return int(told["r"])

        assert await left() == 499
        assert await left() == 498
        own_redis.process.kill()
        own_redis.process.wait()
        assert await left() == 499, "this process counts by itself, from the beginning"
        assert await left() == 498
        refused(await cell.anyone.get(path), 401, "invalid-api-key")
        log = own_redis.server.data / "again.log"
        again = start(own_redis.server.command(), log=log, environment=clean_environment())
        try:

            async def counted_together() -> bool:
                await left()
                return not cell.parts.throttle.alone

            await until(counted_together)
            assert await left() < 500
        finally:
            again.kill()
            again.wait()
