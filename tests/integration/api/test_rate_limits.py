"""Rates over a real Redis: exact under concurrency, by Redis's clock, and neither open nor closed while it is away."""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import redis.asyncio
from prometheus_client import REGISTRY

from cells.backends.redis import CacheUnavailable, Counters, Wanted, _Script
from cells.tenants.tenant import Tenant, mint_tenant
from infra.local.child import clean_environment, start
from residency.directory import load_directory
from router.api.throttle import Throttle
from tests.support import servers
from tests.support.waiting import until

CELL = load_directory().cell("eu-1")


@pytest.fixture
def tenant() -> Tenant:
    return mint_tenant("Nusantara Pay", CELL, tier="starter")


@pytest.fixture
async def processes(redis_url: str) -> AsyncIterator[list[Throttle]]:
    """Four API processes' worth of counters."""
    opened = [Throttle(Counters(redis_url), share=0.25) for _ in range(4)]
    yield opened
    for one in opened:
        await one.close()


@pytest.fixture
def own_redis() -> Iterator[servers.RunningRedis]:
    directory = servers.scratch_directory()
    running = servers.start_redis(directory)
    yield running
    servers.stop(running.process)
    shutil.rmtree(directory, ignore_errors=True)


def counted_alone() -> float | None:
    return REGISTRY.get_sample_value("kovra_api_rates_counted_alone")


async def test_of_many_at_once_exactly_the_rate_passes(processes: list[Throttle], tenant: Tenant) -> None:
    told = await asyncio.gather(*(one.admit(tenant) for _ in range(100) for one in processes))
    passed = [one for one in told if one.allowed]
    # A starter makes 100 a minute; while the four hundred are counted, one more may come free each 0.6 s.
    assert 100 <= len(passed) <= 103
    assert min(one.remaining for one in passed) == 0
    refused = [one for one in told if not one.allowed]
    assert {one.wait_s for one in refused} == {1}
    assert {one.remaining for one in refused} == {0}


async def test_tenants_do_not_wait_for_each_other(processes: list[Throttle], tenant: Tenant) -> None:
    other = mint_tenant("Hanse Remit", CELL, tier="growth")
    told = await asyncio.gather(*(processes[0].admit(one) for _ in range(150) for one in (tenant, other)))
    assert sum(one.allowed for one in told[0::2]) < 103
    assert all(one.allowed for one in told[1::2])
    large = replace(tenant, tenant_id="ten_eu1_bench", tier="benchmark")
    assert (await processes[0].admit(large)).remaining > 99_000_000


async def test_the_clock_is_redis_own(redis_url: str) -> None:
    counters = Counters(redis_url)
    [first] = await counters.take([Wanted("clock", 60, 60)])
    assert first.admitted == 60
    assert 59_000_000 < first.debt_us <= 60_000_000
    [second] = await counters.take([Wanted("clock", 60, 5)])
    assert second.admitted == 0

    async def one_more() -> bool:
        [granted] = await counters.take([Wanted("clock", 60, 1)])
        return granted.admitted == 1

    await until(one_more, timeout_s=3)
    await counters.close()


@pytest.mark.parametrize("answer", ["'OK'", "1", "{1}", "{1, 2, 3}", "{'1', '2'}", "{}", "nil"])
async def test_an_answer_that_is_not_the_scripts_counts_as_none(redis_url: str, answer: str) -> None:
    counters = Counters(redis_url)
    counters._meter = _Script(f"return {answer}")
    with pytest.raises(CacheUnavailable):
        await counters.take([Wanted("answers", 60, 1)])
    await counters.close()


async def test_a_nonce_opens_once_whichever_process_it_comes_to(processes: list[Throttle]) -> None:
    later = int(time.time()) + 600
    told = await asyncio.gather(*(one.first("ten_eu1_x", "key_eu1_x:n1", later) for _ in range(5) for one in processes))
    assert sum(told) == 1
    assert await processes[0].first("ten_eu1_x", "key_eu1_y:n1", later)


async def test_no_tenant_s_nonces_push_out_another_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.api.throttle.NONCES_MAX", 100)
    throttle, later = Throttle(None), int(time.time()) + 600
    assert await throttle.first("ten_eu1_x", "k:n", later)
    for number in range(500):
        assert await throttle.first("ten_eu1_y", f"l:{number}", later)
    assert not await throttle.first("ten_eu1_x", "k:n", later)
    assert not await throttle.first("ten_eu1_y", "l:499", later)


async def test_nonces_that_have_run_out_take_no_memory() -> None:
    throttle, past = Throttle(None), int(time.time()) - 1
    for number in range(50):
        assert await throttle.first(f"ten_eu1_{number % 5}", f"k:{number}", past)
    for number in range(50):
        assert await throttle.first("ten_eu1_x", f"l:{number}", past + 600)
    assert list(throttle._nonces) == ["ten_eu1_x"]


async def test_a_full_redis_forgets_no_nonce(own_redis: servers.RunningRedis) -> None:
    """Room for one tenant's is not made of another's: without room, each process remembers by itself."""
    admin, later = redis.asyncio.from_url(own_redis.server.url), int(time.time()) + 600
    throttle = Throttle(Counters(own_redis.server.url))
    assert await throttle.first("ten_eu1_x", "k:n", later)
    assert (await admin.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
    await admin.config_set("maxmemory", "1kb")
    assert await throttle.first("ten_eu1_y", "l:n", later)
    assert throttle.alone
    await admin.config_set("maxmemory", "0")
    await until(lambda: not throttle.alone)
    other = Throttle(Counters(own_redis.server.url))
    assert not await other.first("ten_eu1_x", "k:n", later)
    for one in (throttle, other):
        await one.close()
    await admin.aclose()


async def test_without_redis_each_process_gives_its_share_and_returns_by_itself(
    own_redis: servers.RunningRedis, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    processes = [Throttle(Counters(own_redis.server.url), share=0.25) for _ in range(4)]
    assert (await processes[0].admit(tenant)).allowed
    own_redis.process.kill()
    own_redis.process.wait()
    told = await asyncio.gather(*(one.admit(tenant) for _ in range(100) for one in processes))
    assert 100 <= sum(one.allowed for one in told) <= 103, (
        "neither open nor closed: a quarter of the rate in each of four"
    )
    assert counted_alone() == 1
    assert "Redis is away" in caplog.text
    later = 2**31
    assert await processes[0].first("ten_eu1_x", "k:n", later)
    assert not await processes[0].first("ten_eu1_x", "k:n", later), "the process that saw it remembers it by itself"

    again = start(own_redis.server.command(), log=own_redis.server.data / "again.log", environment=clean_environment())
    try:
        probe = Counters(own_redis.server.url)

        async def back() -> bool:
            await asyncio.gather(*(one.admit(tenant) for one in processes))
            try:
                [granted] = await probe.take([Wanted(tenant.tenant_id, 100, 0)])
            except CacheUnavailable:
                return False
            return granted.debt_us > 0 and counted_alone() == 0

        await until(back, timeout_s=20)
        assert "Redis is back" in caplog.text
        assert not await processes[0].first("ten_eu1_x", "k:n", later), "its own memory spans the change"
        await probe.close()
    finally:
        for one in processes:
            await one.close()
        again.kill()
        again.wait()


async def test_a_redis_that_answers_nothing_delays_one_batch_and_no_more(
    own_redis: servers.RunningRedis, tenant: Tenant
) -> None:
    throttle = Throttle(Counters(own_redis.server.url))
    assert (await throttle.admit(tenant)).allowed
    own_redis.process.send_signal(signal.SIGSTOP)
    try:
        began = time.perf_counter()
        assert (await throttle.admit(tenant)).allowed
        first_s = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(50):
            assert (await throttle.admit(tenant)).allowed
        assert time.perf_counter() - began < first_s
        assert first_s < 5
    finally:
        own_redis.process.send_signal(signal.SIGCONT)
    await until(lambda: counted_alone() == 0)
    await throttle.close()
