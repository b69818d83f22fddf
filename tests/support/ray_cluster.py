"""A real Ray cluster for tests, started as the laptop's stack starts one: loopback only, token required."""

import asyncio
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.on_ray import RayConnection
from infra.local.ray import RayHead
from tests.support.servers import free_port, wait_until


@dataclass
class RunningRay:
    """A head that may be killed and started again on the same port."""

    head: RayHead
    process: subprocess.Popen[bytes]

    @property
    def connection(self) -> RayConnection:
        return RayConnection(address=self.head.address, token_path=self.head.token)

    def stop(self) -> None:
        """End the head and all that lives on it: its keeper sees to that."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def start(self) -> None:
        self.process = _started(self.head)


@contextmanager
def running_ray(directory: Path) -> Iterator[RunningRay]:
    """`directory` is short, because sockets live below it."""
    head = RayHead(directory / "ray", directory / "token", free_port(), free_port(), cpus=1, home=directory)
    running = RunningRay(head, _started(head))
    try:
        yield running
    finally:
        running.stop()


def _started(head: RayHead) -> subprocess.Popen[bytes]:
    """In a thread of its own, since the caller may be within an event loop."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(_start, head).result()


def _start(head: RayHead) -> subprocess.Popen[bytes]:
    asyncio.run(head.prepare())
    process = subprocess.Popen(
        head.command(), env=head.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(head.healthy, "Ray", timeout_s=60)
    return process
