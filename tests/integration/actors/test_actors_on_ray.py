"""Wallet actors on a real Ray cluster: killed, moved, listed, and cut off from their cluster."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.deployment import Deployment
from actors.listing import list_actors
from actors.on_ray import OnRay, RayConnection
from actors.runtime import ActorUnavailable, ServiceSpec
from cells.kit.command import Command
from tests.support.ray_cluster import RunningRay
from tests.support.waiting import until

DEADLINE_S = 30.0


@pytest.fixture
async def runtime(ray_cluster: RunningRay) -> AsyncIterator[OnRay]:
    opened = OnRay(ray_cluster.connection)
    yield opened
    for name in await opened.names():
        await opened.stop(name)
    await opened.close()


async def is_away(runtime: OnRay) -> bool:
    try:
        await runtime.names()
    except ActorUnavailable:
        return True
    return False


def folder_deployment(folder: Path, **more: object) -> Deployment:
    return Deployment(str(folder), handler="tests.support.actor_doubles:open_folder_handler", **more)  # type: ignore[arg-type]


async def test_killed_after_journaling_the_same_command_id_is_answered_once_it_is_back(
    runtime: OnRay, tmp_path: Path
) -> None:
    wallets = folder_deployment(tmp_path).wallets(runtime)
    first = await wallets.ask(Command("c1", "w", "pay", 1), deadline_s=DEADLINE_S)
    # The process journals c2 and dies before it answers; the door asks the restarted one for the same id.
    name, body, journaled_by = await wallets.ask(Command("c2", "w", "die", 2), deadline_s=DEADLINE_S)
    assert (name, body) == ("die", 2)
    assert journaled_by == first[2] != os.getpid()
    third = await wallets.ask(Command("c3", "w", "pay", 3), deadline_s=DEADLINE_S)
    assert third[2] != first[2]
    assert (tmp_path / "epoch-w").read_text() == "2"
    await wallets.close()


async def test_batches_are_one_at_rest_and_grow_under_load(runtime: OnRay, tmp_path: Path) -> None:
    wallets = folder_deployment(tmp_path).wallets(runtime)
    for number in range(5):
        await wallets.ask(Command(f"rest{number}", "w", "pay", number), deadline_s=DEADLINE_S)
    (row,) = await list_actors(runtime)
    assert row.mean_batch == 1
    commands = [Command(f"load{number}", f"w{number % 7}", "pay", number) for number in range(700)]
    replies = await asyncio.gather(*(wallets.ask(command, deadline_s=DEADLINE_S) for command in commands))
    assert [reply[1] for reply in replies] == list(range(700))
    (row,) = await list_actors(runtime)
    assert row.mean_batch > 10
    assert row.hosts == 8
    assert row.details["wallets"]["w3"]["processed"] == 100
    await wallets.close()


async def test_own_and_shared_wallets_live_in_processes_of_their_own(runtime: OnRay, tmp_path: Path) -> None:
    deployment = folder_deployment(tmp_path, wallet_actors_max=1, own=("mine",))
    wallets = deployment.wallets(runtime)
    await deployment.ensure(runtime)
    pids = {
        wallet: (await wallets.ask(Command(f"of {wallet}", wallet, "pay"), deadline_s=DEADLINE_S))[2]
        for wallet in ("mine", "yours", "theirs")
    }
    assert pids["yours"] == pids["theirs"] != pids["mine"]
    assert {row.name: row.kind for row in await list_actors(runtime)} == {
        "wallet-mine": "own",
        "wallets-0": "shared",
    }
    await wallets.close()


async def test_a_driver_whose_head_died_fails_its_asks_and_connects_to_the_next_one(
    runtime: OnRay, ray_cluster: RunningRay
) -> None:
    spec = ServiceSpec("probe", "tests.support.actor_doubles:Probe")
    handle = await runtime.spawn(spec)
    held = asyncio.create_task(handle.ask("hold", deadline_s=DEADLINE_S))
    await handle.ask("increment", deadline_s=DEADLINE_S)
    try:
        await asyncio.to_thread(ray_cluster.stop)
        with pytest.raises(ActorUnavailable):
            await held
        await until(lambda: is_away(runtime))
    finally:
        await asyncio.to_thread(ray_cluster.start)
    again = await runtime.spawn(spec)
    assert await again.ask("increment", deadline_s=DEADLINE_S) == 1


async def test_no_cluster_is_a_retryable_failure_at_once(tmp_path: Path) -> None:
    runtime = OnRay(RayConnection("127.0.0.1:1", tmp_path / "none"))
    async with asyncio.timeout(5):
        with pytest.raises(ActorUnavailable) as down:
            await runtime.names()
    assert down.value.retryable
    await runtime.close()


async def test_a_call_without_a_connection_starts_no_cluster_of_its_own(ray_cluster: RunningRay) -> None:
    runtime = OnRay(ray_cluster.connection)
    await runtime.names()
    await runtime.close()
    import ray  # noqa: PLC0415 - as actors.on_ray does: after the environment is set

    # What a thread meets that is under way while the head dies. Ray's own answer to it is a new cluster, right here.
    with pytest.raises(Exception, match="not been started"):
        ray.get_actor("nobody")
    assert not ray.is_initialized()
