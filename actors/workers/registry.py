"""Which workers a cell runs. Each is a line in opened_workers, built from what the host hands over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from actors.rails import Rails
from actors.runtime import Runtime
from actors.wallets import Wallets
from actors.workers.worker import Worker
from cells.spec import CellSpec


@dataclass(frozen=True, slots=True)
class HostParts:
    """What the host process has for its workers."""

    spec: CellSpec
    runtime: Runtime
    wallets: Wallets
    rails: Rails


@asynccontextmanager
async def opened_workers(parts: HostParts) -> AsyncIterator[Sequence[Worker]]:
    """The cell's workers, and the connections they share, closed after the last of them has stopped."""
    yield ()
