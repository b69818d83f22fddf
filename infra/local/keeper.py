"""A tiny process between the supervisor and a part that has children of its own (Ray, an API with workers).

Run as a program, `python -I -S keeper.py GRACE_SECONDS COMMAND…`, so that it costs some milliseconds and few megabytes. It is a
child subreaper: whatever the part starts and abandons is adopted here, and killed here before this process ends.
Ray needs it: when its head is killed, its agents stay for good and its workers for seconds.

Invariants: SIGTERM is passed on, and followed by SIGKILL after the grace; when the command has ended, for whatever reason, every descendant is killed and
reaped; the exit status is the command's. If the supervisor dies, the kernel sends SIGTERM here (see child.py).
"""

import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_AWAITED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def _die_with_keeper() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                # Without pathlib, which doubles the time that this program needs to start.
                with open(f"/proc/{entry.name}/stat") as file:  # noqa: PTH123
                    # The second field is the program's name in brackets, and may hold anything.
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _reap() -> bool:
    """Collect whoever has ended. False when there is no child left at all."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _end_everybody() -> None:
    while _reap():
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _start(command: list[str]) -> int:
    """Fork and exec; the child dies with this process, and gets the signals that are blocked here."""
    child = os.fork()
    if child == 0:
        _die_with_keeper()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        try:
            os.execvpe(command[0], command, os.environ)  # noqa: S606 - it is what this program is for
        except OSError as error:
            print(f"keeper: cannot run {command[0]}: {error}", file=sys.stderr, flush=True)
            os._exit(127)
    return child


def _wait(child: int, grace_s: float) -> int:
    """Until `child` ends, killing it when it outlives a request to stop; adopted orphans are reaped meanwhile."""
    kill_at: float | None = None
    while True:
        received = signal.sigtimedwait(_AWAITED, 3600.0 if kill_at is None else 0.1)
        if received is not None and received.si_signo != signal.SIGCHLD:
            kill_at = kill_at or time.monotonic() + grace_s
            os.kill(child, received.si_signo)  # not reaped yet, so the number is still its own
        if kill_at is not None and time.monotonic() > kill_at:
            os.kill(child, signal.SIGKILL)
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                return status
            if pid == 0:
                break


def main(grace_s: float, command: list[str]) -> int:
    # Blocked and waited for, never handled: there is no moment at which a signal is lost or comes too early.
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status = _wait(_start(command), grace_s)
    _end_everybody()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
