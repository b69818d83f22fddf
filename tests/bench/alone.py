"""Acceptance by itself: everything that does not accept stands still meanwhile.

An accepted payment sets off some ten milliseconds of computing in two cells, the schemes and the webhooks. On two cores that, and not
the door, would be what an acceptance benchmark measured; `journey.py` measures it as what it is. Here the other cells, the transit,
the router, and of the origin the host with its workers and the schemes are stopped with SIGSTOP: what a cell does while every border
is closed, which it must be able to. What it accepted waits on record, and goes on afterwards.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from infra.local.record import StackStatus
from tests.bench.rig import ORIGIN

_ACCEPTING = frozenset({"api", "ray", "postgres", "redis", "nats", "tigerbeetle"})


@contextmanager
def alone(status: StackStatus) -> Iterator[None]:
    """Stop what does not accept; let it go on at the end."""
    stopped = _bystanders(status)
    try:
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in reversed(stopped):
            _signal(pid, signal.SIGCONT)


def _bystanders(status: StackStatus) -> list[int]:
    """The supervisor first: it would take the others for dead, and start them again."""
    assert status.supervisor_pid is not None, "the bench's stack is running"
    roots = [
        part.pid
        for part in status.parts
        if part.pid is not None and not (part.cell == ORIGIN and part.name in _ACCEPTING)
    ]
    trees = [
        one.pid for root in roots for one in (psutil.Process(root), *psutil.Process(root).children(recursive=True))
    ]
    return [status.supervisor_pid, *trees]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
