"""The whole laptop stack behind three verbs: up, down, status. What `kovra up/down/status` and `make run` call.

Invariant: one supervisor per home, by a lock (record.py) that the kernel drops with its holder; who cannot have it
is told who has.
"""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.local import ports, record
from infra.local.child import clean_environment, kovra_environment
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.layout import Layout, lay_out, port_keys
from infra.local.ray import REPOSITORY
from infra.local.record import Phase, StackStatus
from infra.local.supervisor import Event, State, Supervisor
from residency import tasks
from residency.directory import load_directory

Report = Callable[[Event], None]
_DOWN_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.1


class NotRunning(LocalError):
    """There is nothing to stop."""

    code = "not-running"
    title = "This stack is not running"


class Stack:
    """One home's stack. `servers_only` leaves out our own processes: Postgres, Redis, NATS, Ray, TigerBeetle only. `webhook_ports`: of
    this machine, those that the sandboxes send webhooks to."""

    def __init__(
        self, home: Path | str | None = None, *, servers_only: bool = False, webhook_ports: Sequence[int] = ()
    ) -> None:
        self.home = Home.at(home)
        self._servers_only = servers_only
        self._webhook_ports = tuple(webhook_ports)
        self._supervisor: Supervisor | None = None
        self._record: record.Record | None = None

    async def up(self, report: Report) -> StackStatus:
        """Start everything as children of this process; returns when all is ready. Stop it with `down`.

        Call it from the main thread. `report` gets every event, also later ones. Raises AlreadyRunning, PortTaken,
        PartFailed, LocalError; whatever had started is stopped then.
        """
        self.home.create()
        written = record.Record.take(self.home)
        try:
            _migrations_to(self.home.logs / "migrations.log")
            await record.sweep(self.home)
            directory = load_directory()
            chosen = ports.allocate(self.home, port_keys(directory))
            layout = await lay_out(
                self.home, chosen, servers_only=self._servers_only, webhook_ports=self._webhook_ports
            )
            supervisor = self._supervise(layout, written, report)
            await supervisor.start()
        except BaseException as error:
            written.finish(Phase.FAILED, str(error))
            raise
        written.phase = Phase.RUNNING
        written.write()
        self._supervisor, self._record = supervisor, written
        return await self.status()

    def _supervise(self, layout: Layout, written: record.Record, report: Report) -> Supervisor:
        def note(event: Event) -> None:
            written.write()
            report(event)

        supervisor = Supervisor(self.home, layout.parts, note)
        written.describe(layout, supervisor)
        return supervisor

    async def down(self) -> None:
        """Stop everything: what this process started, else what the supervisor of this home runs.

        Raises NotRunning, or LocalError when that supervisor does not end in time.
        """
        if self._supervisor is not None and self._record is not None:
            self._record.phase = Phase.STOPPING
            await self._supervisor.stop()
            self._record.finish(Phase.STOPPED)
            self._supervisor = self._record = None
            return
        if not record.signal_holder(self.home, signal.SIGTERM):
            await record.sweep(self.home)
            raise NotRunning(f"nothing runs from {self.home.root}")
        try:
            async with asyncio.timeout(_DOWN_TIMEOUT_S):
                # Another process's lock: there is no event to wait for.
                while record.holder(self.home) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise LocalError(f"the supervisor did not end in {_DOWN_TIMEOUT_S:.0f} s; see {self._log}") from None
        await record.sweep(self.home)

    async def status(self) -> StackStatus:
        """What runs now, from any process, whether or not there is a supervisor."""
        return await asyncio.to_thread(record.read_status, self.home)

    async def run(self, report: Report, on_ready: Callable[[StackStatus], None]) -> None:
        """In the foreground: up, `on_ready`, until SIGINT or SIGTERM, down. Raises as `up` does."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        starting = tasks.asked(self.up(report), "the start of the stack")
        stopping = tasks.asked(stop.wait(), "the end of the stack")
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return
        try:
            on_ready(starting.result())
            await stopping
        finally:
            stopping.cancel()
            if self._supervisor is not None:
                await self.down()

    async def up_detached(self, report: Report) -> StackStatus:
        """Start everything under a supervisor in the background, and return when it is ready. Raises as `up` does."""
        self.home.create()
        if (pid := record.holder(self.home)) is not None:
            raise record.AlreadyRunning(f"process {pid} runs the stack in {self.home.root}; `kovra down` stops it")
        command = [sys.executable, "-m", "infra.local", str(self.home.root)]
        if self._servers_only:
            command.append("--servers-only")
        command += [f"--webhook-port={one}" for one in self._webhook_ports]
        background = _in_background(command, self._log)
        seen: dict[str, tuple[str, str]] = {}
        # As long as it takes: the supervisor gives up by itself, and says of what.
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            ended = background.poll() is not None
            status = await self.status()
            if status.supervisor_pid == background.pid:
                _report_changes(status, seen, report)
                if status.phase is Phase.RUNNING:
                    return status
            if ended:
                raise LocalError(status.error or f"the supervisor ended; see {self._log}")

    @property
    def _log(self) -> Path:
        return self.home.logs / "supervisor.log"

    async def clean(self) -> None:
        """Remove everything this home ever made. Raises AlreadyRunning while it is in use."""
        if (pid := record.holder(self.home)) is not None:
            raise record.AlreadyRunning(f"process {pid} runs the stack in {self.home.root}; stop it first")
        await record.sweep(self.home)
        self.home.clean()


def _migrations_to(log: Path) -> None:
    """The runner tells every file it applies as a warning: to a log, not over the caller's screen."""
    logger = logging.getLogger("migrations")
    logger.handlers = [logging.FileHandler(log)]
    logger.propagate = False


def _in_background(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=clean_environment(**kovra_environment()),
            start_new_session=True,
        )


def _report_changes(status: StackStatus, seen: dict[str, tuple[str, str]], report: Report) -> None:
    for part in status.parts:
        key, now = f"{part.cell}/{part.name}", (part.state, part.detail)
        if seen.get(key, (State.WAITING, "")) != now:
            seen[key] = now
            report(Event(key, State(part.state), part.detail, part.ready_after_s or 0.0))
