"""The shell around one service, the same in every runtime: starts it, carries asks in and answers out.

Invariants: a service whose start failed is started again with backoff, and who asks meanwhile is told at once; what
goes in and out is pickled, so that a service shares no object with its callers; only KovraErrors travel, a bug's text does not.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import pickle
import socket
from collections.abc import Mapping
from typing import Any

from actors.runtime import ActorFailed, ActorUnavailable, Described, Runtime
from cells.kit import metrics
from residency import tasks
from residency.errors import KovraError, UnexpectedAnswer, place_of
from residency.retry import Backoff, retried

_log = logging.getLogger("kovra.actors")
_BACKOFF = Backoff(0.1, 5.0)


def resolve(path: str) -> Any:
    """What `module:name` names. Raises ImportError or AttributeError: a wrong path is a bug."""
    module, _, name = path.partition(":")
    assert name, f"expected module:name, got {path}"
    return getattr(importlib.import_module(module), name)


def pack(value: Any) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def unpickled(packed: bytes) -> Any:
    """What pack() packed, by this process or by another of the cell's own cluster, which only its token lets in."""
    return pickle.loads(packed)  # noqa: S301 - see above; Ray itself trusts its cluster no less


def unpack(packed: bytes) -> Any:
    """The answer in `packed`; raises the failure if it holds one."""
    succeeded, value = unpickled(packed)
    if succeeded:
        return value
    raise value


class Hosted:
    """One service and its state. Create it inside a running event loop; `begin` at once, `end` to let go."""

    def __init__(self, runtime: Runtime, name: str, path: str, arguments: Mapping[str, Any]) -> None:
        self.name = name
        self._runtime = runtime
        self._service = resolve(path)(**arguments)
        self._started = False
        self._attempt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starter: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._starter = tasks.start(self._start(), f"the start of {self.name}")

    async def ask(self, method: str, arguments: bytes) -> bytes:
        """Carry one ask in; the packed answer or failure comes out. Never raises, apart from cancellation."""
        try:
            if not self._started:
                await asyncio.shield(self._attempt)
            if method.startswith("_"):
                raise UnexpectedAnswer("a method of the service's own was asked for")
            value = await getattr(self._service, method)(*unpickled(arguments))
            return pack((True, value))
        except KovraError as failure:
            return pack((False, failure))
        except Exception as bug:  # noqa: BLE001 - the caller must hear that it failed, and only that
            _log.error("%s.%s failed: %s", self.name, method, place_of(bug))
            return pack((False, ActorFailed()))

    def described(self) -> Described:
        state = "running" if self._started else "starting"
        stats = self._service.describe() if self._started else {}
        return Described(self.name, state, socket.gethostname(), os.getpid(), stats, metrics.snapshot())

    async def end(self) -> None:
        """Stop the service. Its failure to stop cleanly is logged, since whoever ends it can do nothing about it."""
        if self._starter is not None:
            self._starter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starter
        started, self._started = self._started, False
        if not self._attempt.done():
            self._attempt.set_exception(ActorUnavailable("The service was stopped."))
        self._attempt.exception()
        if not started:
            return
        try:
            await self._service.stop()
        except Exception as error:  # noqa: BLE001 - whoever ends it can do nothing about it
            _log.warning("%s did not stop cleanly: %s", self.name, place_of(error))

    async def _start(self) -> None:
        # A supervisor retries whatever failed.
        await retried(
            lambda: self._service.start(self._runtime),
            _BACKOFF,
            when=lambda error: isinstance(error, Exception),
            note=self._fail_attempt,
        )
        self._started = True
        if not self._attempt.done():
            self._attempt.set_result(None)

    def _fail_attempt(self, error: BaseException, pause_s: float) -> None:
        """Tell who waits, and who will ask before the next attempt succeeds, that the service is not there yet."""
        _log.warning("%s could not start: %s; again in %.1f s", self.name, place_of(error), pause_s)
        if self._attempt.done():
            return
        self._attempt.set_exception(ActorUnavailable("The service is still starting."))
        self._attempt.exception()  # read once, so that an attempt nobody waited for is not reported as lost
