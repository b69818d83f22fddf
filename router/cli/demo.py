"""`kovra demo`: a whole stack on fresh ports and fresh data, a partner on it, and every promise checked before it is all gone again.

Exit status 0 only if every claim held, no process was left and no data; else 1, with what did not hold.
"""

import asyncio
import signal
import time
from statistics import median
from typing import Annotated

import typer

from infra.local.record import StackStatus
from residency.errors import KovraError
from router.cli.console import out, told
from router.cli.demo_proofs import claim_disks
from router.cli.demo_scenario import play
from router.cli.demo_stack import DemoStack
from router.cli.demo_story import Payment, Story
from router.cli.progress import Starting
from router.cli.reconcile import render
from router.cli.sandbox import ensure_sandbox
from router.cli.stack import show_parts
from router.cli.tables import Listing
from router.cli.trace_shown import show

_INTERRUPTED = 130

Keep = Annotated[bool, typer.Option("--keep", help="Leave the data afterwards, and print its folder.")]


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(keep: Keep = False) -> None:
    """Show one payment across the border, and prove it. On a stack of its own, which is removed afterwards."""
    began, story = time.perf_counter(), Story()
    try:
        broke_off = asyncio.run(_whole(story, keep=keep))
    except asyncio.CancelledError:
        out.print("Interrupted; everything is stopped again.")
        raise typer.Exit(_INTERRUPTED) from None
    held, seconds = len(story.claims) - len(story.broken), time.perf_counter() - began
    story.scene(f"{held} of {len(story.claims)} claims held, {seconds:.0f} s")
    for claim in story.broken:
        claim.show()
    if broke_off is not None:
        told(broke_off)
    if broke_off is not None or story.broken or not story.claims:
        raise typer.Exit(1)


async def _whole(story: Story, *, keep: bool) -> KovraError | None:
    """From nothing to nothing. Answers what broke it off, None when it came to its end."""
    _end_on(signal.SIGTERM, signal.SIGHUP)
    stack, broke_off = DemoStack(), None
    try:
        story.scene(f"Starting three cells, the router and the schemes in {stack.home.root}")
        with Starting(stack.home) as starting:
            status = await stack.up(starting)
        out.print(f"  all {len(status.parts)} parts are ready after {stack.startup_s:.1f} s")
        for cell, engine in status.ledgers.items():
            out.print(f"  the ledger of {cell} is {engine}", markup=False)
        sandbox = await ensure_sandbox(stack.home.root)
        await play(stack.home.root, status.router_url, sandbox.key, story)
        show_all(story, await stack.status())
    except KovraError as error:
        broke_off = error
    finally:
        # Also when interrupted: what was started is ended, and what was written is removed.
        await _end(story, stack, keep=keep)
    return broke_off


def show_all(story: Story, status: StackStatus) -> None:
    """A play that came to its end: the payment across the border as `kovra trace` shows it, all payments, the invariants, the stack."""
    assert story.journey is not None, "a play that ended has a journey"
    assert story.report is not None, "a play that ended has been reconciled"
    story.scene(f"kovra trace {story.journey.transfer_id} --verify-customs")
    show(story.journey)
    story.scene("All payments")
    _payments(story.payments)
    story.scene("kovra reconcile")
    out.print(render(story.report))
    story.scene("kovra status")
    show_parts(status)


def _payments(payments: list[Payment]) -> None:
    table = Listing("payment", "left the wallet", "arrived", "ended", "ms", right=["left the wallet", "arrived", "ms"])
    for one in payments:
        done = one.transfer
        ended = f"{done.status} {done.reason_code or ''}".strip()
        table.add_row(one.title, str(done.source), str(done.target) if done.paid else "", ended, f"{one.total_ms:,.0f}")
    out.print(table)
    warm = [one for one in payments if "warm" in one.title]
    accepted, reported = (
        median(times) for times in zip(*((one.answered_ms, one.total_ms) for one in warm), strict=True)
    )
    out.print(
        f"ms: until the partner had the webhook; of the {len(warm)} warm payments the median is {reported:,.0f} ms, accepted after {accepted:,.0f} ms"
    )


async def _end(story: Story, stack: DemoStack, *, keep: bool) -> None:
    story.scene("Afterwards")
    await stack.down()
    left = await stack.left_running()
    story.claim("no process is left", not left, ", ".join(map(str, left)) or f"{stack.ran} have ended")
    if story.journey is not None:
        await asyncio.to_thread(claim_disks, story, stack.home)
    if keep:
        out.print(f"  the data stays: KOVRA_HOME={stack.home.root} kovra up", soft_wrap=True)
        return
    remains = await stack.remove()
    story.claim("no data is left", not remains, ", ".join(map(str, remains)))


def _end_on(*signals: signal.Signals) -> None:
    """A request to end does the same as Ctrl-C: everything is stopped and removed first."""
    task = asyncio.current_task()
    assert task is not None
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
