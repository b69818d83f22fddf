"""Waiting for conditions with a bound, at a pace that leaves the machine to the system under test."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float, every_s: float = 0.2) -> float | None:
    """Seconds until `condition` held; None when it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        if await condition():
            return time.monotonic() - began
        await asyncio.sleep(every_s)
    return None


async def unless(stop: asyncio.Event, seconds: float) -> None:
    """Let time pass, but not beyond `stop`: the pace of a stream, or how long a fault lasts."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
