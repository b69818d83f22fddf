"""How long a part that is starting is waited for: as long as it shows signs of life. Under load, slow is not dead."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LOOK_EVERY_S = 1.0
# What a process that only waits uses up now and then, by its timers, is no sign of life.
_SIGN_S = 0.1


@dataclass
class Patience:
    """The signs of life of one start: processor time of the process and its descendants, and what is written to its log."""

    pid: int
    log: Path
    silence_s: float
    began_at: float = field(default_factory=time.monotonic)
    _looked_at: float = 0.0
    _alive_at: float = 0.0
    _used_s: float = 0.0
    _written: int = -1

    def ended(self) -> bool:
        """Whether it has shown no sign of life for as long as it may. Looks once a second at most."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = now
        used_s, written = self._used(), self.log.stat().st_size
        if used_s - self._used_s >= _SIGN_S or used_s < self._used_s or written != self._written:
            self._used_s, self._written, self._alive_at = used_s, written, now
        return now - self._alive_at > self.silence_s

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self.began_at

    def _used(self) -> float:
        total = 0.0
        try:
            process = psutil.Process(self.pid)
            for one in (process, *process.children(recursive=True)):
                times = one.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            return total  # one ended while it was looked at; the next look counts again
        return total
