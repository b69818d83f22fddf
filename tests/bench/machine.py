"""The machine's own noise, measured beside every figure: how steady a core is, how long the disk takes, how much else goes on."""

import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

_LOOPS = 15
_LOOP_COUNT = 300_000
_SYNCS = 60
_PAGE = b"\0" * 8192


def noise(directory: Path) -> dict[str, Any]:
    """A fixed loop's times and fsync's, in milliseconds, with the load. Spread is (slowest - fastest) / fastest: 0 is quiet."""
    loops = sorted(_loop_ms() for _ in range(_LOOPS))
    syncs = sorted(_sync_times_ms(directory))
    return {
        "cores": os.cpu_count(),
        "load_average_1m": round(os.getloadavg()[0], 2),
        "free_memory_mb": psutil.virtual_memory().available // 2**20,
        "cpu_loop_ms": round(loops[0], 2),
        "cpu_loop_median_ms": round(median(loops), 2),
        "cpu_loop_spread": round((loops[-1] - loops[0]) / loops[0], 2),
        "fsync_p50_ms": round(median(syncs), 2),
        "fsync_p95_ms": round(syncs[int(len(syncs) * 0.95)], 2),
    }


def _loop_ms() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(_LOOP_COUNT):
        total += number
    return (time.perf_counter() - started) * 1e3


def _sync_times_ms(directory: Path) -> list[float]:
    times = []
    path = directory / "fsync.probe"
    with path.open("wb") as file:
        for _ in range(_SYNCS):
            file.write(_PAGE)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1e3)
    path.unlink()
    return times
