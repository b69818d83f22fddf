"""Acceptance by itself: everything that does not accept stands still meanwhile.

An accepted payment sets off some ten milliseconds of computing in two cells, the schemes and the webhooks. On two cores that, and not
the door, would be what an acceptance benchmark measured; `journey.py` measures it as what it is. Here the other cells, the transit,
the router, and of the origin the host with its workers and the schemes are stopped with SIGSTOP: what a cell does while every border
is closed, which it must be able to. What it accepted waits on record, and goes on afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.record import StackStatus
from tests.bench.standing import ACCEPTING, standing_still
from tests.bench.tree import ORIGIN


@contextmanager
def alone(status: StackStatus) -> Iterator[None]:
    """Stop what does not accept; let it go on at the end."""
    assert status.supervisor_pid is not None, "the bench's stack is running"
    bystanders = [part for part in status.parts if not (part.cell == ORIGIN and part.name in ACCEPTING)]
    with standing_still(status.supervisor_pid, bystanders):
        yield
