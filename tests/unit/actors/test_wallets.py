"""The door: coalesces, retries the same ids once the actor is back, and calls what is not answered unknown."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.mailbox import MailboxFull
from actors.placement import Placement
from actors.runtime import ActorFailed, ActorUnavailable, DeadlineMissed, Described, ServiceSpec
from actors.wallets import Wallets
from cells.kit.command import Command, Reply
from tests.support.actor_doubles import Refused


class SlowHost:
    """A handle and a runtime in one: answers each call when let through, after failing the first `failures` of them."""

    name = "wallets-0"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[list[str]] = []
        self.open = asyncio.Semaphore(0)

    async def spawn(self, service: ServiceSpec) -> "SlowHost":
        return self

    async def described(self, *, deadline_s: float = 2.0) -> Described:
        return Described(self.name, "running")

    async def ask(self, method: str, *arguments: Any, deadline_s: float) -> Sequence[Reply]:
        (commands,) = arguments
        self.calls.append([command.command_id for command in commands])
        if self.failures:
            self.failures -= 1
            raise ActorUnavailable()
        await self.open.acquire()
        return [command.body for command in commands]

    async def find(self, name: str) -> "SlowHost":
        return self

    async def names(self) -> Sequence[str]:
        return [self.name]

    async def stop(self, name: str) -> None:
        return

    async def close(self) -> None:
        return


def door(host: SlowHost, **bounds: Any) -> Wallets:
    return Wallets(host, Placement(hosting_actors=1), lambda name: ServiceSpec(name, "none:None"), **bounds)


def command(number: int, wallet: str = "w") -> Command:
    return Command(f"c{number}", wallet, "do", number)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_while_calls_are_in_flight_goes_as_one() -> None:
    host = SlowHost()
    wallets = door(host)
    tasks = []
    for number in (0, 1):
        tasks.append(asyncio.create_task(wallets.ask(command(number))))
        await turns()
    tasks += [asyncio.create_task(wallets.ask(command(number, f"w{number}"))) for number in (2, 3, 4)]
    await turns()
    assert host.calls == [["c0"], ["c1"]]
    for _ in range(3):
        host.open.release()
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
    assert host.calls[2:] == [["c2", "c3", "c4"]]


async def test_commands_of_one_turn_leave_together() -> None:
    host = SlowHost()
    host.open.release()
    assert await door(host).ask_many([command(number) for number in range(5)]) == [0, 1, 2, 3, 4]
    assert len(host.calls) == 1


async def test_the_same_ids_are_asked_once_more_and_no_oftener() -> None:
    once, twice = SlowHost(failures=1), SlowHost(failures=2)
    once.open.release()
    assert await door(once).ask(command(7)) == 7
    assert once.calls == [["c7"], ["c7"]]
    with pytest.raises(ActorUnavailable) as unknown:
        await door(twice).ask(command(7))
    assert unknown.value.retryable
    assert len(twice.calls) == 2


async def test_no_answer_within_the_deadline_is_unknown_and_the_call_goes_on() -> None:
    host = SlowHost()
    wallets = door(host)
    with pytest.raises(DeadlineMissed):
        await wallets.ask(command(1), deadline_s=0.01)
    (reply,) = await wallets.ask_many([command(2)], deadline_s=0.01)
    assert isinstance(reply, DeadlineMissed)
    assert host.calls == [["c1"], ["c2"]]
    host.open.release()
    host.open.release()
    await wallets.close()


async def test_a_body_that_does_not_travel_is_told_to_its_caller(tmp_path: Path) -> None:
    runtime = InProcess()
    deployment = Deployment(str(tmp_path), handler="tests.support.actor_doubles:open_folder_handler")
    wallets = deployment.wallets(runtime)
    with pytest.raises(ActorFailed):
        await wallets.ask(Command("c1", "w", "do", lambda: None))
    assert (await wallets.ask(command(2)))[1] == 2
    await wallets.close()
    await runtime.close()


async def test_a_caller_that_gave_up_before_its_turn_is_not_sent() -> None:
    host = SlowHost()
    wallets = door(host, in_flight=1)
    first = asyncio.create_task(wallets.ask(command(0)))
    await turns()
    with pytest.raises(DeadlineMissed):
        await wallets.ask(command(1), deadline_s=0.01)
    host.open.release()
    host.open.release()
    await first
    assert await wallets.ask(command(2)) == 2
    assert host.calls == [["c0"], ["c2"]]


async def test_the_door_is_bounded_too() -> None:
    host = SlowHost()
    wallets = door(host, waiting_max=2)
    replies = asyncio.create_task(wallets.ask_many([command(number) for number in range(3)]))
    await turns()
    host.open.release()
    assert (await replies)[:2] == [0, 1]
    assert isinstance((await replies)[2], MailboxFull)


async def test_each_host_has_its_own_lane_and_a_move_takes_effect(tmp_path: Path) -> None:
    runtime = InProcess()
    deployment = Deployment(
        str(tmp_path),
        hosting_actors=2,
        wallet_actors_max=1,
        handler="tests.support.actor_doubles:open_folder_handler",
    )
    wallets = deployment.wallets(runtime)
    for number in range(20):
        assert (await wallets.ask(command(number, f"w{number}")))[1] == number
    assert await runtime.names() == ["wallets-0", "wallets-1"]
    wallets.move(Placement(hosting_actors=2, wallet_actors_max=1, own=["w3"]))
    await wallets.ask(command(100, "w3"))
    assert await runtime.names() == ["wallet-w3", "wallets-0", "wallets-1"]
    assert (tmp_path / "epoch-w3").read_text() == "2"
    with pytest.raises(Refused):
        await wallets.ask(Command("c200", "w3", "refuse"))
    await wallets.close()
    await runtime.close()
