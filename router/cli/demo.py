"""`kovra demo`: a whole stack on fresh ports and fresh data, a partner on it, and every promise checked before it is all gone again.

Exit status 0 only if every claim held, no process was left and no data; else 1, with what did not hold.
"""

import asyncio
import signal
import time
from typing import Annotated

import typer
from rich.console import Console

from infra.local.record import StackStatus
from infra.local.supervisor import Event, State
from residency.errors import KovraError
from router.cli.console import told
from router.cli.demo_journey import (
    console_for_people,
    say_claim,
    say_heading,
    tell,
    tell_invariants,
    tell_payments,
    tell_stack,
)
from router.cli.demo_proofs import BYSTANDER, NEEDLES, ORIGIN
from router.cli.demo_scenario import play
from router.cli.demo_search import dresses, search_files
from router.cli.demo_stack import DemoStack
from router.cli.demo_story import Story
from router.cli.sandbox import ensure_sandbox

_INTERRUPTED = 130

Keep = Annotated[bool, typer.Option("--keep", help="Leave the data there afterwards, and say where.")]


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(keep: Keep = False) -> None:
    """Show one payment across the border, and prove it. On a stack of its own, which is gone afterwards."""
    console = console_for_people()
    began = time.perf_counter()
    story = Story(on_claim=lambda claim: say_claim(console, claim), on_scene=lambda title: say_heading(console, title))
    try:
        broke_off = asyncio.run(_whole(console, story, keep=keep))
    except asyncio.CancelledError:
        console.print("Interrupted; everything is stopped again.")
        raise typer.Exit(_INTERRUPTED) from None
    say_heading(
        console,
        f"{len(story.claims) - len(story.broken)} of {len(story.claims)} claims held, {time.perf_counter() - began:.0f} s",
    )
    for claim in story.broken:
        say_claim(console, claim)
    if broke_off is not None:
        told(broke_off)
    if broke_off is not None or story.broken or not story.claims:
        raise typer.Exit(1)


async def _whole(console: Console, story: Story, *, keep: bool) -> KovraError | None:
    """From nothing to nothing. Answers what broke it off, None when it came to its end."""
    _end_on(signal.SIGTERM, signal.SIGHUP)
    stack, broke_off = DemoStack(), None
    try:
        say_heading(console, f"Starting three cells, the router and the schemes in {stack.home.root}")
        status = await stack.up(Reporter(console))
        console.print(f"  all {len(status.parts)} parts are ready after {stack.startup_s:.1f} s", soft_wrap=True)
        _say_engines(console, status)
        sandbox = await ensure_sandbox(stack.home.root)
        await play(stack.home.root, status.router_url, sandbox.key, story)
        _tell_all(console, story, await stack.status())
    except KovraError as error:
        broke_off = error
    finally:
        # Also when interrupted: what was started is ended, and what was written is removed.
        await _end(console, story, stack, keep=keep)
    return broke_off


def _tell_all(console: Console, story: Story, status: StackStatus) -> None:
    assert story.journey is not None, "a play that ended has a journey"
    assert story.report is not None, "a play that ended has been reconciled"
    tell(console, story, story.journey)
    tell_payments(console, story.payments)
    tell_invariants(console, story.report)
    tell_stack(console, status)


async def _end(console: Console, story: Story, stack: DemoStack, *, keep: bool) -> None:
    say_heading(console, "Afterwards")
    await stack.down()
    left = await stack.left_running()
    story.claim("no process is left", not left, ", ".join(map(str, left)) or f"{stack.ran} have ended")
    if story.journey is not None:
        await _claim_disks(story, stack)
    if keep:
        console.print(f"  the data stays: KOVRA_HOME={stack.home.root} kovra up", soft_wrap=True)
        return
    remains = await stack.remove()
    story.claim("no data is left", not remains, ", ".join(map(str, remains)))


async def _claim_disks(story: Story, stack: DemoStack) -> None:
    """The servers have written everything out and closed it: now every page and log of Postgres can be searched too."""
    wanted = {label: dresses(text) for label, text in NEEDLES.items()}
    found = await asyncio.to_thread(search_files, stack.home, wanted, [ORIGIN, BYSTANDER])
    places = [place for label in NEEDLES if label.startswith("recipient") for place in found.places(label)]
    seen = f"{found.files:,} files, {found.files_bytes / 1e6:,.0f} MB, write-ahead log included"
    story.claim(
        f"nothing of the recipient is on the disks of {ORIGIN} and {BYSTANDER}, now that Postgres is closed",
        not places,
        "; ".join(places) or seen,
    )


class Reporter:
    """One line for each part that becomes ready or gets into trouble; silent while everything is being stopped."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.perf_counter()

    def __call__(self, event: Event) -> None:
        if event.state in (State.READY, State.DIED, State.UNHEALTHY):
            took = f"in {event.seconds:.1f} s" if event.state is State.READY else event.detail
            line = f"  {time.perf_counter() - self._began:5.1f} s  {event.part:<18} {event.state} {took}"
            self._console.print(
                line, style=None if event.state is State.READY else "yellow", soft_wrap=True, markup=False
            )


def _say_engines(console: Console, status: StackStatus) -> None:
    for cell, engine in status.ledgers.items():
        console.print(f"  the ledger of {cell} is {engine}", soft_wrap=True, markup=False)


def _end_on(*signals: signal.Signals) -> None:
    """Whoever asks us to end gets the same as with Ctrl-C: everything is stopped and removed first."""
    task = asyncio.current_task()
    assert task is not None
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
