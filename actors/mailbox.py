"""Mailboxes and the loop that empties them: batches come from waiting, not from timers.

While a batch is being journaled, what arrives gathers in its mailbox, and all of it becomes the next batch. At rest a batch is
one command and nothing waits; under load it grows by itself.

Invariants: one batch is journaled at a time, and at most one other is with the ledger; a mailbox keeps its order and never holds more than its bound; a batch takes from
every mailbox in turn, so that a full one cannot starve its neighbours; a command id that is waiting, in flight or lately
done is not run again: whoever asks gets the same answer. Only answers that are final are remembered: a
retryable failure, or a bug, runs again when it is asked again. Whatever ends a batch or the loop, whoever waits gets an answer.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.runtime import ActorFailed, ActorUnavailable
from cells.kit.command import Command, Journaled, Reply
from cells.kit.metrics import BATCHES
from residency import tasks
from residency.errors import KovraError, place_of

_log = logging.getLogger("kovra.actors.mailbox")


class MailboxFull(KovraError):
    """Backpressure: the wallet has as many commands waiting as its mailbox holds."""

    code = "busy"
    status = 503
    retryable = True
    title = "This wallet has too many requests waiting; retry after the time in Retry-After"

    RETRY_AFTER_S = 1

    def __init__(self, detail: str = "", *, pointer: str | None = None, **extra: Any) -> None:
        super().__init__(detail, pointer=pointer, **{"retry_after_s": self.RETRY_AFTER_S, **extra})


@dataclass(slots=True)
class Stats:
    """What one mailbox, or a whole loop, has seen since it was made."""

    depth: int = 0
    processed: int = 0
    batches: int = 0
    last_batch: int = 0

    def note(self, size: int) -> None:
        self.batches += 1
        self.processed += size
        self.last_batch = size

    def shown(self) -> dict[str, float]:
        mean = round(self.processed / self.batches, 2) if self.batches else 0.0
        return {
            "depth": self.depth,
            "processed": self.processed,
            "batches": self.batches,
            "last_batch": self.last_batch,
            "mean_batch": mean,
        }


class Mailbox:
    """The commands waiting for one wallet, in order."""

    __slots__ = ("bound", "stats", "waiting")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.waiting: deque[Command] = deque()
        self.stats = Stats()

    def put(self, command: Command) -> None:
        """Raises MailboxFull."""
        if len(self.waiting) >= self.bound:
            raise MailboxFull()
        self.waiting.append(command)
        self.stats.depth = len(self.waiting)

    def take(self, most: int) -> list[Command]:
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        self.stats.depth = len(self.waiting)
        return taken


class MailboxLoop:
    """The mailboxes of many wallets, emptied into batches: one may begin when the one before it is journaled, and two are under way at most.

    `run(batch, journaled)` answers a batch with one reply each, in order, KovraErrors among them, and calls `journaled` as soon as the
    next may begin. Should it raise, all are unknown.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Command], Journaled], Awaitable[Sequence[Reply]]],
        *,
        batch_limit: int = 1_000,
        mailbox_bound: int = 10_000,
        remembered: int = 5_000,
    ) -> None:
        self._run = run
        self._batch_limit = batch_limit
        self._mailbox_bound = mailbox_bound
        self._remembered = remembered
        self._boxes: dict[str, Mailbox] = {}
        self._ready: dict[str, Mailbox] = {}
        self._open: dict[str, asyncio.Future[Reply]] = {}
        self._done: OrderedDict[str, Reply] = OrderedDict()
        self._worker: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(2)
        self._under_way: dict[asyncio.Task[Sequence[Reply]], Sequence[Command]] = {}
        self._closed = False
        self.stats = Stats()

    async def ask(self, command: Command) -> Reply:
        """The reply to one command; MailboxFull comes back as a reply too."""
        (reply,) = await self.ask_many([command])
        return reply

    async def ask_many(self, commands: Sequence[Command]) -> list[Reply]:
        """One reply each, in order, when all are there. A caller that gives up stops nothing: the work goes on."""
        replies: list[Reply] = [None] * len(commands)
        waiting: list[tuple[int, asyncio.Future[Reply]]] = []
        for index, command in enumerate(commands):
            placed = self._place(command)
            if isinstance(placed, asyncio.Future):
                waiting.append((index, placed))
            else:
                replies[index] = placed
        if waiting:
            self._wake()
        for index, future in waiting:
            replies[index] = await asyncio.shield(future)
        return replies

    def mailbox_stats(self) -> dict[str, Stats]:
        return {wallet_id: box.stats for wallet_id, box in self._boxes.items()}

    def idle(self, wallet_id: str) -> bool:
        """Whether nothing waits for that wallet. What is in flight is not counted: ask only between batches."""
        box = self._boxes.get(wallet_id)
        return box is None or not box.waiting

    def forget(self, wallet_id: str) -> None:
        """Drop an idle wallet's mailbox."""
        assert self.idle(wallet_id), wallet_id
        self._boxes.pop(wallet_id, None)

    async def between_batches(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while no batch is in flight, for what must not meet one half done."""
        async with self._turn:
            if self._under_way:
                await asyncio.wait(self._under_way)
            await work()

    async def close(self, failure: KovraError) -> None:
        """Let the batch in flight finish; answer `failure` to what still waits and to what comes later."""
        self._closed = True
        for box in self._boxes.values():
            for command in box.take(len(box.waiting)):
                self._settle(command.command_id, failure)
        self._ready.clear()
        self.stats.depth = 0
        if self._worker is not None:
            await asyncio.wait({self._worker})
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _place(self, command: Command) -> asyncio.Future[Reply] | Reply:
        """The future of the command if it is, or now goes, under way; its reply if that is known already."""
        command_id = command.command_id
        future = self._open.get(command_id)
        if future is not None:
            return future
        if command_id in self._done:
            return self._done[command_id]
        box = self._boxes.get(command.wallet_id)
        if box is None:
            box = self._boxes[command.wallet_id] = Mailbox(self._mailbox_bound)
        try:
            if self._closed:
                raise MailboxFull("This wallet's actor is closing; ask again.")
            box.put(command)
        except MailboxFull as full:
            return full
        self._ready[command.wallet_id] = box
        self.stats.depth += 1
        future = self._open[command_id] = asyncio.get_running_loop().create_future()
        return future

    def _wake(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = tasks.start(self._empty(), "the wallets' mailboxes")

    async def _empty(self) -> None:
        try:
            while self.stats.depth:
                await self._places.acquire()
                begun = False
                try:
                    async with self._turn:
                        journaled = self._begin(self._gather())
                        begun = True
                        await journaled.wait()
                finally:
                    if not begun:
                        self._places.release()
        finally:
            self._answer_the_rest()

    def _begin(self, batch: Sequence[Command]) -> asyncio.Event:
        """Have a batch carried out, which gives its place back at its end; the event says when the next may begin."""
        self.stats.note(len(batch))
        BATCHES.observe(len(batch), "wallet")
        journaled = asyncio.Event()
        task = tasks.start(self._carry_out(batch, journaled.set), "a wallet batch")
        self._under_way[task] = batch
        task.add_done_callback(lambda _: self._end(task, journaled))
        return journaled

    def _end(self, task: asyncio.Task[Sequence[Reply]], journaled: asyncio.Event) -> None:
        """However a batch ended, its place is free, and whoever waits for one of its commands gets an answer."""
        batch = self._under_way.pop(task)
        self._places.release()
        journaled.set()
        ended_well = not task.cancelled() and task.exception() is None
        replies = task.result() if ended_well else [ActorUnavailable()] * len(batch)
        for command, reply in zip(batch, replies, strict=True):
            self._settle(command.command_id, reply)

    def _answer_the_rest(self) -> None:
        """The loop has ended. Where it did not end because nothing waits any more, what waits would wait for ever."""
        under_way = {command.command_id for batch in self._under_way.values() for command in batch}
        for command_id in self._open.keys() - under_way:
            self._settle(command_id, ActorUnavailable())
        for box in self._boxes.values():
            box.take(len(box.waiting))
        self._ready.clear()
        self.stats.depth = 0

    async def _carry_out(self, batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        try:
            replies = await self._run(batch, journaled)
        except Exception as bug:  # noqa: BLE001 - an id that is never settled could never be asked again
            _log.error("a batch of %d ended unknown: %s", len(batch), place_of(bug))
            return [ActorUnavailable()] * len(batch)
        if len(replies) != len(batch):
            _log.critical(
                "a batch of %d was answered with %d replies: which is whose is unknown", len(batch), len(replies)
            )
            return [ActorUnavailable()] * len(batch)
        return replies

    def _gather(self) -> list[Command]:
        """Everything that waits; if that is more than a batch holds, a share of each mailbox, who waited longest first."""
        batch: list[Command] = []
        while self._ready and len(batch) < self._batch_limit:
            share = max(1, (self._batch_limit - len(batch)) // len(self._ready))
            for wallet_id in list(self._ready)[: self._batch_limit - len(batch)]:
                box = self._ready.pop(wallet_id)
                taken = box.take(share)
                box.stats.note(len(taken))
                batch.extend(taken)
                if box.waiting:
                    self._ready[wallet_id] = box
        self.stats.depth -= len(batch)
        return batch

    def _settle(self, command_id: str, reply: Reply) -> None:
        final = not (isinstance(reply, ActorFailed) or (isinstance(reply, KovraError) and reply.retryable))
        if final:
            self._done[command_id] = reply
            if len(self._done) > self._remembered:
                self._done.popitem(last=False)
        future = self._open.pop(command_id)
        if not future.done():
            future.set_result(reply)
