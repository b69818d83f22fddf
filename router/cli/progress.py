"""What is shown while a stack starts, runs and stops."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from infra.local.home import Home
from infra.local.record import read_status
from infra.local.supervisor import Event, State
from router.cli.console import animated, err

_TROUBLE = (State.DIED, State.UNHEALTHY)


class Starting:
    """A bar while parts come up, a line for whatever goes wrong; on a screen that is no terminal, lines only."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen: dict[str, State] = {}
        self._task: TaskID | None = None
        self._stopping = False
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} parts"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not animated(),
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]) -> None:
        self._bar.stop()

    def done(self) -> None:
        """Everything is up: from here on only lines."""
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Take note of an event of the supervisor."""
        back = event.state is State.READY and self._seen.get(event.part) in _TROUBLE
        self._seen[event.part] = event.state
        if event.state in _TROUBLE or back:
            style = "green" if back else "yellow"
            err.print(
                f"[{style}]{event.part}[/] {event.state}{f': {event.detail}' if event.detail else ''}", soft_wrap=True
            )
        elif event.state is State.STARTING and event.detail:
            err.print(f"[dim]{event.part} {event.detail}[/]", soft_wrap=True)
        elif event.state is State.STOPPED and not self._stopping:
            self._stopping = True
            err.print("Stopping…")
        elif event.state is State.READY and not err.is_terminal:
            err.print(f"{event.part} ready in {event.seconds:.1f} s")
        self._move()

    def _move(self) -> None:
        if self._task is None:
            total = len(read_status(self._home).parts)
            self._task = self._bar.add_task("Starting", total=total)
        waiting = sorted(part for part, state in self._seen.items() if state is State.STARTING)
        ready = sum(state is State.READY for state in self._seen.values())
        self._bar.update(self._task, completed=ready, description=f"Starting {waiting[0]}" if waiting else "Starting")
