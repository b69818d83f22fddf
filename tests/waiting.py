"""Waiting for a condition, with a bound, instead of sleeping for a time that is never right."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], *, timeout_s: float = 10.0) -> None:
    """Return as soon as `condition` holds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.001)
