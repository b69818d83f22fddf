"""`kovra reconcile`: L1 to L11 over running cells. A table for people, JSON for machines, exit status 1 when one is violated.

It runs on a machine that reaches the cells of the home folder: all of them, or those named. With one cell alone, what takes two
records is shown as not checked.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cells.reconciliation.reconcile import reconcile as reconcile_cells
from cells.reconciliation.report import Report, Result, Status
from cells.spec import CellSpec, home_path, load_spec
from residency.directory import load_directory
from router.cli.console import out, print_json
from router.cli.tables import Listing

_POLL_S = 0.5
# A person reads the first few; --json has them all.
_FINDINGS_SHOWN = 20
_SHOWN = {
    Status.HELD: "[green]held[/]",
    Status.IN_FLIGHT: "[cyan]holds, in flight[/]",
    Status.VIOLATED: "[bold red]VIOLATED[/]",
    Status.NOT_CHECKED: "[yellow]not checked[/]",
}


def register(app: typer.Typer) -> None:
    app.command()(reconcile)


def reconcile(
    cell: Annotated[list[str] | None, typer.Option(help="Only this cell; repeat it for several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait at most for payments in progress to end.")] = 0.0,
) -> None:
    """Check the ledger's invariants over the running cells. Exit status 1 when one of L1 to L11 is violated."""
    names = cell or list(load_directory(home_path()).cells)
    report = asyncio.run(settled([load_spec(name) for name in names], wait))
    if as_json:
        print_json(report.to_json())
    else:
        out.print(render(report))
    raise typer.Exit(0 if report.ok else 1)


async def settled(specs: Sequence[CellSpec], wait_s: float = 0.0) -> Report:
    """The first report in which nothing moves, or the last one within `wait_s`."""
    until = time.monotonic() + wait_s
    while True:
        report = await reconcile_cells(specs)
        if (report.ok and report.at_rest) or time.monotonic() + _POLL_S > until:
            return report
        await asyncio.sleep(_POLL_S)


def render(report: Report) -> RenderableType:
    """The report as a table, and below it what was found."""
    table = Listing("", "invariant", "result", "in flight, and notes")
    for one in report.results:
        remarks = "\n".join(escape(remark) for remark in _remarks(one))
        table.add_row(one.invariant, escape(one.title), _SHOWN[one.status], remarks)
    findings = report.findings
    lines: list[RenderableType] = [
        Text.assemble((f"{one.invariant} ", "bold red"), str(one)) for one in findings[:_FINDINGS_SHOWN]
    ]
    if len(findings) > _FINDINGS_SHOWN:
        lines.append(Text(f"… and {len(findings) - _FINDINGS_SHOWN} more: see --json"))
    return Group(f"[bold]Reconciliation of {', '.join(report.cells)}[/]", "", table, *lines)


def _remarks(result: Result) -> list[str]:
    moving = [f"{what}: {count}" for what, count in result.moving.items() if result.status is not Status.VIOLATED]
    return [*moving, *result.notes]
