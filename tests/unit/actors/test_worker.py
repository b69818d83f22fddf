"""A worker that fails is started again and reported; its neighbours do not notice."""

import asyncio
from collections.abc import Mapping
from typing import Any

from actors.workers.worker import Supervisor
from tests.support.waiting import until


class Ticker:
    """Fails as often as told, then works until it is stopped."""

    def __init__(self, name: str, failures: int = 0) -> None:
        self.name = name
        self.failures = failures
        self.runs = 0
        self.working = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self.failures:
            self.failures -= 1
            raise ValueError("a payer's name")
        self.working.set()
        await stop.wait()

    def health(self) -> Mapping[str, Any]:
        return {"runs": self.runs}


async def test_failing_workers_are_restarted_and_reported() -> None:
    steady, shaky = Ticker("steady"), Ticker("shaky", failures=2)
    supervisor = Supervisor([steady, shaky], restart_first_s=0.001)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    async with asyncio.timeout(5):
        await shaky.working.wait()
        await steady.working.wait()
    assert supervisor.healthy
    shown = supervisor.supervised["shaky"].shown()
    assert shown["restarts"] == 2
    assert shown["runs"] == 3
    assert shown["last_failure"].startswith("ValueError at test_worker.py:")
    assert "payer" not in str(shown)
    assert supervisor.supervised["steady"].restarts == 0
    stop.set()
    await running
    assert supervisor.supervised["shaky"].state == "stopped"


async def test_a_worker_between_restarts_makes_the_host_unhealthy_and_still_stops_at_once() -> None:
    supervisor = Supervisor([Ticker("broken", failures=10**6)], restart_first_s=60, restart_last_s=60)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: not supervisor.healthy)
    stop.set()
    async with asyncio.timeout(5):
        await running
