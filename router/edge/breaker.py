"""The circuit breaker of one cell: after so many failures in a row, answer at once that the cell is away, and try it now and then.

A pure little state machine: the caller says what time it is. (The actors' breaker grants places in a queue; this one
answers a caller who waits.)
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row, for `open_s` seconds; twice as long each time a trial fails, up to `open_max_s`."""

    threshold: int = 5
    open_s: float = 1.0
    open_max_s: float = 8.0
    _failures: int = 0
    _opened: int = 0
    _open_until: float = 0.0
    _trial: bool = False

    def wait_s(self, now: float) -> float:
        """0 when a request may go now, else for how long none may. Once the pause is over one may go, as a trial."""
        if not self._opened:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        # The others wait as if the trial had failed, until it says how it went; one that never says is followed by the next.
        self._trial = True
        self._open_until = now + self._pause_s
        return 0.0

    @property
    def is_open(self) -> bool:
        return self._opened > 0

    def succeeded(self) -> None:
        """The cell answered, whatever it said."""
        self._failures = self._opened = 0
        self._trial = False

    def failed(self, now: float) -> None:
        """The cell could not be reached, or was silent."""
        self._failures += 1
        # What was under way when it opened says nothing new: only the trial does.
        if self._trial or (not self._opened and self._failures >= self.threshold):
            self._opened += 1
            self._trial = False
            self._open_until = now + self._pause_s

    @property
    def _pause_s(self) -> float:
        return min(self.open_s * 2.0 ** max(self._opened - 1, 0), self.open_max_s)
