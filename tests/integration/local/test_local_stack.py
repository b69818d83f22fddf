"""The laptop's servers as a whole: they come up, survive, refuse, and leave nothing behind. Real servers of three cells."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from cells.spec import load_spec
from infra.local import ports, postgres
from infra.local.binaries import postgres_install
from infra.local.child import run, spawn
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.layout import port_keys
from infra.local.reach import reachable_install, server_user
from infra.local.record import AlreadyRunning, Phase, StackStatus
from infra.local.stack import NotRunning, Stack
from infra.local.supervisor import Event, State, Supervisor
from residency.directory import load_directory
from residency.keys import load_keys
from tests.integration.local.test_local_supervisor import lives
from tests.support import servers
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = 65534


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for a home, and a block of ports nobody uses."""
    monkeypatch.setenv("KOVRA_PORT_BASE", str(servers.free_port_base()))
    # These tests are about the supervisor; TigerBeetle has its own, and takes 2 GB a cell.
    monkeypatch.setenv("KOVRA_TIGERBEETLE_BINARY", "/nonexistent/tigerbeetle")
    directory = servers.scratch_directory()
    yield directory
    shutil.rmtree(directory)


def ignore(_: Event) -> None:
    return None


def tree(status: StackStatus) -> list[int]:
    """Every process of the stack, children's children included."""
    roots = [psutil.Process(part.pid) for part in status.parts if part.pid]
    return [process.pid for root in roots for process in [root, *root.children(recursive=True)]]


async def test_servers_of_three_cells_come_up_heal_and_keep_their_data(folder: Path) -> None:
    events: list[Event] = []
    stack = Stack(folder / "h", servers_only=True)
    status = await stack.up(events.append)
    try:
        assert status.ready
        assert {part.cell for part in status.parts} == {*load_directory().cells, "shared"}
        assert all(part.memory_bytes > 0 and part.uptime_s is not None for part in status.parts)
        specs = {name: load_spec(name, stack.home.root) for name in load_directory().cells}
        for name, spec in specs.items():
            load_keys(stack.home.root, name, spec.directory)
            connection = await asyncpg.connect(spec.settings.postgres.owner)
            assert await connection.fetchval("select region from cell_region") == spec.region
            assert await connection.fetchval("show synchronous_commit") == "on"
            assert await connection.fetchval("show fsync") == "on"
            await connection.execute("create table kept_over_restarts as select 42 as answer")
            await connection.close()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())):
            await Stack(folder / "h", servers_only=True).up(ignore)
        await _heals(stack, "eu-1", "postgres")
        await _heals(stack, "id-1", "ray")
        assert {event.part for event in events if event.state is State.DIED} == {"eu-1/postgres", "id-1/ray"}
    finally:
        everybody = tree(await stack.status())
        await stack.down()
    assert not [pid for pid in everybody if lives(pid)]
    again = Stack(folder / "h", servers_only=True)
    try:
        assert {(p.cell, p.name): p.port for p in (await again.up(ignore)).parts} == {
            (p.cell, p.name): p.port for p in status.parts
        }
        for name, spec in specs.items():
            assert load_spec(name, stack.home.root) == spec
            connection = await asyncpg.connect(spec.settings.postgres.owner)
            assert await connection.fetchval("select answer from kept_over_restarts") == 42
            await connection.close()
    finally:
        await again.down()
        await again.clean()
    assert not stack.home.root.exists()
    assert not stack.home.runtime.exists()


async def _heals(stack: Stack, cell: str, name: str) -> None:
    async def part() -> tuple[State, int | None, int]:
        rows = (await stack.status()).parts
        row = next(row for row in rows if (row.cell, row.name) == (cell, name))
        return row.state, row.pid, row.restarts

    _, pid, _ = await part()
    assert pid is not None
    # The whole tree's head only: what the part abandons must not stand in the way of the next start.
    os.kill(pid, signal.SIGKILL)
    for _ in range(1500):
        state, now, restarts = await part()
        if state is State.READY and now != pid and restarts == 1:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{cell}/{name} did not come back: {await part()}")


async def test_a_killed_supervisor_leaves_no_process_and_the_next_start_works(folder: Path) -> None:
    stack = Stack(folder / "h", servers_only=True)
    events: list[Event] = []
    status = await stack.up_detached(events.append)
    try:
        assert status.ready
        assert status.supervisor_pid not in (None, os.getpid())
        assert {event.part for event in events if event.state is State.READY} == {
            f"{part.cell}/{part.name}" for part in status.parts
        }
        everybody = tree(status)
        assert status.supervisor_pid is not None
        os.kill(status.supervisor_pid, signal.SIGKILL)
        await until(lambda: not [pid for pid in everybody if lives(pid)], "all gone", timeout_s=15)
        after = await stack.status()
        assert after.phase is Phase.STOPPED
        assert not after.ready
        assert all(part.pid is None for part in after.parts)
        status = await stack.up_detached(ignore)
        assert status.ready
        everybody = tree(status)
    finally:
        await stack.down()
    assert not [pid for pid in everybody if lives(pid)]
    with pytest.raises(NotRunning):
        await stack.down()
    await stack.clean()


async def test_ctrl_c_in_the_middle_of_starting_stops_what_had_started(folder: Path) -> None:
    home = Home(folder / "h")
    home.create()
    process = await spawn(
        [sys.executable, "-m", "infra.local", str(home.root), "--servers-only"],
        log=folder / "out",
        environment={**os.environ},
        cwd=REPOSITORY,
    )
    await until(lambda: " ready" in (folder / "out").read_text(), "a first part is ready")
    everybody = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 40) == 0
    assert everybody
    assert not [pid for pid in everybody if lives(pid)]
    assert "parts are ready" not in (folder / "out").read_text()
    home.clean()


async def test_a_taken_port_is_named_with_its_part_and_its_holder(folder: Path) -> None:
    base = int(os.environ["KOVRA_PORT_BASE"])
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", base + 7))
        occupier.listen()
        with pytest.raises(ports.PortTaken) as refusal:
            await Stack(folder / "h", servers_only=True).up(ignore)
        key = next(key for key, port in _ports_of(base) if port == base + 7)
        for expected in (str(base + 7), key, f"process {os.getpid()}", "KOVRA_PORT_BASE"):
            assert expected in refusal.value.detail
        with pytest.raises(LocalError, match=key):
            await Stack(folder / "h", servers_only=True).up_detached(ignore)
    await Stack(folder / "h").clean()


def _ports_of(base: int) -> list[tuple[str, int]]:
    return [(key, base + offset) for offset, key in enumerate(port_keys(load_directory()))]


async def test_two_homes_side_by_side_take_different_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KOVRA_PORT_BASE")
    first, second = Home(folder / "a"), Home(folder / "b")
    for home in (first, second):
        home.create()
    one = ports.allocate(first, ["x", "y"])
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", one["x"]))
        occupier.listen()
        two = ports.allocate(second, ["x", "y"])
        assert two["x"] not in (one["x"], one["y"])
        with pytest.raises(ports.PortTaken, match="x"):
            ports.allocate(first, ["x", "y"])
    # Remembered, and extended without moving what is there.
    again = ports.allocate(first, ["x", "y", "z"])
    assert (again["x"], again["y"]) == (one["x"], one["y"])
    assert again["z"] not in (one["x"], one["y"])
    for home in (first, second):
        home.clean()


# The interpreter may lie where nobody but root can look (a pyenv under /root): reading there is allowed, no more.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all,+dac_read_search"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)


def as_nobody(home: Path, out: Path) -> subprocess.Popen[bytes]:
    """The background supervisor's program, run by an ordinary user."""
    with out.open("w") as output:
        return subprocess.Popen(
            [*AS_NOBODY, sys.executable, "-m", "infra.local", str(home / ".kovra"), "--servers-only"],
            cwd=REPOSITORY,
            env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=output,
        )


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user, with setpriv"
)
async def test_an_ordinary_user_can_run_it(folder: Path) -> None:
    home = folder / "of-nobody"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    process = as_nobody(home, folder / "out")
    try:
        await until(
            lambda: "parts are ready" in (folder / "out").read_text() or process.poll() is not None,
            "ready",
            timeout_s=240,
        )
        status = await Stack(home / ".kovra").status()
        assert status.ready, (folder / "out").read_text()
        everybody = tree(status)
        assert {psutil.Process(pid).uids().real for pid in everybody} == {NOBODY}
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not [pid for pid in everybody if lives(pid)]
    await Stack(home / ".kovra").clean()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's homes are out of an unprivileged user's reach")
async def test_as_root_a_home_out_of_reach_puts_postgres_outside_and_opens_nothing(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home = Home(closed / "h")
    home.create()
    server = postgres.server_for(home, "eu-1", servers.free_port())
    supervisor = Supervisor(home, [postgres.part(server, "eu-1", "EU")], ignore)
    await supervisor.start()
    try:
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        (outside,) = home.outside()
        assert outside in server.data.parents
        assert (server.data / "PG_VERSION").exists()
    finally:
        await supervisor.stop()
    home.clean()
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs are out of an unprivileged user's reach")
async def test_postgres_programs_out_of_reach_are_copied_and_run(folder: Path) -> None:
    user = server_user()
    assert user is not None
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    wheel = postgres_install().parent
    shutil.copytree(wheel, closed / wheel.name)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), closed / f"{wheel.name}.libs")
    hidden = closed / wheel.name / postgres_install().name
    outside = folder / "outside"
    outside.mkdir(mode=0o711)
    copy = reachable_install(hidden, user, outside)
    for program in ("postgres", "initdb"):
        status, output = await run([str(copy / "bin" / program), "--version"], environment={}, user=user)
        assert status == 0
        assert "18." in output
    assert reachable_install(hidden, user, outside) == copy
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
