"""The door to the rails of a cell, for the saga and the recovery sweep: hand over, and be told that it is on record."""

import asyncio
from collections.abc import Callable, Sequence

from actors.runtime import ActorUnavailable, DeadlineMissed, Handle, Runtime, ServiceSpec
from residency.retry import Backoff, retried

_DEADLINE_S = 10.0
_BACKOFF = Backoff(0.02, 0.5)


class RailHandle:
    """A way to one rail's actor. Submitting is idempotent, so an actor that went away is asked again until the deadline."""

    def __init__(self, runtime: Runtime, service: ServiceSpec, *, deadline_s: float = _DEADLINE_S) -> None:
        self._runtime = runtime
        self._service = service
        self._deadline_s = deadline_s
        self._handle: Handle | None = None

    async def submit(self, transfer_ids: Sequence[str]) -> None:
        """Returns once they are on record at the rail. Raises ActorUnavailable, or RailFull."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._deadline_s

        async def ask() -> None:
            if self._handle is None:
                self._handle = await self._runtime.spawn(self._service)
            await self._handle.ask("submit", list(transfer_ids), deadline_s=max(until - loop.time(), 0.0))

        await retried(ask, _BACKOFF, when=self._went_away, within_s=self._deadline_s)

    def _went_away(self, error: BaseException) -> bool:
        if not isinstance(error, ActorUnavailable) or isinstance(error, DeadlineMissed):
            return False
        self._handle = None
        return True


class Rails:
    """A RailDoor: every rail of the cell by name."""

    def __init__(self, runtime: Runtime, service: Callable[[str], ServiceSpec]) -> None:
        self._runtime = runtime
        self._service = service
        self._handles: dict[str, RailHandle] = {}

    async def submit(self, rail: str, transfer_ids: Sequence[str]) -> None:
        handle = self._handles.get(rail)
        if handle is None:
            handle = self._handles[rail] = RailHandle(self._runtime, self._service(rail))
        await handle.submit(transfer_ids)
