"""Real servers for tests, started quickly and surely stopped: the same binaries and settings as the laptop's stack.

One set per test process (so pytest-xdist workers share nothing). A server dies with the test process, however
that ends. Postgres differs from the stack's in one thing: it does not wait for the disk.
"""

import asyncio
import itertools
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from infra.local import ports, postgres, redis
from infra.local.binaries import postgres_install
from infra.local.child import clean_environment, start
from infra.local.home import ensure_directory
from infra.local.reach import reachable_install, server_user
from migrations.apply import apply, create_database
from tests.support.emitted import strange_events
from tests.support.refolded import differences

_HURRIED = {**postgres.SETTINGS, "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scratch_directory() -> Path:
    """A short directory (a socket's path may have 107 bytes) that every user can traverse."""
    path = Path(tempfile.mkdtemp(prefix="kvt-", dir="/tmp"))
    path.chmod(0o711)
    return path


def wait_until(check: Callable[[], Coroutine[Any, Any, bool]], what: str, timeout_s: float = 30.0) -> None:
    """Block until `check` holds. For fixtures only: tests await their own conditions."""
    deadline = time.monotonic() + timeout_s
    while not asyncio.run(check()):
        assert time.monotonic() < deadline, f"{what} did not come up in {timeout_s} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class CellDatabase:
    """A fresh database of one region: a connection string per role, over the unix socket."""

    region: str
    name: str
    owner: str
    api: str
    writer: str
    ledger: str
    superuser: str


@dataclass
class RunningPostgres:
    """A server and the databases made on it. A region is migrated once; each database is a copy of that template."""

    server: postgres.PostgresServer
    process: subprocess.Popen[bytes]
    _templates: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def database(self, region: str) -> CellDatabase:
        """A new, migrated, empty database that holds `region`. Callable with or without a running event loop."""
        name = f"kovra_{region.lower()}_{next(self._numbers)}"
        _outside_loop(self._create(region, name))
        return self._described(region, name)

    async def database_async(self, region: str) -> CellDatabase:
        """The same, from a coroutine."""
        name = f"kovra_{region.lower()}_{next(self._numbers)}"
        await self._create(region, name)
        return self._described(region, name)

    async def _create(self, region: str, name: str) -> None:
        admin = self.server.dsn(postgres.SUPERUSER, "postgres")
        if region not in self._templates:
            template = f"template_{region.lower()}"
            passwords = {role: self.server.password(role) for role in postgres.ROLES}
            await create_database(admin, template, passwords)
            await apply(self.server.dsn("kovra_owner", template), region)
            self._templates[region] = template
        connection = await asyncpg.connect(admin)
        try:
            await connection.execute(
                f"create database {name} owner kovra_owner template {self._templates[region]} strategy file_copy"
            )
        finally:
            await connection.close()

    def _described(self, region: str, name: str) -> CellDatabase:
        owner, api, writer, ledger = (self.server.dsn(role, name) for role in postgres.ROLES)
        return CellDatabase(region, name, owner, api, writer, ledger, self.server.dsn(postgres.SUPERUSER, name))

    def strange_events(self, database: CellDatabase) -> list[str]:
        """What the events of a database say otherwise than the catalogue."""
        found: list[str] = []

        async def read() -> None:
            found.extend(await strange_events(database.writer, database.region))

        _outside_loop(read())
        return found

    def apart_from_journal(self, database: CellDatabase) -> list[str]:
        """Where the rows of a database are not what its journal makes of them."""
        found: list[str] = []

        async def read() -> None:
            found.extend(await differences(database.writer, database.region))

        _outside_loop(read())
        return found

    def drop(self, database: CellDatabase) -> None:
        async def dropped() -> None:
            connection = await asyncpg.connect(self.server.dsn(postgres.SUPERUSER, "postgres"))
            try:
                await connection.execute(f"drop database {database.name} with (force)")
            finally:
                await connection.close()

        _outside_loop(dropped())


def _outside_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end from synchronous code, also when a loop runs in this thread (an async test)."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def start_postgres(directory: Path, settings: Mapping[str, str] | None = None) -> RunningPostgres:
    """A Postgres 18 with its data under `directory`; stop it with `stop`."""
    user = server_user()
    outside = ensure_directory(directory / "outside", 0o711)
    server = postgres.PostgresServer(
        install=reachable_install(postgres_install(), user, outside),
        data=directory / "pg" / "data",
        sockets=directory / "s",
        secrets=directory / "secrets",
        port=free_port(),
        user=user,
        settings={**_HURRIED, **(settings or {})},
        sync=False,
    )
    asyncio.run(server.prepare())
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    process = start(server.command(), log=directory / "postgres.log", environment=environment, user=user, cwd=Path("/"))
    wait_until(server.healthy, "Postgres")
    return RunningPostgres(server, process)


@dataclass(frozen=True)
class RunningRedis:
    server: redis.RedisServer
    process: subprocess.Popen[bytes]


def start_redis(directory: Path) -> RunningRedis:
    """A Redis with a password; `.server.url` says how to reach it."""
    server = redis.RedisServer(data=directory / "redis", secret=directory / "secrets" / "redis", port=free_port())
    asyncio.run(server.prepare())
    process = start(server.command(), log=directory / "redis.log", environment=clean_environment())
    wait_until(server.healthy, "Redis")
    return RunningRedis(server, process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a test's server without ceremony: its data are thrown away."""
    # Immediate shutdown for Postgres, which still reaps its own children; the same as a kill for the others.
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port_base() -> int:
    """The start of a block of ports that is free just now, for KOVRA_PORT_BASE; random, so that tests do not race."""
    while True:
        base = random.randrange(10_000, 31_000, 100)
        if all(ports.is_free(base + offset) for offset in range(60)):
            return base
