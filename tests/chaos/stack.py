"""A real stack of its own to break, and the means: which processes a part has, signals to them, and when all is well again."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from cells.spec import CellSpec, load_spec
from infra.local.layout import Layout
from infra.local.record import Record, StackStatus
from infra.local.stack import Stack
from infra.local.supervisor import Event, Supervisor
from tests.chaos import failing_fsync
from tests.chaos.failing_fsync import armed
from tests.chaos.patience import until
from tests.support.servers import free_port

SHARED = "shared"
# Of a part that runs under a keeper, the keeper is the supervisor's and is left alone; what it keeps is the part.
_KEPT = frozenset({"ray", "host", "api", "schemes", "router"})
_VARIABLES = ("KOVRA_HOME", "KOVRA_TIGERBEETLE_DEVELOPMENT")


class Broken(Exception):
    """The stack is not what a fault needs; the message says in which way."""


@dataclass(frozen=True)
class Running:
    """The stack that is running in `home`."""

    home: Path
    router: str
    apis: dict[str, str]
    ledgers: dict[str, str]
    # Beside it is the file that makes a cell's fsync fail; None where that cannot be done.
    fsync_switch: Path | None = None

    @classmethod
    def of(cls, home: Path, status: StackStatus, fsync_switch: Path | None = None) -> "Running":
        return cls(home, status.router_url, status.api_urls, status.ledgers, fsync_switch)

    @property
    def cells(self) -> list[str]:
        return sorted(self.apis)

    def spec(self, cell: str) -> CellSpec:
        return load_spec(cell, self.home)

    @property
    def webhook_port(self) -> int:
        """Of this machine, the one that the cells send webhooks to."""
        return min(self.spec(self.cells[0]).settings.webhook_loopback_ports)

    def parts(self, cell: str) -> list[str]:
        return [row["name"] for row in self._rows() if row["cell"] == cell]

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self.home / "stack.json").read_text())["parts"]
        return rows

    def row(self, cell: str, part: str) -> dict[str, Any]:
        return next(row for row in self._rows() if (row["cell"], row["name"]) == (cell, part))

    def processes(self, cell: str, part: str) -> list[psutil.Process]:
        """The living processes of a part, its parent last."""
        pid = self.row(cell, part)["pid"]
        if not isinstance(pid, int):
            return []
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            below = parent.children(recursive=True)[::-1]
            return below if part in _KEPT else [*below, parent]
        return []

    def signal(self, cell: str, parts: Sequence[str], number: signal.Signals) -> int:
        """To every process of these parts; how many there were."""
        found = [process for part in parts for process in self.processes(cell, part)]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return len(found)

    async def actor(self, cell: str, prefix: str) -> psutil.Process:
        """The process of the first actor whose name begins so. Raises Broken."""
        found = await self._actor_pid(cell, prefix)
        if found is None:
            raise Broken(f"no actor of {cell} is named {prefix}…, or it does not answer")
        return psutil.Process(found)

    async def _actor_pid(self, cell: str, prefix: str) -> int | None:
        url = f"http://127.0.0.1:{self.spec(cell).settings.host.port}/actors"
        pids: list[int] = []

        async def found() -> bool:
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                timeout = aiohttp.ClientTimeout(total=5)
                async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
                    rows = (await answer.json()).get("actors", [])
                    pids.extend(row["pid"] for row in rows if row["name"].startswith(prefix) and row["pid"])
            return bool(pids)

        await until(found, within_s=30, every_s=0.5)
        return pids[0] if pids else None

    async def well(self) -> bool:
        """Every part is up, and every host says that its actors are there and its workers run."""
        rows = await asyncio.to_thread(self._rows)
        if any(row["state"] not in ("ready", "unhealthy") for row in rows):
            return False
        return all([await self._host_is_well(cell) for cell in self.cells])

    async def _host_is_well(self, cell: str) -> bool:
        url = f"http://127.0.0.1:{self.spec(cell).settings.host.port}/healthz"
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            timeout = aiohttp.ClientTimeout(total=10)
            async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
                return answer.status == 200
        return False


class _Fragile(Stack):
    """A stack whose disks can be made to fail."""

    def __init__(self, home: Path, library: Path | None) -> None:
        super().__init__(home, webhook_ports=[free_port()])
        self._library = library

    def _supervise(self, layout: Layout, written: Record, report: Callable[[Event], None]) -> Supervisor:
        return super()._supervise(armed(layout, self._library) if self._library else layout, written, report)


@asynccontextmanager
async def running(report: Callable[[Event], None]) -> AsyncIterator[Running]:
    """Start a stack in a folder of its own, and leave nothing of it. TigerBeetle is used when it is found, in development format:
    its batches are small enough to be exceeded."""
    home = _folder()
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update({"KOVRA_HOME": str(home), "KOVRA_TIGERBEETLE_DEVELOPMENT": "1"})
    library = failing_fsync.build(home / "fsync")
    stack = _Fragile(home, library)
    try:
        status = await stack.up(report)
        try:
            yield Running.of(home, status, library)
        finally:
            await stack.down()
            if not os.environ.get("KOVRA_CHAOS_KEEP"):
                await stack.clean()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        if not os.environ.get("KOVRA_CHAOS_KEEP"):
            shutil.rmtree(home, ignore_errors=True)


def _folder() -> Path:
    """Short, for the sockets; traversable, for the unprivileged user that Postgres runs under."""
    home = Path(tempfile.mkdtemp(prefix="kvch", dir="/tmp"))
    home.chmod(0o755)
    return home
