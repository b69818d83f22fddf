"""What a piece of computing costs, for tests that hold two sizes of input against each other: a ratio, never a time."""

import time
from collections.abc import Callable

_TRIES = 5
# Below it the clock and the machine say more than the work.
_LEAST_S = 0.002


def cost(work: Callable[[], object]) -> float:
    """The least CPU time of several tries, in seconds: what the work takes when nobody disturbs it."""
    found = []
    for _ in range(_TRIES):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return max(min(found), _LEAST_S)
