"""The runtime's twin in one process: services are objects on this event loop. For tests, the explorer and one-process cells.

Keeps the contract of actors.runtime, restart included: `crash` looks to callers as a killed process does.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.hosted import Hosted, pack, unpack, unpickled
from actors.runtime import ActorUnavailable, DeadlineMissed, Described, ServiceSpec
from residency import tasks


class InProcess:
    def __init__(self) -> None:
        self._services: dict[str, _Slot] = {}

    async def spawn(self, service: ServiceSpec) -> "InProcessHandle":
        slot = self._services.get(service.name)
        if slot is None:
            slot = self._services[service.name] = _Slot(self, service)
        return InProcessHandle(service.name, slot)

    async def find(self, name: str) -> "InProcessHandle | None":
        slot = self._services.get(name)
        return None if slot is None else InProcessHandle(name, slot)

    async def names(self) -> Sequence[str]:
        return sorted(self._services)

    async def stop(self, name: str) -> None:
        slot = self._services.pop(name, None)
        if slot is not None:
            slot.abandon()
            await slot.hosted.end()

    async def close(self) -> None:
        """Everything stops: this runtime does not outlive its process."""
        for name in list(self._services):
            await self.stop(name)

    async def crash(self, name: str) -> None:
        """Fail every ask in flight and begin anew with empty memory; the old copy, unseen, still finishes what it began."""
        slot = self._services[name]
        old = slot.hosted
        slot.abandon()
        slot.revive()
        await old.end()


class InProcessHandle:
    def __init__(self, name: str, slot: "_Slot") -> None:
        self._name = name
        self._slot = slot

    @property
    def name(self) -> str:
        return self._name

    async def ask(self, method: str, *arguments: Any, deadline_s: float) -> Any:
        return unpack(await self._slot.ask(method, pack(arguments), deadline_s))

    async def described(self, *, deadline_s: float = 2.0) -> Described:
        if self._slot.gone:
            return Described(self._name, "unreachable")
        described: Described = unpickled(pack(self._slot.hosted.described()))
        return described


class _Slot:
    """A name's present incarnation, and the asks it is working on."""

    def __init__(self, runtime: InProcess, service: ServiceSpec) -> None:
        self._runtime = runtime
        self._service = service
        self.revive()

    def revive(self) -> None:
        service = self._service
        self.gone = False
        self._running: set[asyncio.Task[bytes]] = set()
        self.hosted = Hosted(self._runtime, service.name, service.path, unpickled(pack(dict(service.arguments))))
        self.hosted.begin()

    def abandon(self) -> None:
        self.gone = True
        for task in self._running:
            task.cancel()

    async def ask(self, method: str, arguments: bytes, deadline_s: float) -> bytes:
        if self.gone:
            raise ActorUnavailable()
        # A task of its own: the caller's deadline or cancellation does not stop the service's work, as across processes.
        task = tasks.start(self.hosted.ask(method, arguments), self.hosted.name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=deadline_s)
        if not done:
            raise DeadlineMissed()
        if task.cancelled():
            raise ActorUnavailable()
        return task.result()
