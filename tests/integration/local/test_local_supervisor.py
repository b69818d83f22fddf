"""The supervisor with a few real servers: order, restart, reports, refusal, and nothing left behind."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from infra.local import redis
from infra.local.child import clean_environment, run, spawn
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.part import Part
from infra.local.probes import accepts_tcp
from infra.local.ray import kept
from infra.local.supervisor import Event, PartFailed, State, Supervisor
from tests.support import servers
from tests.support.waiting import until


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie, which nobody collected yet, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def home() -> Iterator[Home]:
    directory = servers.scratch_directory()
    made = Home(directory / "h")
    made.create()
    yield made
    made.clean()
    shutil.rmtree(directory)


def redis_part(home: Home, name: str, *needs: str) -> Part:
    server = redis.RedisServer(home.root / name, home.root / f"{name}-secret", servers.free_port())
    return replace(redis.part(server, "xx-1"), name=name, needs=tuple(f"xx-1/{need}" for need in needs))


@pytest.fixture
async def supervised(home: Home) -> AsyncIterator[Callable[..., tuple[Supervisor, list[Event]]]]:
    made: list[Supervisor] = []

    def make(*parts: Part) -> tuple[Supervisor, list[Event]]:
        events: list[Event] = []
        made.append(Supervisor(home, parts, events.append))
        return made[-1], events

    yield make
    for supervisor in made:
        await supervisor.stop()


Make = Callable[..., tuple[Supervisor, list[Event]]]


async def test_parts_start_after_what_they_need_and_stop_before_it(home: Home, supervised: Make) -> None:
    supervisor, events = supervised(
        redis_part(home, "last", "middle"), redis_part(home, "middle", "first"), redis_part(home, "first")
    )
    await supervisor.start()
    await supervisor.stop()
    told = [(event.part.removeprefix("xx-1/"), event.state) for event in events]
    assert told == [
        (name, state) for name in ("first", "middle", "last") for state in (State.STARTING, State.READY)
    ] + [(name, State.STOPPED) for name in ("last", "middle", "first")]


async def test_a_killed_part_is_reported_and_started_again(home: Home, supervised: Make) -> None:
    supervisor, events = supervised(redis_part(home, "one"))
    await supervisor.start()
    running = supervisor.parts["xx-1/one"]
    first = running.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: running.restarts == 1 and running.state is State.READY, "started again")
    assert running.pid not in (None, first)
    died = next(event for event in events if event.state is State.DIED)
    assert "SIGKILL" in died.detail


async def test_a_part_that_stops_answering_is_reported_and_not_killed(
    home: Home, supervised: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor._CHECK_EVERY_S", 0.05)
    monkeypatch.setattr("infra.local.supervisor._CHECK_TIMEOUT_S", 0.2)
    supervisor, _ = supervised(redis_part(home, "one"))
    await supervisor.start()
    running = supervisor.parts["xx-1/one"]
    pid = running.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: running.state is State.UNHEALTHY, "reported")
    os.kill(pid, signal.SIGCONT)
    await until(lambda: running.state is State.READY, "answers again")
    assert running.pid == pid
    assert running.restarts == 0


async def test_a_part_that_cannot_start_fails_the_start_with_its_last_words(home: Home, supervised: Make) -> None:
    broken = replace(
        redis_part(home, "broken"), command=(sys.executable, "-c", "import sys; sys.exit('the disk is full')")
    )
    supervisor, _ = supervised(redis_part(home, "fine"), broken)
    with pytest.raises(PartFailed, match=r"xx-1/broken .*the disk is full"):
        await supervisor.start()
    assert supervisor.parts["xx-1/fine"].pid is None


SLOW = """
import socket, sys, time
began = time.monotonic()
while time.monotonic() - began < float(sys.argv[2]):
    pass
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()
"""


def slow_part(name: str, seconds: float, *needs: str, silence_s: float = 3.0) -> Part:
    """Computes for so long before it serves."""
    port = servers.free_port()
    return Part(
        cell="xx-1", name=name, command=(sys.executable, "-c", SLOW, str(port), str(seconds)), environment=clean_environment(),
        healthy=partial(accepts_tcp, port), needs=tuple(f"xx-1/{need}" for need in needs), start_silence_s=silence_s,
    )  # fmt: skip


async def test_a_slow_part_that_shows_signs_of_life_is_waited_for_and_said_to_be(
    supervised: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor._REPORT_EVERY_S", 1.0)
    supervisor, events = supervised(slow_part("slow", 6.0), slow_part("after", 0.0, "slow"))
    await supervisor.start()
    assert supervisor.parts["xx-1/slow"].failures == 0
    waits = [one.detail for one in events if one.part == "xx-1/slow" and one.state is State.STARTING and one.detail]
    assert waits
    assert all("still starting after" in one and "xx-1/after waits for it" in one for one in waits)


async def test_a_part_without_a_sign_of_life_fails_in_one_sentence(
    supervised: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor._AT_ONCE_S", 60.0)
    silent = replace(
        slow_part("silent", 0.0), command=(sys.executable, "-c", "import time; time.sleep(600)"), start_silence_s=0.5
    )
    supervisor, _ = supervised(silent)
    with pytest.raises(PartFailed, match=r"xx-1/silent did not start: it showed no sign of life for 0 s; see .*silent"):
        await supervisor.start()


async def test_a_part_that_took_its_time_before_it_failed_is_tried_more_than_three_times(
    home: Home, supervised: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray's head, which gives itself half a minute however slow the machine is."""
    monkeypatch.setattr("infra.local.supervisor._AT_ONCE_S", 0.0)
    tries, part = home.root / "tries", slow_part("moody", 0.0)
    fails_four_times = f'echo x >> "{tries}"; test $(wc -l < "{tries}") -gt 4 || exit 1; exec "$0" "$@"'
    supervisor, _ = supervised(replace(part, command=("sh", "-c", fails_four_times, *part.command)))
    await supervisor.start()
    assert supervisor.parts["xx-1/moody"].failures == 4


async def test_a_command_that_does_not_end_is_told_in_words() -> None:
    with pytest.raises(LocalError, match="sleep did not end within 0 s"):
        await run(["sleep", "600"], environment=clean_environment(), timeout_s=0.2)


async def test_a_part_deaf_to_the_request_to_stop_is_killed(home: Home, supervised: Make) -> None:
    supervisor, _ = supervised(replace(redis_part(home, "one"), stop_timeout_s=0.1))
    await supervisor.start()
    pid = supervisor.parts["xx-1/one"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await supervisor.stop()
    assert not lives(pid)


ORPHANS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
{then}
"""


async def _orphan_of(log: Path) -> int:
    def told() -> list[str]:
        return log.read_text().split() if log.exists() else []

    await until(told, "the child told its pid")
    return int(told()[0])


@pytest.mark.parametrize(("then", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
async def test_a_keeper_ends_what_its_command_abandoned(tmp_path: Path, then: str, status: int) -> None:
    command = kept(sys.executable, "-c", ORPHANS.format(then=then))
    keeper = await spawn(command, log=tmp_path / "log", environment=clean_environment())
    orphan = await _orphan_of(tmp_path / "log")
    assert await asyncio.wait_for(keeper.wait(), 20) == status
    assert not lives(orphan)


async def test_a_keeper_passes_the_request_to_stop_on_and_leaves_nobody(tmp_path: Path) -> None:
    command = kept(sys.executable, "-c", ORPHANS.format(then="time.sleep(600)"))
    keeper = await spawn(command, log=tmp_path / "log", environment=clean_environment())
    orphan = await _orphan_of(tmp_path / "log")
    keeper.terminate()
    assert await asyncio.wait_for(keeper.wait(), 20) == 128 + signal.SIGTERM
    assert not lives(orphan)
