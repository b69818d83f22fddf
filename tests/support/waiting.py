"""Waiting for a condition, with a bound, instead of sleeping for a time that is never right."""

import asyncio
import inspect
from collections.abc import Callable

_PAUSE_S = 0.001
_PAUSE_MAX_S = 0.05


async def until(condition: Callable[[], object], what: str = "", *, timeout_s: float = 30.0) -> None:
    """Return as soon as `condition`, awaited if need be, holds; asked ever less often, to leave the machine to what is waited for.

    Raises AssertionError, naming `what` was waited for.
    """
    pause_s = _PAUSE_S
    try:
        async with asyncio.timeout(timeout_s):
            while not await _held(condition):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_MAX_S)
    except TimeoutError:
        raise AssertionError(
            f"not within {timeout_s:g} s: {what or getattr(condition, '__name__', condition)}"
        ) from None


async def _held(condition: Callable[[], object]) -> object:
    held = condition()
    return await held if inspect.isawaitable(held) else held
