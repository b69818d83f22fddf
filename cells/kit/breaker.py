"""The circuit breaker of something far away: after so many failures in a row, spare what is down, and try it with one call.

A pure state machine: the caller says what time it is. It grants places rather than raising: behind it is a queue as often as a caller.
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
    # While a trial is under way no other is granted. One that never says how it went is followed by the next.
    _trial_until: float = 0.0

    def state(self, now: float) -> BreakerState:
        if not self._opened:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def grant(self, wanted: int, now: float) -> int:
        """How many of `wanted` may go now: all, one as a trial, or none. Each trial should end in one of the three below."""
        if not self._opened:
            return wanted
        if not wanted or self.wait_s(now):
            return 0
        self._trial_until = now + self._pause_s
        return 1

    def wait_s(self, now: float) -> float:
        """For how long none may go; 0 when one may."""
        return max(self._open_until - now, self._trial_until - now, 0.0) if self._opened else 0.0

    def succeeded(self) -> None:
        """It answered, be it with a refusal."""
        self._failures = self._opened = 0
        self._trial_until = 0.0

    def failed(self, now: float) -> None:
        """It could not be reached, or was silent."""
        self._failures += 1
        tried, self._trial_until = self._trial_until > 0.0, 0.0
        # What was under way when it opened says nothing new: only the trial does.
        if tried or (not self._opened and self._failures >= self.threshold):
            self._opened += 1
            self._open_until = now + self._pause_s

    def spared(self) -> None:
        """Nothing was sent after all: that says nothing about what is far away."""
        self._trial_until = 0.0

    @property
    def _pause_s(self) -> float:
        return min(self.open_s * 2.0 ** (self._opened - 1), self.open_max_s)
