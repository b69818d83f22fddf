"""What can be done to a running stack: each fault by name, the cells it is in, and how it heals.

Invariant: when `inject` returns the cause is gone, and what is left is the stack's to mend; every process that was stopped goes on,
however the fault ended.
"""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from tests.chaos.patience import unless
from tests.chaos.stack import Broken, Running

Inject = Callable[["Room", str], Awaitable[None]]
_NEVER = asyncio.Event
WALLET_ACTOR, RAIL_ACTOR = "wallets-", "rail-"


@dataclass
class Room:
    """What a fault may use. `hold_s`: how long what lasts shall last; `flood`: pay many times at once from one wallet of a cell."""

    stack: Running
    hold_s: float
    flood: Callable[[str], Awaitable[None]]
    two_copies: Callable[[str], Awaitable[None]]

    async def hold(self, seconds: float | None = None) -> None:
        await unless(asyncio.Event(), self.hold_s if seconds is None else seconds)


class Skipped(Exception):
    """This fault cannot be made here; the message says why."""


@dataclass(frozen=True)
class Fault:
    """`where`: `cell` (one cell, drawn), `transit` or `router` (none of the cells)."""

    name: str
    inject: Inject
    where: str = "cell"
    parts: tuple[str, ...] = ()


def kill(*parts: str) -> Inject:
    """SIGKILL to every process of these parts."""

    async def inject(room: Room, cell: str) -> None:
        if not room.stack.signal(cell, parts, signal.SIGKILL):
            raise Broken(f"{cell}: nothing of {', '.join(parts)} runs")

    return inject


def pause(*parts: str) -> Inject:
    """SIGSTOP, and SIGCONT after a while: to its peers it is there, and silent, as behind a cut cable."""

    async def inject(room: Room, cell: str) -> None:
        async with stopped([one for part in parts for one in room.stack.processes(cell, part)]):
            await room.hold()

    return inject


def away(*parts: str) -> Inject:
    """Gone for a while: killed again whenever the supervisor brings it back."""

    async def inject(room: Room, cell: str) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + room.hold_s
        while loop.time() < until:
            room.stack.signal(cell, parts, signal.SIGKILL)
            await room.hold(0.3)

    return inject


def kill_actor(prefix: str) -> Inject:
    async def inject(room: Room, cell: str) -> None:
        (await room.stack.actor(cell, prefix)).kill()

    return inject


def pause_actor(prefix: str) -> Inject:
    async def inject(room: Room, cell: str) -> None:
        async with stopped([await room.stack.actor(cell, prefix)]):
            await room.hold()

    return inject


@asynccontextmanager
async def stopped(processes: Sequence[psutil.Process]) -> AsyncIterator[None]:
    """The processes stand still within the block."""
    try:
        for process in processes:
            process.suspend()
        yield
    finally:
        for process in processes:
            try:
                process.resume()
            except psutil.NoSuchProcess:
                continue


async def cell_away(room: Room, cell: str) -> None:
    """Everything of a cell, for thirty seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + max(30.0, room.hold_s)
    while loop.time() < until:
        room.stack.signal(cell, _parts_of_cell(room, cell), signal.SIGKILL)
        await room.hold(1.0)


async def cell_paused(room: Room, cell: str) -> None:
    """Everything of a cell stands still for thirty seconds, and goes on as if nothing had been."""
    parts = _parts_of_cell(room, cell)
    async with stopped([one for part in parts for one in room.stack.processes(cell, part)]):
        await room.hold(30.0)


def _parts_of_cell(room: Room, cell: str) -> list[str]:
    # The simulated schemes are the outside world, and have a record of their own that is not under test.
    return [part for part in room.stack.parts(cell) if part != "schemes"]


async def wipe_jetstream(room: Room, cell: str) -> None:
    """The broker dies and comes back with an empty disk."""
    async with stopped(room.stack.processes(cell, "nats")):
        await asyncio.to_thread(shutil.rmtree, room.stack.home / cell / "nats" / "store", True)
        room.stack.signal(cell, ["nats"], signal.SIGKILL)


async def flood(room: Room, cell: str) -> None:
    """More payments from one wallet at once than one request to the ledger may hold."""
    await room.flood(cell)


async def two_copies(room: Room, cell: str) -> None:
    """A second actor for the same wallets, in this process, that is given work, too."""
    await room.two_copies(cell)
