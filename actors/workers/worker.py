"""What a background worker of a cell is, and how one is kept running.

Invariants: a worker holds no truth and may be killed at any point; one that fails is started again, later and later, and
reported; a worker never stops by itself before it is asked to.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from residency.errors import place_of
from residency.retry import Backoff, Restarts

_log = logging.getLogger("kovra.workers")
_HEALTHY_AFTER_S = 60.0


class Worker(Protocol):
    """Gauges and counters of its own go to prometheus_client's default registry."""

    @property
    def name(self) -> str: ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then return soon. An exception means: start me again."""
        ...

    def health(self) -> Mapping[str, Any]:
        """What a person would want to know (lag, last success), nothing personal."""
        ...


@dataclass(slots=True)
class Supervised:
    """One worker's life so far. `state` is `running`, `restarting` or `stopped`."""

    worker: Worker
    state: str = "running"
    restarts: int = 0
    last_failure: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "restarts": self.restarts,
            "last_failure": self.last_failure,
            **self.worker.health(),
        }


@dataclass(slots=True)
class Supervisor:
    """Runs workers side by side until `stop`; one that fails disturbs no other."""

    workers: Sequence[Worker]
    restart_first_s: float = 0.5
    # What a worker lost is mostly back within seconds (a database, a broker), and its payments wait for it.
    restart_last_s: float = 5.0
    supervised: dict[str, Supervised] = field(init=False)

    def __post_init__(self) -> None:
        self.supervised = {worker.name: Supervised(worker) for worker in self.workers}
        assert len(self.supervised) == len(self.workers), "two workers share a name"

    async def run(self, stop: asyncio.Event) -> None:
        await asyncio.gather(*(self._keep(one, stop) for one in self.supervised.values()))

    @property
    def healthy(self) -> bool:
        return all(one.state == "running" for one in self.supervised.values())

    async def _keep(self, one: Supervised, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        restarts = Restarts(Backoff(self.restart_first_s, self.restart_last_s), _HEALTHY_AFTER_S)
        while not stop.is_set():
            one.state = "running"
            began = loop.time()
            try:
                await one.worker.run(stop)
                if stop.is_set():
                    break
                one.last_failure = "returned before it was asked to"
            except Exception as error:  # noqa: BLE001 - a supervisor restarts whatever failed
                one.last_failure = place_of(error)
            one.restarts += 1
            one.state = "restarting"
            pause_s = restarts.pause_s(loop.time() - began)
            _log.warning("worker %s: %s; again in %.1f s", one.worker.name, one.last_failure, pause_s)
            await sleep_unless(stop, pause_s)
        one.state = "stopped"


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
