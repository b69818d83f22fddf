"""A part: one process of the stack, described as data. The supervisor knows nothing else about it."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.child import User


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Part:
    """One process: how to start it, how to know that it serves, how to end it.

    `prepare` runs before every start and `complete` after every time it became ready (before the parts that
    need it start); both must be idempotent. `death_signal` is what the
    kernel sends it when the supervisor is gone: SIGTERM for what runs under keeper.py. `healthy` answers within the caller's deadline or counts as False.
    """

    cell: str
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    healthy: Callable[[], Awaitable[bool]]
    needs: tuple[str, ...] = ()
    port: int | None = None
    prepare: Callable[[], Awaitable[None]] = field(default=_nothing)
    complete: Callable[[], Awaitable[None]] = field(default=_nothing)
    user: User | None = None
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_timeout_s: float = 10.0
    # How long it may show no sign of life while it starts (patience.py).
    start_silence_s: float = 120.0
    note: str = ""

    @property
    def key(self) -> str:
        """`eu-1/postgres`: unique in a stack, and what `needs` names."""
        return f"{self.cell}/{self.name}"
