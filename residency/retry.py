"""Trying again: the one loop that does it, and how long it pauses.

`retried` is for whoever waits for an answer. A queue or a supervisor, which has other work between two attempts, takes its pauses from
`Backoff` and `Restarts`. No loop doubles a pause by hand (tests/architecture/test_manners.py).
"""

import math
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay

from residency.errors import KovraError

Result = TypeVar("Result")


class Backoff(NamedTuple):
    """Pauses in seconds that double from `first_s` up to `last_s`, with jitter over their upper half."""

    first_s: float
    last_s: float

    def pause_s(self, attempt: int) -> float:
        """The pause after so many attempts: after the first one, between first_s/2 and first_s."""
        longest = min(self.first_s * 2.0 ** min(attempt - 1, 32), self.last_s)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret


class Restarts:
    """The pauses of one thing that shall run for ever. After a run of `well_after_s` seconds the next pause is the first again."""

    def __init__(self, backoff: Backoff, well_after_s: float) -> None:
        self._backoff = backoff
        self._well_after_s = well_after_s
        self._failures = 0

    def pause_s(self, ran_s: float) -> float:
        """The pause after a run of `ran_s` seconds that ended unasked."""
        self._failures = 1 if ran_s > self._well_after_s else self._failures + 1
        return self._backoff.pause_s(self._failures)


def retryable(error: BaseException) -> bool:
    """Whether the error says by itself that the same call may succeed later."""
    return isinstance(error, KovraError) and error.retryable


async def retried(
    work: Callable[[], Awaitable[Result]],
    backoff: Backoff,
    *,
    when: Callable[[BaseException], bool] = retryable,
    within_s: float = math.inf,
    asked_s: Callable[[BaseException], float | None] = lambda _: None,
    note: Callable[[BaseException, float], None] = lambda _, __: None,
) -> Result:
    """What `work` returns, tried again while it fails with what `when` names. `asked_s`: the pause that a failure itself asks for;
    `note` is called before each pause. Raises what `work` raised last, where the next attempt would begin after `within_s` seconds.
    """

    async def attempt() -> Result:
        return await work()

    def pause_s(state: RetryCallState) -> float:
        asked = asked_s(_failure(state))
        return backoff.pause_s(state.attempt_number) if asked is None else asked

    attempts = AsyncRetrying(
        retry=retry_if_exception(when),
        wait=pause_s,
        stop=stop_before_delay(within_s),
        before_sleep=lambda state: note(_failure(state), state.upcoming_sleep),
        reraise=True,
    )
    return await attempts(attempt)


def _failure(state: RetryCallState) -> BaseException:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return error
