"""Starts parts in the order of their needs, keeps them running, reports what happens, stops them in reverse.

Knows nothing of what the parts are (part.py). Invariants: a part is started only when all it needs is ready; one
that ends unasked is reported and started again, with growing pauses; after `stop` no process of any part is left.
A part that answers its health check no more is reported, and not killed: under load, slow is not dead. For the same reason a part that is
starting has as long as it shows signs of life (patience.py); what waits for it is reported meanwhile.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from infra.local.child import spawn
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.part import Part
from infra.local.patience import Patience
from residency import tasks
from residency.retry import Backoff

_POLL_S = 0.05
_CHECK_EVERY_S = 5.0
_CHECK_TIMEOUT_S = 3.0
_BACKOFF = Backoff(0.25, 15.0)
_STABLE_AFTER_S = 30.0
# A part that ends at once three times will not come up; one that took its time may have lacked only that, and is tried for longer.
_ATTEMPTS_AT_START = 3
_AT_ONCE_S = 20.0
_START_MAX_S = 1_200.0
_REPORT_EVERY_S = 20.0
# Starting costs processor time, mostly; more at once would only make each of them slow.
_STARTING_AT_ONCE = max(4, 2 * (os.cpu_count() or 1))


class State(StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    DIED = "died"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Event:
    """Something happened to a part. `seconds` is how long the step took, `detail` is for people."""

    part: str
    state: State
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Running:
    """A part and what the supervisor knows of it."""

    part: Part
    log: Path
    state: State = State.WAITING
    detail: str = ""
    process: asyncio.subprocess.Process | None = None
    started_at: float | None = None
    ready_after_s: float | None = None
    restarts: int = 0
    failures: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    tender: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None


class PartFailed(LocalError):
    """A part did not come up; the detail names it, the reason, and its log."""

    code = "part-failed"
    title = "A part of the stack did not come up"


class Supervisor:
    """The parts of one stack. Use from the main thread: the kernel ties the children's lives to it."""

    def __init__(self, home: Home, parts: Sequence[Part], report: Callable[[Event], None]) -> None:
        self._home = home
        self._report = report
        self.parts = {part.key: Running(part, home.log(part.cell, part.name)) for part in parts}
        missing = {need for part in parts for need in part.needs} - set(self.parts)
        assert not missing, f"parts need what is not there: {missing}"
        self._failed: asyncio.Future[None] | None = None
        self._starting_up = True
        self._turns = asyncio.Semaphore(_STARTING_AT_ONCE)

    async def start(self) -> None:
        """Start everything; returns when all are ready. Raises PartFailed, having stopped what had started."""
        self._failed = asyncio.get_running_loop().create_future()
        for running in self.parts.values():
            running.tender = tasks.start(self._tend(running), running.part.key)
        all_ready = tasks.asked(self._all_ready(), "the parts that start")
        try:
            await asyncio.wait({all_ready, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        except BaseException:
            await self.stop()
            raise
        finally:
            all_ready.cancel()
        self._starting_up = False

    async def _all_ready(self) -> None:
        for running in self.parts.values():
            await running.ready.wait()

    async def stop(self) -> None:
        """Stop everything, what is needed last. Safe to call twice; a cancelled call goes on to the end."""
        await asyncio.shield(asyncio.gather(*(self._stop(running) for running in self.parts.values())))

    async def _tend(self, running: Running) -> None:
        """The life of one part: start it, watch it, start it again."""
        await asyncio.gather(*(self.parts[need].ready.wait() for need in running.part.needs))
        first, quick = time.monotonic(), 0
        while True:
            began = time.monotonic()
            try:
                async with self._turns:
                    began = time.monotonic()
                    await self._bring_up(running)
            except Exception as error:  # noqa: BLE001 - whatever it is, the part is not up, and is tried again
                await self._end(running)
                reason = str(error) or type(error).__name__
                running.failures += 1
                quick += time.monotonic() - began < _AT_ONCE_S
                self._note(running, State.DIED, f"did not start: {reason}; see {running.log}")
                if self._starting_up and (quick >= _ATTEMPTS_AT_START or time.monotonic() - first > _START_MAX_S):
                    self._give_up(running, reason)
                    return
            else:
                detail = await self._watch(running)
                running.ready.clear()
                # What it left of its process group goes too, or the next start finds the port taken.
                await self._end(running)
                if time.monotonic() - began > _STABLE_AFTER_S:
                    running.failures = 0
                running.failures += 1
                running.restarts += 1
                self._note(running, State.DIED, f"{detail}; starting it again")
            await asyncio.sleep(_BACKOFF.pause_s(running.failures))

    def _give_up(self, running: Running, reason: str) -> None:
        assert self._failed is not None
        if not self._failed.done():
            self._failed.set_exception(PartFailed(f"{running.part.key} did not start: {reason}; see {running.log}"))

    async def _bring_up(self, running: Running) -> None:
        part, began = running.part, time.monotonic()
        self._note(running, State.STARTING)
        await part.prepare()
        running.process = await spawn(
            part.command,
            log=running.log,
            environment=part.environment,
            user=part.user,
            death_signal=part.death_signal,
            cwd=part.cwd,
        )
        running.started_at = _began(running.process.pid)
        patience = Patience(running.process.pid, running.log, part.start_silence_s)
        reports = 1
        while not await _answers(part):
            if running.process.returncode is not None:
                raise PartFailed(f"it ended with status {running.process.returncode}{_last_line(running.log)}")
            if patience.ended():
                raise PartFailed(f"it showed no sign of life for {part.start_silence_s:.0f} s{_last_line(running.log)}")
            if patience.waited_s > reports * _REPORT_EVERY_S:
                reports += 1
                self._note(
                    running, State.STARTING, f"still starting after {patience.waited_s:.0f} s{self._waiting_for(part)}"
                )
            await asyncio.sleep(_POLL_S)
        try:
            async with asyncio.timeout(_START_MAX_S):
                await part.complete()
        except TimeoutError:
            raise PartFailed(f"what follows its start did not end within {_START_MAX_S / 60:.0f} minutes") from None
        running.ready_after_s = time.monotonic() - began
        running.ready.set()
        self._note(running, State.READY, part.note, running.ready_after_s)

    def _waiting_for(self, part: Part) -> str:
        names = [key for key, other in self.parts.items() if part.key in other.part.needs]
        return f"; {' and '.join(names)} wait{'s' if len(names) == 1 else ''} for it" if names else ""

    async def _watch(self, running: Running) -> str:
        """Until the process ends; returns how it ended."""
        assert running.process is not None
        ended = tasks.asked(running.process.wait(), f"the end of {running.part.key}")
        try:
            while True:
                done, _ = await asyncio.wait([ended], timeout=_CHECK_EVERY_S)
                if done:
                    return _how_it_ended(ended.result())
                well = await _answers(running.part)
                if well and running.state is State.UNHEALTHY:
                    self._note(running, State.READY, "answers again")
                elif not well and running.state is State.READY and running.process.returncode is None:
                    self._note(running, State.UNHEALTHY, "runs, but does not answer its health check")
        finally:
            ended.cancel()

    async def _stop(self, running: Running) -> None:
        dependents = [other for other in self.parts.values() if running.part.key in other.part.needs]
        await asyncio.gather(*(other.gone.wait() for other in dependents))
        if running.gone.is_set():
            return
        if running.tender is not None:
            running.tender.cancel()
            await asyncio.wait([running.tender])
        await self._end(running)
        running.ready.clear()
        running.gone.set()
        self._note(running, State.STOPPED)

    async def _end(self, running: Running) -> None:
        """End the process (politely, then not), and whatever is left of its group."""
        process = running.process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(running.part.stop_signal)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(running.part.stop_timeout_s):
                    await process.wait()
        with contextlib.suppress(ProcessLookupError):  # nobody is left, as it should be
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def _note(self, running: Running, state: State, detail: str = "", seconds: float = 0.0) -> None:
        running.state, running.detail = state, detail
        self._report(Event(running.part.key, state, detail, seconds))


def _began(pid: int) -> float:
    """When the kernel says that the process began, which together with its number names it for ever."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return time.time()  # it has ended already


async def _answers(part: Part) -> bool:
    try:
        # Not wait_for: before Python 3.12 it can swallow a cancellation, and a part would be watched for ever.
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await part.healthy()
    except TimeoutError:
        return False


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def _last_line(log: Path) -> str:
    """The last line of a log, for a message; servers' logs hold no personal data (see postgres.py)."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return f" ({lines[-1].strip()[:300]})" if lines else ""
