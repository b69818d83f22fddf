"""How long to wait before trying again."""

import random


def backoff_s(attempt: int, first_s: float, last_s: float) -> float:
    """Exponential with jitter over its upper half: attempt 1 waits between first_s/2 and first_s, and none beyond last_s."""
    longest = min(first_s * 2.0 ** min(attempt - 1, 32), last_s)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret
