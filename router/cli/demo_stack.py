"""A stack of the demo's own: fresh ports, fresh data, and nothing left of either afterwards."""

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra.local.home import Home
from infra.local.record import StackStatus
from infra.local.stack import Report, Stack
from router.cli.preflight import preflight

_PREFIX = "kovra-demo-"
_GONE_WITHIN_S = 5.0


class DemoStack:
    """One stack in a temporary folder, run by this process, so that the kernel ends it with us whatever happens."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # The unprivileged Postgres user must get through; what is secret is guarded one level down.
        self._folder.chmod(0o755)
        self.home = Home.at(self._folder / "home")
        # For the partner's own listener: the one port of this machine that webhooks may go to.
        self._stack = Stack(self.home.root, webhook_ports=[_free_port()])
        self._processes: list[psutil.Process] = []
        self.startup_s = 0.0

    async def up(self, report: Report) -> StackStatus:
        """Start everything. Raises what Stack.up raises, and DirectoryInvalid."""
        preflight()
        began = time.perf_counter()
        status = await self._stack.up(report)
        self.startup_s = time.perf_counter() - began
        return status

    async def status(self) -> StackStatus:
        return await self._stack.status()

    async def down(self) -> None:
        """Stop everything that runs, remembering what ran. Nothing to stop is well too."""
        self._processes = psutil.Process().children(recursive=True)
        if self._processes:
            await self._stack.down()

    async def left_running(self) -> Sequence[int]:
        """Which of the processes that ran are still there; the kernel is given a moment to bury them."""
        # psutil compares start times too, so a number given to somebody else since does not count.
        _, left = await asyncio.to_thread(psutil.wait_procs, self._processes, timeout=_GONE_WITHIN_S)
        return [one.pid for one in left]

    @property
    def ran(self) -> int:
        """How many processes there were when it was stopped."""
        return len(self._processes)

    async def remove(self) -> Sequence[Path]:
        """Remove all data; answers what is still there, which must be nothing."""
        places = [*self.home.outside(), self.home.runtime, self._folder]
        await self._stack.clean()
        shutil.rmtree(self._folder, ignore_errors=True)
        return [place for place in places if place.exists()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
