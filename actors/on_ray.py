"""The runtime on the cell's own Ray cluster: services are detached named actors that Ray restarts. The only file that imports ray.

Invariants: Ray never repeats a call (max_task_retries=0), since an error can follow a call that ran; one process talks to
one cluster; a driver whose head died lets go and connects again, because a restarted head is another cluster.

Ray is imported on first connection, not with this module: it reads the cluster's token mode from the environment
when it loads, and costs a second that a process without actors need not pay.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from actors.hosted import Hosted, pack, unpack, unpickled
from actors.runtime import ActorUnavailable, DeadlineMissed, Described, ServiceSpec
from cells.kit import trace
from cells.spec import CellSpec
from residency import log, tasks

NAMESPACE = "kovra"
_HEAD_PROBE_S = 1.0
_STOP_DEADLINE_S = 10.0
_CONNECT_DEADLINE_S = 30.0
_SPARE_CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class RayConnection:
    """`address` is host:port of the head; the actors' processes get `environment` on top of the node's own."""

    address: str
    token_path: Path
    namespace: str = NAMESPACE
    environment: Mapping[str, str] = field(default_factory=dict)
    cell: str = ""

    @classmethod
    def of(cls, spec: CellSpec) -> "RayConnection":
        """The cell's own cluster, whose nodes are started with KOVRA_HOME and a path to this code in their environment."""
        return cls(address=spec.settings.ray.address, token_path=spec.settings.ray.token_path, cell=spec.name)


class OnRay:
    """`inside` an actor the process is Ray's own, which connects and ends it."""

    def __init__(self, connection: RayConnection, *, inside: bool = False) -> None:
        self._connection = connection
        self._ray: ModuleType | None = None
        self._connecting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._asks: set[asyncio.Timeout] = set()
        self._closed = False
        self._inside = inside
        self.connections = 0

    async def spawn(self, service: ServiceSpec) -> "RayHandle":
        ray = await self._connected()
        return RayHandle(self, service.name, await self._reach(self._create, ray, service))

    async def find(self, name: str) -> "RayHandle | None":
        ray = await self._connected()
        actor = await self._reach(self._get, ray, name)
        return None if actor is None else RayHandle(self, name, actor)

    async def names(self) -> Sequence[str]:
        ray = await self._connected()
        listed = await self._reach(ray.util.list_named_actors, True)
        return sorted(entry["name"] for entry in listed if entry["namespace"] == self._connection.namespace)

    async def stop(self, name: str) -> None:
        handle = await self.find(name)
        if handle is None:
            return
        ray = await self._connected()
        await handle.end()
        await self._reach(lambda: ray.kill(handle.actor, no_restart=True))

    async def close(self) -> None:
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._disconnect()

    async def call(self, actor: Any, method: str, *arguments: Any, deadline_s: float) -> bytes:
        """One remote call. Raises DeadlineMissed, ActorUnavailable; never repeats."""
        ray = self._ray
        if ray is None:
            raise ActorUnavailable()
        limit = asyncio.timeout(deadline_s)
        connection = self.connections
        try:
            async with limit:
                self._asks.add(limit)
                answer: bytes = await getattr(actor, method).remote(*arguments)
                return answer
        except TimeoutError:
            if connection != self.connections:
                raise ActorUnavailable() from None
            raise DeadlineMissed() from None
        except Exception as error:
            # Besides its own errors Ray raises bare ones while a connection is being lost; all mean the same to us.
            raise ActorUnavailable() from error
        finally:
            self._asks.discard(limit)

    def _create(self, ray: ModuleType, service: ServiceSpec) -> Any:
        environment = dict(self._connection.environment)
        return (
            ray.remote(_RayActor)
            .options(
                name=service.name,
                namespace=self._connection.namespace,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=service.concurrency + _SPARE_CONCURRENCY,
                runtime_env={"env_vars": environment} if environment else None,
            )
            .remote(self._connection, service.name, service.path, dict(service.arguments))
        )

    def _get(self, ray: ModuleType, name: str) -> Any | None:
        try:
            return ray.get_actor(name, namespace=self._connection.namespace)
        except ValueError:  # how Ray says that there is none
            return None

    async def _reach(self, work: Any, *arguments: Any) -> Any:
        """Ray's control calls block, for up to a minute when the head is gone: keep them off the loop, and bounded."""
        try:
            async with asyncio.timeout(_CONNECT_DEADLINE_S):
                return await asyncio.to_thread(work, *arguments)
        except Exception as error:
            raise ActorUnavailable("The actors' cluster does not answer.") from error

    async def _connected(self) -> ModuleType:
        async with self._connecting:
            assert not self._closed
            if self._ray is None:
                if not await _answers(self._connection.address):
                    raise ActorUnavailable("The actors' cluster is down.")
                connect = partial(_connect, loop=asyncio.get_running_loop())
                self._ray = await self._reach(_own if self._inside else connect, self._connection)
                self.connections += 1
            if self._inside:
                return self._ray
            if self._watch is None or self._watch.done():
                self._watch = tasks.start(self._watch_head(), "the watch over the cluster's head")
            return self._ray

    async def _watch_head(self) -> None:
        """Let go of a head that died, so that the next call connects to the one that replaces it."""
        while True:
            await asyncio.sleep(_HEAD_PROBE_S)
            if not await _answers(self._connection.address):
                await self._disconnect()
                return

    async def _disconnect(self) -> None:
        ray, self._ray = self._ray, None
        if ray is None or self._inside:
            return
        self.connections += 1
        now = asyncio.get_running_loop().time()
        for ask in list(self._asks):
            ask.reschedule(now)
        await asyncio.to_thread(ray.shutdown)


class RayHandle:
    def __init__(self, runtime: OnRay, name: str, actor: Any) -> None:
        self._runtime = runtime
        self._name = name
        self.actor = actor

    @property
    def name(self) -> str:
        return self._name

    async def ask(self, method: str, *arguments: Any, deadline_s: float) -> Any:
        # Packed here, not by Ray: its own pickler takes twice as long on lists of commands.
        return unpack(await self._runtime.call(self.actor, "ask", method, pack(arguments), deadline_s=deadline_s))

    async def described(self, *, deadline_s: float = 2.0) -> Described:
        try:
            answer = await self._runtime.call(self.actor, "described", deadline_s=deadline_s)
        except ActorUnavailable:
            return Described(self._name, "unreachable")
        described: Described = unpickled(answer)
        return described

    async def end(self) -> None:
        with contextlib.suppress(ActorUnavailable):
            await self._runtime.call(self.actor, "end", deadline_s=_STOP_DEADLINE_S)


class _RayActor:
    """What Ray hosts: one Hosted. Ray builds it inside the actor's running event loop (uvloop, where it is installed)."""

    def __init__(self, connection: RayConnection, name: str, path: str, arguments: dict[str, Any]) -> None:
        log.configure(name, connection.cell)
        trace.configure(name.partition("-")[0])
        self._hosted = Hosted(OnRay(connection, inside=True), name, path, arguments)
        self._hosted.begin()

    async def ask(self, method: str, arguments: bytes) -> bytes:
        return await self._hosted.ask(method, arguments)

    async def described(self) -> bytes:
        return pack(self._hosted.described())

    async def end(self) -> bytes:
        await self._hosted.end()
        return b""


# An attempt that outlived its deadline goes on in its thread: the next one must wait for it, and not join it half way.
_connecting = threading.Lock()


def _connect(connection: RayConnection, loop: asyncio.AbstractEventLoop) -> ModuleType:
    """Ray, connected to the head that answers now. Whatever a forgotten attempt left behind is let go first."""
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(connection.token_path)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else any call that finds no connection (its head has just died) starts a whole cluster of its own, here, unasked.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if connection.address.startswith("127."):
        # A head on the loopback address was told so by this switch, and its drivers must agree with it.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray = _own(connection)
    with _connecting:
        if ray.is_initialized():
            ray.shutdown()
        try:
            ray.init(
                address=connection.address,
                namespace=connection.namespace,
                logging_level=logging.ERROR,
                log_to_driver=False,
                ignore_reinit_error=False,
            )
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(_take_sigterm_back)
    return ray


def _take_sigterm_back() -> None:
    """Each connection's C++ part puts its crash handler in the place of the process's own: SIGTERM would dump a stack and end nothing orderly."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
        signal.siginterrupt(signal.SIGTERM, False)


def _own(_: RayConnection) -> ModuleType:
    """Ray as it is in this process: connected, inside an actor."""
    import ray  # noqa: PLC0415 - after the environment is set: see the module's docstring
    import ray.util  # noqa: PLC0415 - likewise

    return ray


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_HEAD_PROBE_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
