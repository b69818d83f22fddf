"""What every runtime promises: one suite over the in-process twin and a real Ray cluster."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from actors.in_process import InProcess
from actors.listing import list_actors
from actors.on_ray import OnRay
from actors.runtime import ActorFailed, ActorUnavailable, DeadlineMissed, Handle, Runtime, ServiceSpec
from tests.support.actor_doubles import Refused
from tests.support.waiting import until

PROBE = "tests.support.actor_doubles:Probe"
DEADLINE_S = 20.0


def probe(name: str = "probe", **arguments: Any) -> ServiceSpec:
    return ServiceSpec(name, PROBE, arguments)


@pytest.fixture(params=["in_process", "ray"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    opened: Runtime
    opened = OnRay(request.getfixturevalue("ray_cluster").connection) if request.param == "ray" else InProcess()
    yield opened
    for name in await opened.names():
        await opened.stop(name)
    await opened.close()


async def kill(runtime: Runtime, handle: Handle) -> None:
    """As `kill -9` does, where there is a process to kill."""
    if isinstance(runtime, InProcess):
        await runtime.crash(handle.name)
    else:
        os.kill(await handle.ask("pid", deadline_s=DEADLINE_S), signal.SIGKILL)


async def answered(ask: Callable[[], Any]) -> Any:
    """The answer, once the service is there to give one."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await ask()
            except ActorUnavailable:
                await asyncio.sleep(0.01)


async def test_a_name_is_one_service(runtime: Runtime) -> None:
    first = await runtime.spawn(probe())
    second = await runtime.spawn(probe())
    found = await runtime.find("probe")
    assert found is not None
    assert [await handle.ask("increment", deadline_s=DEADLINE_S) for handle in (first, second, found)] == [
        1,
        2,
        3,
    ]
    assert await runtime.names() == ["probe"]
    assert await runtime.find("nobody") is None


async def test_values_travel_by_copy(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    mine = [7]
    assert await handle.ask("append", mine, deadline_s=DEADLINE_S) == [7, 1]
    assert mine == [7]
    assert await handle.ask("echo", 1, "two", {"three": None}, deadline_s=DEADLINE_S) == (
        1,
        "two",
        {"three": None},
    )


async def test_an_expected_failure_arrives_whole(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    with pytest.raises(Refused) as refused:
        await handle.ask("refuse", deadline_s=DEADLINE_S)
    assert (refused.value.detail, refused.value.pointer, refused.value.extra) == (
        "No.",
        "/amount",
        {"limit": 3},
    )


async def test_a_bug_arrives_without_its_words(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    with pytest.raises(ActorFailed) as failed:
        await handle.ask("stumble", "Siti Rahayu", deadline_s=DEADLINE_S)
    assert "Siti" not in str(failed.value) + str(failed.value.__cause__) + str(failed.value.extra)
    with pytest.raises(ActorFailed):
        await handle.ask("_private", deadline_s=DEADLINE_S)


async def test_asks_run_side_by_side(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    held = asyncio.create_task(handle.ask("hold", deadline_s=DEADLINE_S))
    assert await handle.ask("echo", 1, deadline_s=DEADLINE_S) == (1,)
    await handle.ask("release", deadline_s=DEADLINE_S)
    assert await held == 1


async def test_what_a_service_measures_is_told_with_it(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    await handle.ask("measure", deadline_s=DEADLINE_S)
    assert ("probe",) in (await handle.described(deadline_s=DEADLINE_S)).figures["kovra_batch_items"]


async def test_a_missed_deadline_is_unknown_and_the_work_goes_on(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    await handle.ask("echo", deadline_s=DEADLINE_S)
    with pytest.raises(DeadlineMissed) as missed:
        await handle.ask("hold", deadline_s=0.3)
    assert missed.value.retryable
    await handle.ask("release", deadline_s=DEADLINE_S)

    async def counted() -> bool:
        return (await handle.described()).stats == {"count": 1}

    await until(counted)


async def test_killed_it_fails_what_was_in_flight_and_comes_back_empty(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    await handle.ask("increment", deadline_s=DEADLINE_S)
    held = asyncio.create_task(handle.ask("hold", deadline_s=DEADLINE_S))
    await handle.ask("echo", deadline_s=DEADLINE_S)
    await kill(runtime, handle)
    with pytest.raises(ActorUnavailable) as lost:
        await held
    assert not isinstance(lost.value, DeadlineMissed)
    assert await answered(lambda: handle.ask("increment", deadline_s=DEADLINE_S)) == 1


async def test_a_stopped_service_is_gone_and_may_be_spawned_anew(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe())
    await handle.ask("increment", deadline_s=DEADLINE_S)
    await runtime.stop("probe")
    await runtime.stop("probe")
    assert await runtime.find("probe") is None
    with pytest.raises(ActorUnavailable):
        await handle.ask("increment", deadline_s=DEADLINE_S)
    assert (await handle.described()).state == "unreachable"
    again = await runtime.spawn(probe())
    assert await again.ask("increment", deadline_s=DEADLINE_S) == 1


async def test_a_start_that_fails_is_tried_again_and_told_to_who_asks_meanwhile(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe(failing_starts=3))
    with pytest.raises(ActorUnavailable):
        await handle.ask("increment", deadline_s=DEADLINE_S)
    assert (await handle.described()).state == "starting"
    assert await answered(lambda: handle.ask("increment", deadline_s=DEADLINE_S)) == 1
    assert (await handle.described()).state == "running"


async def test_a_service_reaches_others_through_its_runtime(runtime: Runtime) -> None:
    asking = await runtime.spawn(probe("asking"))
    await runtime.spawn(probe("asked"))
    assert await asking.ask("ask_other", "asked", deadline_s=DEADLINE_S) == 1


async def test_the_listing_shows_where_each_actor_is(runtime: Runtime) -> None:
    handle = await runtime.spawn(probe("wallets-0"))
    pid = await handle.ask("pid", deadline_s=DEADLINE_S)
    (row,) = await list_actors(runtime)
    assert (row.name, row.kind, row.state, row.pid) == ("wallets-0", "shared", "running", pid)
    assert row.host
