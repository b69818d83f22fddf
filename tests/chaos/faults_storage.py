"""Faults of what lies below: connections that are all taken, a full volume, an fsync that fails.

The last two need what not every machine gives (the right to mount; strace). Where it is missing they are skipped, in plain words.
"""

import asyncio
import os
import shutil
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
    """fsync and fdatasync answer EIO to every process of Postgres, also to those that it starts meanwhile."""
    if shutil.which("strace") is None:
        raise Skipped("fsync is made to fail by strace, and strace is not installed")
    pids = [f"--attach={process.pid}" for process in room.stack.processes(cell, "postgres")]
    calls = "fsync,fdatasync"
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO", *pids,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        ended = asyncio.create_task(tracer.wait())
        await asyncio.wait([ended], timeout=room.hold_s)
        if tracer.returncode not in (None, 0):
            # It ends by itself, with the status of whom it traced, once Postgres has given up and nobody is left.
            room.stack.signal(cell, ["postgres"], signal.SIGCONT)
    finally:
        if tracer.returncode is None:
            tracer.terminate()
        await tracer.wait()


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
