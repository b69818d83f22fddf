"""`kovra up`, `run`, `down`, `status`, `clean`: the stack on this machine."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from infra.local.record import Phase, StackStatus
from infra.local.stack import NotRunning, Stack
from infra.local.supervisor import State
from residency import tasks
from residency.errors import KovraError
from router.cli.console import err, out, print_json
from router.cli.panel import show_panel
from router.cli.preflight import preflight
from router.cli.progress import Starting
from router.cli.sandbox import ensure_sandbox
from router.cli.tables import Listing

NOT_RUNNING = 3
_STYLES = {State.READY: "green", State.STARTING: "cyan", State.WAITING: "cyan", State.STOPPED: "dim"}

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="In the background, until `kovra down`.")]

WebhookPorts = Annotated[
    list[int],
    typer.Option(
        "--webhook-port", metavar="PORT", min=1, max=65_535, default_factory=list, show_default=False,
        help="A port of this machine that webhooks may go to. Repeat it for others.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(run)
    app.command()(down)
    app.command()(status)
    app.command()(clean)


def up(webhook_port: WebhookPorts, detach: Detach = False, json: Json = False) -> None:
    """Start the same, and return when it is ready with --detach. Without it, the same as `kovra run`."""
    preflight()
    stack = Stack(webhook_ports=webhook_port)
    if not detach:
        asyncio.run(_in_foreground(stack, json=json))
        return

    async def start() -> None:
        with Starting(stack.home) as starting:
            status = await stack.up_detached(starting)
        await _show(stack, status, json=json, detached=True)

    asyncio.run(start())


def run(webhook_port: WebhookPorts, json: Json = False) -> None:
    """Start every cell, the router and the simulated schemes, until Ctrl-C stops them. The data stays."""
    preflight()
    asyncio.run(_in_foreground(Stack(webhook_ports=webhook_port), json=json))


async def _in_foreground(stack: Stack, *, json: bool) -> None:
    showing: list[asyncio.Task[None]] = []
    with Starting(stack.home) as starting:

        def ready(status: StackStatus) -> None:
            starting.done()
            showing.append(tasks.start(_show_or_say(stack, status, json=json), "what the stack shows"))

        await stack.run(starting, ready)
    for task in showing:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    err.print("Stopped; the data stays." if showing else "Interrupted; everything is stopped again.")


async def _show_or_say(stack: Stack, status: StackStatus, *, json: bool) -> None:
    """The stack goes on running when only the sandbox could not be shown; the reason is told at once."""
    try:
        await _show(stack, status, json=json)
    except KovraError as error:
        err.print(f"The stack runs, but its sandbox tenant is not ready: {error.detail}")


async def _show(stack: Stack, status: StackStatus, *, json: bool, detached: bool = False) -> None:
    sandbox = await ensure_sandbox(stack.home.root)
    if json:
        print_json({**status.as_json(), "sandbox": sandbox.as_json()})
    else:
        show_panel(status, sandbox, detached=detached)


def down() -> None:
    """Stop everything that runs from this checkout."""
    try:
        asyncio.run(Stack().down())
    except NotRunning as error:
        err.print(f"{error.title}.")
        raise typer.Exit(NOT_RUNNING) from None
    err.print("Stopped; the data stays.")


def status(json: Json = False) -> None:
    """Show every part of every cell with its health. Exit status: 0 all ready, 1 something is not, 3 nothing runs."""
    found = asyncio.run(Stack().status())
    if json:
        print_json(found.as_json())
    else:
        show_parts(found)
    if found.phase in (Phase.STOPPED, Phase.FAILED):
        raise typer.Exit(NOT_RUNNING)
    if not found.ready:
        raise typer.Exit(1)


def show_parts(found: StackStatus) -> None:
    """Every part on a terminal."""
    if not found.parts:
        err.print("Nothing has been started from here yet: `kovra run` does.")
        return
    numbers = ("pid", "port", "up", "ready after", "restarts", "memory")
    table = Listing("cell", "part", "state", *numbers, "", right=numbers)
    for part in found.parts:
        table.add_row(
            part.cell,
            part.name,
            f"[{_STYLES.get(part.state, 'red')}]{part.state}[/]",
            str(part.pid or ""),
            str(part.port or ""),
            _seconds(part.uptime_s),
            "" if part.ready_after_s is None else f"{part.ready_after_s:.1f} s",
            str(part.restarts or ""),
            f"{part.memory_bytes / 1e6:.0f} MB" if part.memory_bytes else "",
            escape(part.detail),
        )
    out.print(table)
    memory = sum(part.memory_bytes for part in found.parts)
    out.print(
        f"\n{found.phase}; {sum(part.healthy for part in found.parts)} of {len(found.parts)} parts ready; {memory / 1e6:.0f} MB"
    )
    if found.phase is Phase.RUNNING:
        out.print(f"router {found.router_url}")
    if found.error:
        out.print(found.error, markup=False, style="red")


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def clean() -> None:
    """Remove the data, keys and logs of this checkout's stack. It must not be running."""
    stack = Stack()
    asyncio.run(stack.clean())
    err.print(f"Removed {stack.home.root}.")
