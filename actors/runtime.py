"""The port to whatever hosts actors: spawn or find a named service, ask it, list, stop.

A service is an ordinary class with async methods, named by import path. It lives detached in a process of the
runtime's choosing, is restarted when that process dies, and keeps only what it can rebuild.

Invariants: one live service per name, as far as the runtime can tell (the journal's epochs are the guard, not this);
no call is ever repeated by the runtime itself; an ask that fails with ActorUnavailable may have run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cells.kit.metrics import Snapshot
from residency.errors import KovraError


class ActorUnavailable(KovraError):
    """The service could not be reached or its answer did not come back: the outcome is UNKNOWN. Ask again with the same ids."""

    code = "outcome-unknown"
    status = 503
    retryable = True
    title = "No answer came back; the outcome is unknown. Retry with the same Idempotency-Key"


class DeadlineMissed(ActorUnavailable):
    """The answer did not come within the deadline. The service may still be at work on it."""


class ActorFailed(KovraError):
    """The service met a bug. Its message stays in the service's own log, since it might name a person.

    What was asked may have been carried out or not: asked again under the same id it runs again.
    """

    title = "The request could not be carried out"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What to run under a name. `path` is `module:Class`; `arguments` are its keyword arguments, picklable.

    `concurrency` bounds the asks that the service works on at once.
    """

    name: str
    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 1_000


@dataclass(frozen=True, slots=True)
class Described:
    """One service as `kovra actors` shows it. `state` is `running`, `starting` or `unreachable`.

    `figures`: what its process has measured, which is the caller's own where they share one.
    """

    name: str
    state: str
    host: str = ""
    pid: int = 0
    stats: Mapping[str, Any] = field(default_factory=dict)
    figures: Snapshot = field(default_factory=dict)


class Service(Protocol):
    """What the runtime needs of a class it hosts, beside the methods that are asked.

    The constructor must not fail and does no I/O; `start` may fail, and is then tried again with backoff.
    """

    async def start(self, runtime: "Runtime") -> None:
        """`runtime` is the one that hosts it, through which it reaches other services."""
        ...

    async def stop(self) -> None: ...

    def describe(self) -> Mapping[str, Any]: ...


class Handle(Protocol):
    """A way to one service. Survives the service's restart; after it was stopped and spawned anew, resolve again."""

    @property
    def name(self) -> str: ...

    async def ask(self, method: str, *arguments: Any, deadline_s: float) -> Any:
        """Call a public async method. Raises what KovraError it raised, ActorUnavailable, DeadlineMissed, ActorFailed."""
        ...

    async def described(self, *, deadline_s: float = 2.0) -> Described:
        """Never raises: a service that does not answer is `unreachable`."""
        ...


class Runtime(Protocol):
    async def spawn(self, service: ServiceSpec) -> Handle:
        """The service of that name, started if there is none. Raises ActorUnavailable if the runtime cannot be reached."""
        ...

    async def find(self, name: str) -> Handle | None:
        """The service of that name if it is there. Raises ActorUnavailable if the runtime cannot be reached."""
        ...

    async def names(self) -> Sequence[str]:
        """Every service, sorted. Raises ActorUnavailable if the runtime cannot be reached."""
        ...

    async def stop(self, name: str) -> None:
        """End a service for good and let it close what it holds; nothing happens if there is none."""
        ...

    async def close(self) -> None:
        """Let go of the runtime; services live on where the runtime outlives this process."""
        ...
