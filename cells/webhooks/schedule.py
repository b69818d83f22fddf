"""When a failed delivery is tried again: data (schedule.toml) and one pure function over it."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DATA = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays in seconds after each failed attempt; `jitter` is a share of the delay, to either side. `patience_s`: how long an
    endpoint may fail without one success until it is disabled."""

    delays_s: tuple[float, ...]
    jitter: float
    connect_s: float
    total_s: float
    patience_s: float

    def delay_s(self, attempts: int, chance: float) -> float | None:
        """Seconds to wait after the `attempts`-th failure, or None if it was the last. `chance` is drawn from
        [0, 1).
        """
        assert attempts >= 1
        if attempts > len(self.delays_s):
            return None
        return self.delays_s[attempts - 1] * (1 + self.jitter * (2 * chance - 1))


@cache
def published_schedule() -> Schedule:
    """The schedule that partners are told."""
    data = tomllib.loads(_DATA.read_text())
    timeouts = data["timeouts"]
    delays_s = tuple(float(delay) for delay in data["delays_s"])
    return Schedule(delays_s, data["jitter"], timeouts["connect_s"], timeouts["total_s"], data["patience_s"])


def in_words(schedule: Schedule) -> str:
    """The delays as the README tells them, such as `5 s, 5 min, 2 h`."""
    return ", ".join(_words(delay_s) for delay_s in schedule.delays_s)


def _words(seconds: float) -> str:
    number, unit = next(
        (seconds / size, name) for size, name in ((3_600, "h"), (60, "min"), (1, "s")) if seconds >= size
    )
    return f"{number:g} {unit}"
