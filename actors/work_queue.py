"""The queue of one stage of a pipeline: what arrives while it works is its next batch; what could not be done comes again, later each time.

Invariants: an item is in a queue at most once; at most `in_flight` batches run at once; nothing is lost but by the death of the
process, after which the owner fills its queues again from the record.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from actors.mailbox import Stats
from actors.workers.aside import apart
from cells.kit.metrics import BATCHES
from residency import tasks
from residency.errors import place_of
from residency.retry import Backoff

_log = logging.getLogger("kovra.actors.work_queue")

_BACKOFF = Backoff(0.1, 30.0)
Item = TypeVar("Item", bound=Hashable)


class WorkQueue(Generic[Item]):
    """`run` takes a batch and answers the items to try again; after an exception it is tried in halves, until what set it
    off stands alone and comes again by itself; an outage means all of them."""

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Item]]],
        *,
        in_flight: int = 1,
        batch_limit: int = 500,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._name = name
        self._run = run
        self._in_flight = in_flight
        self._batch_limit = batch_limit
        self._backoff = backoff
        self._attempts: dict[Item, int] = {}  # every item here, waiting or under way
        self._ready: dict[Item, None] = {}
        self._under_way: set[Item] = set()
        self._once_more: dict[Item, float] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False
        self.stats = Stats()

    def add(self, items: Collection[Item], *, delay_s: float = 0.0) -> None:
        """Take items in, now or after a delay. Those that wait here already stay as they are; those under way come once more."""
        for item in items:
            if item in self._under_way:
                self._once_more[item] = delay_s
        fresh = [item for item in items if item not in self._attempts]
        for item in fresh:
            self._attempts[item] = 0
        self._enter(fresh, delay_s)

    def __len__(self) -> int:
        return len(self._attempts)

    async def close(self) -> None:
        """Stop at once; what is under way is cancelled."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _enter(self, items: Sequence[Item], delay_s: float) -> None:
        if self._closed or not items:
            return
        if delay_s > 0:
            loop = asyncio.get_running_loop()
            timer: asyncio.TimerHandle = loop.call_later(delay_s, lambda: self._due(timer, items))
            self._timers.add(timer)
            return
        self._ready.update(dict.fromkeys(items))
        self._pump()

    def _due(self, timer: asyncio.TimerHandle, items: Sequence[Item]) -> None:
        self._timers.discard(timer)
        self._enter(items, 0.0)

    def _pump(self) -> None:
        while self._ready and len(self._running) < self._in_flight and not self._closed:
            batch = list(self._ready)[: self._batch_limit]
            for item in batch:
                del self._ready[item]
            self._under_way.update(batch)
            self.stats.note(len(batch))
            BATCHES.observe(len(batch), self._name)
            task = tasks.start(self._carry_out(batch), f"the queue {self._name}")
            self._running.add(task)
            task.add_done_callback(self._over)
        self.stats.depth = len(self._attempts)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._pump()

    async def _carry_out(self, batch: Sequence[Item]) -> None:
        try:
            done, culprits = await apart(batch, self._run)
            again: Sequence[Item] = [*chain.from_iterable(done), *(item for item, _ in culprits)]
            for _, bug in culprits:
                _log.error("%s: an item comes again, and holds up no other: %s", self._name, place_of(bug))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the items must come again
            _log.warning("%s: a batch of %d comes again: %s", self._name, len(batch), place_of(error))
            again = batch
        retried = frozenset(again)
        for item in batch:
            self._under_way.discard(item)
            delay_s = self._once_more.pop(item, None)
            if item in retried:
                self._attempts[item] += 1
                self._enter([item], self._backoff.pause_s(self._attempts[item]))
            elif delay_s is not None:
                self._attempts[item] = 0
                self._enter([item], delay_s)
            else:
                del self._attempts[item]
