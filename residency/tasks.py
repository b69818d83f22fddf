"""The only place that starts tasks beside the caller's own: none dies unnoticed, and none is collected while it runs.

`start` is for work whose result nobody reads, `keep` for loops that shall never end, `asked` for a question whose answer or failure
is read by whoever starts it. tests/architecture holds the rule. An asyncio.TaskGroup watches its tasks by itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from residency.errors import place_of
from residency.retry import Backoff, Restarts

_log = logging.getLogger("kovra.tasks")
_running: set[asyncio.Task[Any]] = set()
_BACKOFF = Backoff(0.5, 30.0)
# After so long a loop counts as well again, and its next pause is the first.
_WELL_AFTER_S = 60.0

Result = TypeVar("Result")


def start(work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
    """Run `work` beside the caller. What it raises is logged as a bug, with its place and not its words."""
    task = asked(work, name)
    task.add_done_callback(_report)
    return task


def keep(work: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
    """Run an endless loop until it is cancelled or returns. One that dies is logged and run again, later each time."""
    return start(_kept(work, name), name)


def asked(work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
    """Run `work` beside the caller, who reads its result or what it raised."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


async def _kept(work: Callable[[], Awaitable[None]], name: str) -> None:
    loop = asyncio.get_running_loop()
    restarts = Restarts(_BACKOFF, _WELL_AFTER_S)
    while True:
        began = loop.time()
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - whatever ended it, it begins again
            pause_s = restarts.pause_s(loop.time() - began)
            _log.error("%s died and begins again in %.1f s: %s", name, pause_s, place_of(error))
        await asyncio.sleep(pause_s)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("%s died: %s", task.get_name(), place_of(error))
