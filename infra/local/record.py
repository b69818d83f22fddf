"""What is written down about a running stack, and the lock that makes its writer the only one.

Invariants: who holds the lock on `supervisor.lock` is the supervisor, and the kernel takes the lock away when it
dies, however it dies; `stack.json` names every process with its start time, so that a process number that was given
to somebody else since is never signalled.
"""

import asyncio
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import IO, Any

import psutil

from infra.local.errors import LocalError
from infra.local.home import Home, write_file
from infra.local.layout import Layout
from infra.local.memory import memory_of_trees
from infra.local.supervisor import Running, State, Supervisor

_LOCK_ATTEMPTS = 20
_SWEEP_TIMEOUT_S = 10.0
_SAME_START_S = 1.0


class AlreadyRunning(LocalError):
    """Another supervisor holds this home."""

    code = "already-running"
    title = "This stack is running already"


class Phase(StrEnum):
    """The stack as a whole."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class PartStatus:
    """One row of `status`. `memory_bytes` is the proportional set size of the part's whole process tree."""

    cell: str
    name: str
    state: State
    pid: int | None
    port: int | None
    uptime_s: float | None
    ready_after_s: float | None
    restarts: int
    memory_bytes: int
    detail: str
    log: str

    @property
    def healthy(self) -> bool:
        """Running, and answering its health check when last asked (every 5 s)."""
        return self.state is State.READY


@dataclass(frozen=True)
class StackStatus:
    """The stack as it is now. Before the first start everything is empty."""

    phase: Phase
    supervisor_pid: int | None
    error: str
    router_url: str
    api_urls: dict[str, str]
    ledgers: dict[str, str]
    outside: list[str]
    parts: list[PartStatus]

    @property
    def ready(self) -> bool:
        """Whether every part is up and healthy."""
        return self.phase is Phase.RUNNING and all(part.healthy for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        rows = [
            {
                "part": part.name,
                **{key: value for key, value in asdict(part).items() if key != "name"},
                "healthy": part.healthy,
            }
            for part in self.parts
        ]
        return {**asdict(self), "ready": self.ready, "parts": rows}


@dataclass
class Record:
    """The supervisor's side: holds the lock, and writes `stack.json` at every change."""

    home: Home
    lock: IO[str]
    phase: Phase = Phase.STARTING
    error: str = ""
    layout: Layout | None = None
    running: list[Running] = field(default_factory=list)

    @staticmethod
    def take(home: Home) -> "Record":
        """Raises AlreadyRunning."""
        lock = home.lock_file.open("a+")
        for attempt in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Somebody who only looks holds it for a moment; a supervisor holds it for good.
                if attempt == _LOCK_ATTEMPTS - 1:
                    lock.seek(0)
                    pid = lock.read().strip() or "another process"
                    lock.close()
                    raise AlreadyRunning(
                        f"process {pid} runs the stack in {home.root}; `kovra down` stops it"
                    ) from None
                time.sleep(0.02)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return Record(home, lock)

    def describe(self, layout: Layout, supervisor: Supervisor) -> None:
        self.layout, self.running = layout, list(supervisor.parts.values())
        self.write()

    def finish(self, phase: Phase, error: str = "") -> None:
        """Write the last word and let go of the lock."""
        self.phase, self.error = phase, error
        self.write()
        self.lock.close()

    def write(self) -> None:
        layout = self.layout
        content = {
            "supervisor_pid": os.getpid(),
            "phase": self.phase,
            "error": self.error,
            "router_url": layout.router_url if layout else "",
            "api_urls": layout.api_urls if layout else {},
            "ledgers": layout.ledgers if layout else {},
            "outside": [str(path) for path in self.home.outside()],
            "parts": [_row(running) for running in self.running],
        }
        write_file(self.home.state_file, json.dumps(content, indent=2), durable=False)


def _row(running: Running) -> dict[str, Any]:
    part = running.part
    return {
        "cell": part.cell,
        "name": part.name,
        "state": running.state,
        "pid": running.pid,
        "port": part.port,
        "started_at": running.started_at,
        "ready_after_s": running.ready_after_s,
        "restarts": running.restarts,
        "detail": running.detail,
        "log": str(running.log),
    }


def _read(home: Home) -> dict[str, Any]:
    if not home.state_file.exists():
        return {"phase": Phase.STOPPED, "parts": []}
    content: dict[str, Any] = json.loads(home.state_file.read_text())
    return content


def holder(home: Home) -> int | None:
    """The pid of the supervisor that runs now; None when there is none."""
    if not home.lock_file.exists():
        return None
    with home.lock_file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = lock.read().strip()
            return int(text) if text.isdigit() else None
    return None


def signal_holder(home: Home, number: signal.Signals) -> bool:
    """Send a signal to the supervisor that runs now. False when there is none."""
    pid = holder(home)
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False  # it ended between the two lines
    return True


def read_status(home: Home) -> StackStatus:
    """The written record, corrected by what the kernel says: a process that is gone is not ready."""
    content, supervisor = _read(home), holder(home)
    phase = Phase(content["phase"])
    if supervisor is None and phase in (Phase.STARTING, Phase.RUNNING, Phase.STOPPING):
        phase = Phase.STOPPED
    alive = [row["pid"] for row in content["parts"] if _process(row) is not None]
    memory = memory_of_trees(alive)
    return StackStatus(
        phase=phase,
        supervisor_pid=content.get("supervisor_pid") if supervisor is not None or phase is Phase.FAILED else None,
        error=content.get("error", ""),
        router_url=content.get("router_url", ""),
        api_urls=content.get("api_urls", {}),
        ledgers=content.get("ledgers", {}),
        outside=content.get("outside", []),
        parts=[_part_status(row, supervisor is not None, memory) for row in content["parts"]],
    )


def _part_status(row: dict[str, Any], supervised: bool, memory: dict[int, int]) -> PartStatus:
    state, pid = State(row["state"]), row["pid"]
    if pid not in memory:
        pid = None
        if state in (State.READY, State.UNHEALTHY, State.STARTING):
            # With a supervisor it will be started again in a moment; without one it is simply gone.
            state = State.DIED if supervised and state is not State.STARTING else state
            state = state if supervised else State.STOPPED
    return PartStatus(
        cell=row["cell"],
        name=row["name"],
        state=state,
        pid=pid,
        port=row["port"],
        uptime_s=time.time() - row["started_at"] if pid and row["started_at"] else None,
        ready_after_s=row["ready_after_s"],
        restarts=row["restarts"],
        memory_bytes=memory.get(pid, 0) if pid else 0,
        detail=row["detail"],
        log=row["log"],
    )


def _process(row: dict[str, Any]) -> psutil.Process | None:
    """The very process that the row is about, while it lives."""
    if row["pid"] is None or row["started_at"] is None:
        return None
    try:
        process = psutil.Process(row["pid"])
        same = abs(process.create_time() - row["started_at"]) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


async def sweep(home: Home) -> None:
    """End what a killed supervisor left (its death already told them to end). The caller knows that none runs."""
    left = [process for row in _read(home)["parts"] if (process := _process(row)) is not None]
    deadline = time.monotonic() + _SWEEP_TIMEOUT_S
    while left and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        left = [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
