"""Starting a child process that cannot outlive its supervisor.

Invariant: every child leads its own process group and asks the kernel (PR_SET_PDEATHSIG) to be signalled when
the thread that started it dies, so that even a SIGKILLed supervisor leaves nothing behind. Call from the main
thread only: the kernel watches the *thread*.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class User:
    """A numeric identity to run a server under; needs no entry in the system's user table."""

    uid: int
    gid: int


def _die_with_parent(death_signal: signal.Signals, parent: int) -> Callable[[], None]:
    number = int(death_signal)

    def before_exec() -> None:
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec


async def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    user: User | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    cwd: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start `command` with output appended to `log` and an environment that is exactly `environment`."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            # Runs after the change of user, which would have cleared the request.
            preexec_fn=_die_with_parent(death_signal, os.getpid()),
        )


def start(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    user: User | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """`spawn` for callers without an event loop (test fixtures): the child is killed when this thread's process ends."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            preexec_fn=_die_with_parent(signal.SIGKILL, os.getpid()),  # noqa: PLW1509 - two system calls, no lock
        )


async def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    user: User | None = None,
    stdin: bytes = b"",
    timeout_s: float = 600.0,
) -> tuple[int, str]:
    """Run `command` to its end and return (exit status, its output). Raises LocalError, having killed it, where it takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environment),
        cwd="/",  # the unprivileged user may not be able to enter ours
        start_new_session=True,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        preexec_fn=_die_with_parent(signal.SIGKILL, os.getpid()),
    )
    try:
        # Not wait_for: in Python 3.11 it can swallow a cancellation that comes as the answer does.
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(stdin)
    except (TimeoutError, asyncio.CancelledError) as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise LocalError(f"{Path(command[0]).name} did not end within {timeout_s:.0f} s") from None
        raise
    return await process.wait(), output.decode(errors="replace")


def clean_environment(**extra: str) -> dict[str, str]:
    """What a server needs of our environment, and nothing that could steer it (PG*, RAY_*, NATS_*)."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
    return {**kept, **extra}


def kovra_environment() -> dict[str, str]:
    """The switches (KOVRA_…, and OTEL_… for where traces go) which our own processes are to see as well."""
    return {name: value for name, value in os.environ.items() if name.startswith(("KOVRA_", "OTEL_"))}
