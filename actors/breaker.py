"""The circuit breaker of one rail: after so many failures in a row, spare a scheme that is down, and try it with one payment.

A pure little state machine: the caller says what time it is. It grants places rather than raising, because what it holds back
is a queue, not a caller.
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row, for `open_s` seconds; twice as long each time the trial fails, up to `open_max_s`."""

    threshold: int = 5
    open_s: float = 5.0
    open_max_s: float = 60.0
    _failures: int = 0
    _opened: int = 0
    _open_until: float = 0.0
    _trial: bool = False

    def state(self, now: float) -> BreakerState:
        if not self._opened:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def grant(self, wanted: int, now: float) -> int:
        """How many of `wanted` may go now: all, one as a trial, or none. Each trial granted must end in one of the three below."""
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return wanted
        if state is BreakerState.OPEN or self._trial or not wanted:
            return 0
        self._trial = True
        return 1

    def succeeded(self) -> None:
        """The scheme answered, be it with a refusal."""
        self._failures = self._opened = 0
        self._trial = False

    def failed(self, now: float) -> None:
        """The scheme could not be reached, or was silent."""
        self._failures += 1
        tried, self._trial = self._trial, False
        if tried or (not self._opened and self._failures >= self.threshold):
            self._opened += 1
            self._open_until = now + min(self.open_s * 2 ** (self._opened - 1), self.open_max_s)

    def spared(self) -> None:
        """Nothing was sent after all: that says nothing about the scheme."""
        self._trial = False
