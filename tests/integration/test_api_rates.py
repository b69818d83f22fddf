"""Rates as a partner meets them: what every answer says, what a 429 says, and that Redis may come and go meanwhile."""

import shutil
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from http_sf import parse as parse_field

from infra.local.child import clean_environment, start
from router.api import auth
from tests import servers
from tests.api_cell import ApiCell, open_api_cell
from tests.waiting import until


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
    elsewhere = {"Authorization": f"Bearer {text}", "Forwarded": "for=203.0.113.9"}
    assert (await cell.anyone.get("/v1/wallets", headers=elsewhere)).status_code == 200
    assert (await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {text}"})).status_code == 200


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
