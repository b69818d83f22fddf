"""One whole stack for a test process: fresh ports, fresh data, nothing left afterwards."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local.record import StackStatus
from infra.local.stack import NotRunning, Stack
from router.cli.sandbox import Sandbox, ensure_sandbox
from tests.support.servers import free_port


@dataclass(frozen=True)
class RunningStack:
    """A stack that runs, where it is, and the partner it comes with."""

    home: Path
    status: StackStatus
    sandbox: Sandbox
    startup_s: float
    webhook_port: int


@contextmanager
def running_stack() -> Iterator[RunningStack]:
    """Three cells, the router and the schemes, under a supervisor of their own."""
    folder = Path(tempfile.mkdtemp(prefix="kovra-e2e-"))
    folder.chmod(0o755)
    webhook_port = free_port()
    running = Stack(folder / "home", webhook_ports=[webhook_port])
    began = time.perf_counter()
    try:
        status = asyncio.run(running.up_detached(lambda _: None))
        startup_s = time.perf_counter() - began
        assert status.supervisor_pid is not None
        supervisor = psutil.Process(status.supervisor_pid)
        sandbox = asyncio.run(ensure_sandbox(running.home.root))
        yield RunningStack(running.home.root, status, sandbox, startup_s, webhook_port)
        everybody = [supervisor, *supervisor.children(recursive=True)]
        asyncio.run(running.down())
        _, left = psutil.wait_procs(everybody, timeout=10)
        assert not left, f"left running: {left}"
    finally:
        asyncio.run(_removed(running))
        shutil.rmtree(folder, ignore_errors=True)


async def _removed(running: Stack) -> None:
    with contextlib.suppress(NotRunning):  # as it should be by now, or because it never came up
        await running.down()
    await running.clean()
