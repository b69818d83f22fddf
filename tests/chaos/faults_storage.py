"""Faults of what lies below: connections that are all taken, a full volume, an fsync that fails.

The last two need what not every machine gives (the right to mount; a C compiler). Where it is missing they are skipped, in plain words.
"""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from cells.backends.postgres import StoreUnavailable, open_pool, transaction
from infra.local.home import Home
from infra.local.postgres import SUPERUSER, server_for
from tests.chaos.faults import Fault, Room, Skipped, stopped

_CONNECTIONS = 200
_VOLUME = "6m"
_END_THE_OTHERS = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'kovra%'"


async def exhaust_connections(room: Room, cell: str) -> None:
    """Every connection that Postgres gives is taken, those of the cell's own pools, which are ended for it, included."""
    async with AsyncExitStack() as held:
        await _take_all(held, room.stack.spec(cell).settings.postgres.writer)
        port = room.stack.row(cell, "postgres")["port"]
        assert isinstance(port, int)
        superuser = await open_pool(
            server_for(Home.at(room.stack.home), cell, port).dsn(SUPERUSER), size_max=1, name="root"
        )
        held.push_async_callback(superuser.close)
        async with transaction(superuser) as connection:
            await connection.execute(_END_THE_OTHERS)
        await _take_all(held, room.stack.spec(cell).settings.postgres.writer)
        await room.hold()


async def _take_all(held: AsyncExitStack, dsn: str) -> None:
    for _ in range(_CONNECTIONS):
        try:
            pool = await open_pool(dsn, size_max=1, name="greedy")
        except StoreUnavailable:
            return
        held.push_async_callback(pool.close)


async def full_volume(room: Room, cell: str) -> None:
    """The broker's store is a small volume of its own, and something else has filled it."""
    store = room.stack.home / cell / "nats" / "store"
    async with stopped(room.stack.processes(cell, "nats")):
        await _run("mount", "-t", "tmpfs", "-o", f"size={_VOLUME},mode=0700", "kovra-chaos", str(store))
        room.stack.signal(cell, ["nats"], signal.SIGKILL)
    try:
        await room.hold(room.hold_s / 2)
        await asyncio.to_thread(_fill, store / "filler")
        await room.hold()
        (store / "filler").unlink()
        await room.hold(room.hold_s / 2)
    finally:
        # Back to the disk, with what was there before: an old copy of its streams.
        async with stopped(room.stack.processes(cell, "nats")):
            await _run("umount", "--lazy", str(store))
            room.stack.signal(cell, ["nats"], signal.SIGKILL)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return  # full, as it should be


async def fsync_fails(room: Room, cell: str) -> None:
    """fsync and fdatasync answer EIO to every process of Postgres: it must not trust its memory after that, and dies."""
    if room.stack.fsync_switch is None:
        raise Skipped("fsync is made to fail by a small library, and there is no C compiler to make it")
    flag = room.stack.fsync_switch.with_name(f"fail-{cell}")
    flag.touch()
    try:
        await room.hold()
    finally:
        flag.unlink()


async def _run(*command: str) -> None:
    """Raises Skipped when the machine does not allow it."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise Skipped(f"{command[0]} is not allowed here ({said.decode(errors='replace').strip()[:100]})")


STORAGE_FAULTS = [
    Fault("exhaust-connections", exhaust_connections),
    Fault("full-volume", full_volume),
    Fault("fsync-fails", fsync_fails),
]
