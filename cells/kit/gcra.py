"""The generic cell rate algorithm (ITU-T I.371): one number per caller instead of a log of its requests. Pure.

A rate is `quota` requests at once, and one more every `period / quota` after that. What is kept is the theoretical arrival time:
the moment at which all that was let through would have come, one by one. backends/redis.py has the same sums in a script.
"""

import math
from collections import OrderedDict
from typing import NamedTuple

PERIOD_US = 60_000_000
# Of an interval: what sums of floats may be short of, and how much too early a request is still in time.
NEARLY = 1e-6


class Grant(NamedTuple):
    """`admitted` of what was asked for; `debt_us`: how long until the whole quota is free again."""

    admitted: int
    debt_us: int


class Allowance(NamedTuple):
    """Where one request stands. `remaining` after it; `wait_s` until the whole quota is free, or until one request would be."""

    allowed: bool
    quota: int
    remaining: int
    wait_s: int


def interval_us(quota: int) -> float:
    """Between two requests of `quota` a minute."""
    return PERIOD_US / quota


def grant(arrival_us: float, now_us: float, quota: int, wanted: int) -> tuple[Grant, float]:
    """Let through as many of `wanted` as there is room for, and the arrival time from then on."""
    interval = interval_us(quota)
    arrival_us = max(arrival_us, now_us)
    room = math.floor((now_us + PERIOD_US - arrival_us) / interval + NEARLY)
    admitted = max(0, min(wanted, room))
    arrival_us += admitted * interval
    return Grant(admitted, math.ceil(arrival_us - now_us)), arrival_us


def allowances(granted: Grant, quota: int, wanted: int) -> list[Allowance]:
    """What each of the `wanted` requests is told, in the order in which they came."""
    interval = interval_us(quota)
    left = max(0, math.floor((PERIOD_US - granted.debt_us) / interval + NEARLY))
    reset_s = math.ceil(granted.debt_us / 1_000_000)
    # One is free when the debt has shrunk to what leaves room for it.
    retry_s = max(1, math.ceil((granted.debt_us + interval - PERIOD_US) / 1_000_000))
    told = [
        Allowance(True, quota, left + granted.admitted - place, reset_s) for place in range(1, granted.admitted + 1)
    ]
    return told + [Allowance(False, quota, 0, retry_s)] * (wanted - granted.admitted)


class Meter:
    """The same within one process, of the `size_max` callers heard from last. Who is forgotten starts afresh."""

    def __init__(self, size_max: int = 10_000) -> None:
        self._size_max = size_max
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    def take(self, name: str, quota: int, now_us: float, wanted: int = 1) -> Grant:
        """Let `name` through as often as it may."""
        granted, self._arrivals[name] = grant(self._arrivals.get(name, 0.0), now_us, quota, wanted)
        self._arrivals.move_to_end(name)
        if len(self._arrivals) > self._size_max:
            self._arrivals.popitem(last=False)
        return granted

    def full(self, name: str, quota: int, now_us: float) -> bool:
        """Whether `name` would be refused now."""
        return grant(self._arrivals.get(name, 0.0), now_us, quota, 1)[0].admitted == 0
