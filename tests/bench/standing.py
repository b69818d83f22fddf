"""Parts of a stack that stand still (SIGSTOP) while another is measured."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import psutil

# What of a cell accepts payments.
ACCEPTING = frozenset({"api", "ray", "postgres", "redis", "nats", "tigerbeetle"})


class Part(Protocol):
    """One process of a stack, with all that it started."""

    @property
    def cell(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...


@contextmanager
def standing_still(supervisor_pid: int, parts: Sequence[Part]) -> Iterator[None]:
    """Stop these parts, and the supervisor first: it would take them for dead, and start them again."""
    roots = [part.pid for part in parts if part.pid is not None]
    trees = [
        one.pid for root in roots for one in (psutil.Process(root), *psutil.Process(root).children(recursive=True))
    ]
    stopped = [supervisor_pid, *trees]
    try:
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in reversed(stopped):
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
