"""What is asked while a batch is under way becomes the next batch: batches come from waiting, not from timers.

Invariants: each item is answered once; one batch runs at a time; an item that raises is answered with its own error, and no other
item of its batch is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from residency import tasks
from residency.errors import place_of
from residency.retry import retryable

_log = logging.getLogger("kovra.batcher")

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Answered = TypeVar("Answered")


async def halved(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Awaitable[Answered]],
    *,
    passing: Callable[[Exception], bool] = retryable,
) -> AsyncIterator[tuple[Sequence[Item], Answered | Exception]]:
    """Do `work` on all items at once; where that fails, on halves, in order, until what fails stands alone.

    Yields each part with what `work` answered, or one item with what it raised. Raises what is `passing`: that is no item's fault.
    `work` does all of what it is given, or nothing.
    """
    parts = [items] if items else []
    while parts:
        part = parts.pop()
        outcome: Answered | Exception
        try:
            outcome = await work(part)
        except Exception as error:
            if passing(error):
                raise
            if len(part) > 1:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            outcome = error
        yield part, outcome


class Batcher(Generic[Item, Answer]):
    """Gathers items for `work`, which answers a batch in its order, and does all of it or nothing.

    `passing` tells an outage, which is the answer to all of a batch, from the bug of one item. `after` runs when a batch has its
    answers, before the next one begins; what it raises is logged.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        passing: Callable[[Exception], bool] = retryable,
        batch_limit: int = 1_000,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._name = name
        self._work = work
        self._passing = passing
        self._batch_limit = batch_limit
        self._after = after
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Answer:
        """The item's answer, or what `work` raised for it. A caller that is cancelled meanwhile has asked all the same."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._running is None:
            self._running = tasks.start(self._run(), self._name)
        return await answer

    async def close(self) -> None:
        """Return when each item that was asked has its answer."""
        while self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch_limit], self._waiting[self._batch_limit :]
                try:
                    await self._answer(batch)
                finally:
                    for _, answer in batch:
                        answer.cancel()  # of those without an answer: this task itself was ended
                if self._after is not None:
                    await self._then(self._after)
        finally:
            self._running = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _then(self, after: Callable[[], Awaitable[None]]) -> None:
        try:
            await after()
        except Exception as error:  # noqa: BLE001 - the batch is done, and the next one waits
            _log.error("%s: what follows a batch failed: %s", self._name, place_of(error))

    async def _answer(self, batch: Sequence[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        async def work(part: Sequence[tuple[Item, "asyncio.Future[Answer]"]]) -> Sequence[Answer]:
            return await self._work([item for item, _ in part])

        try:
            async for part, outcome in halved(batch, work, passing=self._passing):
                if isinstance(outcome, Exception):
                    _fail(part, outcome)
                elif len(outcome) != len(part):
                    _fail(part, RuntimeError(f"{self._name}: {len(outcome)} answers to {len(part)} items"))
                else:
                    for (_, waiting), answer in zip(part, outcome, strict=True):
                        if not waiting.done():
                            waiting.set_result(answer)
        except Exception as outage:  # noqa: BLE001 - it is the answer to each item that has none yet
            _fail(batch, outage)


def _fail(part: Sequence[tuple[object, "asyncio.Future[Any]"]], error: Exception) -> None:
    for _, waiting in part:
        if not waiting.done():
            waiting.set_exception(error)
