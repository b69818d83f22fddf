"""The rail actor: one per rail per cell. It owns the scheme connection, the breaker and every payment the scheme has yet to answer.

A payment passes through stages, each a batch of whatever gathered: on record → prepared → recorded as asked → sent →
answer recorded → pushed to its wallet → acknowledged. What stays in doubt is inquired after, later and later.

Invariants: on record before submit returns; recorded as asked before the scheme is asked, and asked once: after that there are only
inquiries, except where the scheme cannot have seen it (RailUnavailable); an answer is on record before it is pushed, and pushed
until the wallet has taken it; memory is rebuilt from the record at start. Only ids come in: personal data is opened here, sent, and dropped.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from actors.deployment import Deployment
from actors.hosted import resolve
from actors.mailbox import MailboxFull
from actors.rail_gate import Gate
from actors.runtime import Runtime
from actors.wallets import Wallets
from actors.work_queue import WorkQueue
from cells.kit.breaker import Breaker, BreakerState
from cells.rails.desk import RailDesk
from cells.rails.rail import (
    InDoubt,
    Outcome,
    Payout,
    RailUnavailable,
    end_to_end_id,
    outcome_after,
)
from residency import tasks
from residency.errors import KovraError, UnexpectedAnswer, place_of
from residency.retry import Backoff

_log = logging.getLogger("kovra.actors.rail")

_LOAD_PAGE = 5_000
_PLACEMENT_LASTS_S = 5.0
_Answer = tuple[str, Outcome]


class RailFull(MailboxFull):
    title = "This rail has too many payments waiting; retry after the time in Retry-After"


class RailActor:
    """A Service of actors.runtime. `asks_max` bounds the messages under way at the scheme, `queue_max` what may wait in memory."""

    def __init__(
        self,
        deployment: Deployment,
        rail: str,
        *,
        asks_max: int = 64,
        queue_max: int = 100_000,
        inquiry_first_s: float = 1.0,
        inquiry_last_s: float = 60.0,
        retry_first_s: float = 0.1,
        retry_last_s: float = 30.0,
        closed_last_s: float = 60.0,
        breaker: Breaker | None = None,
    ) -> None:
        self._deployment = deployment
        self._name = rail
        self._queue_max = queue_max
        self._retry_first_s = retry_first_s
        self._inquiry = Backoff(inquiry_first_s, inquiry_last_s)
        self._closed_last_s = closed_last_s
        self._breaker = breaker or Breaker()
        self._closed: set[str] = set()
        self._places = asyncio.Semaphore(asks_max)
        self._asked_at: dict[str, datetime] = {}
        self._inquiries: dict[str, int] = {}
        self._sends: set[asyncio.Task[None]] = set()
        backoff = Backoff(retry_first_s, retry_last_s)
        self._queued = WorkQueue("submit", self._submit, backoff=backoff)
        self._doubtful = WorkQueue("inquire", self._inquire, in_flight=4, batch_limit=50, backoff=backoff)
        self._answered = WorkQueue("record", self._record, backoff=backoff)
        self._owed = WorkQueue("push", self._push, in_flight=4, backoff=backoff)
        self._placed_until = 0.0
        self._calls = 0
        self._desk: RailDesk
        self._wallets: Wallets
        self._gate: Gate

    async def start(self, runtime: Runtime) -> None:
        self._desk = await resolve(self._deployment.desk)(self._deployment.cell, self._name)
        self._wallets = self._deployment.wallets(runtime)
        now = resolve(self._deployment.clock)
        rails = self._deployment.rails(runtime)
        self._gate = Gate(self._name, self._desk, rails, self._breaker, now, self._in_background)
        try:
            await self._rebuild()
            self._gate.note_circuit()
        except BaseException:
            await self._desk.close()  # the next attempt opens another
            raise

    async def stop(self) -> None:
        for queue in (self._queued, self._doubtful, self._answered, self._owed):
            await queue.close()
        self._gate.close()
        for send in list(self._sends):
            send.cancel()
        if self._sends:
            await asyncio.wait(self._sends)
        await self._wallets.close()
        await self._desk.close()

    async def submit(self, transfer_ids: Sequence[str]) -> None:
        """Take payments over: returns when they are on record. Idempotent. Raises RailFull, or what the record raises."""
        self._calls += 1
        if len(self._queued) + len(transfer_ids) > self._queue_max:
            raise RailFull()
        await self._desk.enqueue(transfer_ids)
        # One that was answered long ago is not queued on the record, so the queue lets it fall out again.
        self._queued.add([one for one in transfer_ids if one not in self._asked_at])

    def describe(self) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        return {
            "rail": self._name,
            "calls": self._calls,
            "breaker": str(self._breaker.state(now)),
            **self._gate.opening(),
            "waiting_for_opening": len(self._closed),
            "depth": len(self._queued),
            "under_way": len(self._sends),
            "in_doubt": len(self._inquiries),
            "unacknowledged": len(self._owed),
            "processed": self._answered.stats.processed,
            "last_batch": self._queued.stats.last_batch,
            "mean_batch": self._queued.stats.shown()["mean_batch"],
        }

    async def _rebuild(self) -> None:
        """Fill the stages from the record. What was asked and not answered is inquired after, never sent again."""
        after = ""
        while page := await self._desk.unfinished(after, _LOAD_PAGE):
            after = page[-1].transfer_id
            for one in page:
                if one.asked_at is not None:
                    self._asked_at[one.transfer_id] = one.asked_at
            self._queued.add([one.transfer_id for one in page if one.state == "queued"])
            self._owed.add([(one.transfer_id, one.outcome) for one in page if one.outcome and one.state == "answered"])
            for one in page:
                if one.state == "asked":
                    self._inquire_later(one.transfer_id)

    def _wait_for_opening(self, batch: Sequence[str]) -> bool:
        """Whether the scheme is closed; then the batch stays queued on the record, and comes again at the opening. The wait is cut into
        pieces, so that a clock that was set right, or a machine that slept, cannot make it late. Raises CalendarUnknown."""
        wait_s = self._gate.wait_s()
        if wait_s <= 0:
            self._closed.difference_update(batch)
            return False
        self._closed.update(batch)
        self._queued.add(batch, delay_s=min(wait_s, self._closed_last_s))
        return True

    async def _submit(self, batch: Sequence[str]) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        self._gate.note_circuit()
        if self._wait_for_opening(batch):
            return ()
        granted = self._breaker.grant(len(batch), loop.time())
        chosen, held_back = batch[:granted], batch[granted:]
        if not chosen:
            opened = self._breaker.state(loop.time()) is BreakerState.OPEN
            return await self._gate.fall_back(held_back) if opened else held_back
        try:
            prepared = await self._desk.prepare(chosen)
            asked = await self._desk.mark_asked(chosen)
        except BaseException:
            self._breaker.spared()
            raise
        self._asked_at.update(asked)
        payouts: list[Payout] = []
        for transfer_id, one in zip(chosen, prepared, strict=True):
            if transfer_id not in asked:
                continue
            if isinstance(one, Payout):
                payouts.append(one)
            else:
                self._answered.add([(transfer_id, one)])
        if not payouts:
            self._breaker.spared()
        size = max(self._desk.rail.profile.transactions_per_message, 1)
        for start in range(0, len(payouts), size):
            await self._places.acquire()
            self._in_background(self._send(payouts[start : start + size]))
        return held_back

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self._sends.add(task := tasks.start(work, f"a message to {self._name}"))
        task.add_done_callback(self._sends.discard)

    async def _send(self, payouts: Sequence[Payout]) -> None:
        """One message to the scheme. Its answer, or that there was none, goes on to be recorded."""
        loop = asyncio.get_running_loop()
        ids = [payout.transfer_id for payout in payouts]
        try:
            outcomes = await self._desk.rail.submit(payouts)
            if len(outcomes) != len(payouts):
                raise UnexpectedAnswer("a rail answered for more or fewer payments than it was asked for")
        except RailUnavailable:
            self._breaker.failed(loop.time())
            self._gate.note_circuit()
            await self._take_back(ids)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the scheme may have seen them
            _log.error("%s: asking for %d payments ended unknown: %s", self._name, len(ids), place_of(error))
            outcomes = [InDoubt(datetime.now(UTC))] * len(ids)
        finally:
            self._places.release()
        self._judge(outcomes)
        self._answered.add(list(zip(ids, outcomes, strict=True)))

    async def _take_back(self, ids: Sequence[str]) -> None:
        """The scheme has not seen these. If even that cannot be recorded they stay asked, and inquiry will tell."""
        try:
            await self._desk.mark_queued(ids)
        except Exception as error:  # noqa: BLE001 - the record is away: the safe side is to ask, not to send
            _log.warning("%s: %d unsent payments left to inquiry: %s", self._name, len(ids), place_of(error))
            for transfer_id in ids:
                self._inquire_later(transfer_id)
            return
        for transfer_id in ids:
            self._asked_at.pop(transfer_id, None)
        self._queued.add(ids, delay_s=self._retry_first_s)

    def _judge(self, outcomes: Sequence[Outcome]) -> None:
        silent = all(isinstance(one, InDoubt) and one.cause == "no_answer" for one in outcomes)
        if silent:
            self._breaker.failed(asyncio.get_running_loop().time())
        else:
            self._breaker.succeeded()
        self._gate.note_circuit()

    async def _record(self, batch: Sequence[_Answer]) -> Sequence[_Answer]:
        standing = await self._desk.record(batch)
        for transfer_id, said in batch:
            # What contradicts the record is kept there, and told to nobody: the answer that stands is.
            outcome = standing.get(transfer_id, said)
            if isinstance(outcome, InDoubt):
                first = transfer_id not in self._inquiries
                self._inquire_later(transfer_id)
                if not first:
                    continue  # the wallet knows that it is in doubt
            else:
                self._inquiries.pop(transfer_id, None)
                self._asked_at.pop(transfer_id, None)
            self._owed.add([(transfer_id, outcome)])
        return ()

    def _inquire_later(self, transfer_id: str) -> None:
        times = self._inquiries[transfer_id] = self._inquiries.get(transfer_id, 0) + 1
        self._doubtful.add([transfer_id], delay_s=self._inquiry.pause_s(times))

    async def _inquire(self, batch: Sequence[str]) -> Sequence[str]:
        rail = self._desk.rail
        outcomes = await rail.inquire([end_to_end_id(transfer_id) for transfer_id in batch])
        self._judge(outcomes)
        now = datetime.now(UTC)
        for transfer_id, outcome in zip(batch, outcomes, strict=True):
            asked_at = self._asked_at.get(transfer_id, now)
            self._answered.add([(transfer_id, outcome_after(rail.profile, outcome, asked_at, now))])
        return ()

    async def _keep_placement(self) -> None:
        """Push to where the wallets live now; looking seldom is slow for a moment, and never wrong, because the epoch fences."""
        now = asyncio.get_running_loop().time()
        if now >= self._placed_until:
            own = tuple(await self._desk.own_wallets())
            self._wallets.move(replace(self._deployment, own=own).placement)
            self._placed_until = now + _PLACEMENT_LASTS_S

    async def _push(self, batch: Sequence[_Answer]) -> Sequence[_Answer]:
        """Tell the wallets; what they did not take comes again. An in-doubt answer is told once and owed no longer than that."""
        batch = [answer for answer in batch if answer[1].final or answer[0] in self._inquiries]
        await self._keep_placement()
        replies = await self._wallets.ask_many(await self._desk.commands(batch))
        again: list[_Answer] = []
        taken: list[str] = []
        for (transfer_id, outcome), reply in zip(batch, replies, strict=True):
            if isinstance(reply, KovraError):
                if not reply.retryable:
                    # Never silence: it stays owed, and shows as unacknowledged until a person has looked.
                    _log.error("%s: the wallet of %s refused its answer: %s", self._name, transfer_id, reply.code)
                again.append((transfer_id, outcome))
            elif outcome.final:
                taken.append(transfer_id)
        if taken:
            await self._desk.acknowledge(taken)
        return again
