"""The demo on paper: the journey of a payment, the books, the customs logs, the invariants. Prints, decides nothing."""

from collections.abc import Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cells.kit.money import amount_text
from cells.reconciliation.report import Report, Status
from infra.local.record import PartStatus, StackStatus
from router.cli.console import console
from router.cli.demo_books import Balance, Customs, Moment
from router.cli.demo_rooms import Stay
from router.cli.demo_story import Claim, Journey, Payment, Snapshot, Story

_PLAIN_WIDTH = 132
_BAR_WIDTH = 24
_AMOUNT_WIDTH = 18


def console_for_people() -> Console:
    """A console that looks right on a terminal, in a pipe and in a CI log."""
    made = console()
    if not made.is_terminal:
        # Nobody's window is 80 wide when there is no window; and a rule across a pipe needs an end.
        made.width = _PLAIN_WIDTH
    return made


def say_claim(console: Console, claim: Claim) -> None:
    mark = Text("ok  ", "green") if claim.held else Text("NO  ", "bold red")
    console.print(Text("  ").append_text(mark).append(claim.what).append(f"  {claim.seen}", "dim"), soft_wrap=True)


def say_heading(console: Console, text: str) -> None:
    console.print()
    console.rule(Text(text, "bold"), align="left")


def tell(console: Console, story: Story, journey: Journey) -> None:
    """The payment across the border, in full."""
    quote = journey.quote
    say_heading(console, f"The journey of {journey.payment.transfer.id}")
    console.print(
        f"  {quote.source} leaves the wallet: principal {quote.principal}, margin {quote.margin.amount} "
        f"({quote.margin.bps} bps), fee {quote.fee}.\n"
        f"  {quote.target} arrives, at 1 {quote.source.currency} = {quote.rate} {quote.target.currency} "
        f"({quote.rate_source} of {quote.rate_as_of}, {quote.rate_age_days} banking days ago).",
        soft_wrap=True,
    )
    console.print(_timeline(journey.timeline))
    console.print(_rooms(journey, story.warm))
    for cell in sorted(journey.before):
        changed = _changed(journey.before, journey.after, cell)
        if changed:
            console.print(_accounts(cell, changed))
    for log in journey.customs:
        _customs(console, log)


def _timeline(moments: Sequence[Moment]) -> Table:
    table = Table(title="Timeline of both legs", title_justify="left", box=SIMPLE_HEAD)
    for name in ("time (UTC)", "cell", "room", "event", "state"):
        table.add_column(name)
    for one in moments:
        table.add_row(f"{one.at:%H:%M:%S.%f}"[:-3], one.cell, one.room, one.event, one.state)
    return table


def _rooms(journey: Journey, again: Sequence[Sequence[Stay]]) -> Table:
    table = Table(title="Time spent in each room", title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("room", "in all")
    table.add_column("what was done there")
    table.add_column("ms", f"{sum(stay.ms for stay in journey.stays):,.1f}", justify="right")
    table.add_column("")
    table.add_column("warm P50 ms" if again else "", f"{_median_total(again):,.1f}" if again else "", justify="right")
    longest = max(stay.ms for stay in journey.stays)
    for place, stay in enumerate(journey.stays):
        warm = f"{median(run[place].ms for run in again):,.1f}" if again else ""
        table.add_row(stay.room, stay.what, f"{stay.ms:,.1f}", "#" * round(_BAR_WIDTH * stay.ms / longest), warm)
    return table


def _median_total(again: Sequence[Sequence[Stay]]) -> float:
    return median(sum(stay.ms for stay in run) for run in again)


def _accounts(cell: str, changed: Sequence[tuple[Balance, Balance]]) -> Group:
    title = Text(f"Accounts of {cell} that the payment touched", "italic")
    return Group(title, Columns([_t_account(*pair) for pair in changed], padding=(0, 3)), "")


def _t_account(before: Balance, after: Balance) -> Table:
    """One account as bookkeepers draw it: debits on the left, credits on the right."""
    table = Table(title=after.name, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("Dr", justify="right", no_wrap=True, min_width=_AMOUNT_WIDTH)
    table.add_column("Cr", justify="right", no_wrap=True, min_width=_AMOUNT_WIDTH)
    rows = (
        ("before", before.debits, before.credits),
        ("moved", after.debits - before.debits, after.credits - before.credits),
        ("after", after.debits, after.credits),
    )
    for name, debits, credits_ in rows:
        table.add_row(name, amount_text(debits, after.currency), amount_text(credits_, after.currency))
    return table


def _changed(before: Snapshot, after: Snapshot, cell: str) -> list[tuple[Balance, Balance]]:
    """Accounts of `cell` whose posted totals differ, each with both; in the order of currency and name."""
    found = []
    for number, now in after[cell].items():
        then = before[cell].get(number, Balance(now.name, now.currency, 0, 0, 0, 0))
        if (then.debits, then.credits) != (now.debits, now.credits):
            found.append((then, now))
    return sorted(found, key=lambda pair: (pair[1].currency, pair[1].name))


def _customs(console: Console, log: Customs) -> None:
    verdict = "chain verified" if log.broken is None else f"CHAIN BROKEN at entry {log.broken.sequence}"
    title = f"Customs log of {log.cell}: {verdict} over all {log.length} entries"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in (
        "entry",
        "direction",
        "way",
        "kind",
        "seq",
        "sealed fields that crossed",
        "envelope SHA-256",
        "entry hash",
    ):
        table.add_column(name)
    for entry in log.entries:
        crossing = entry.crossing
        table.add_row(
            str(entry.position),
            crossing.direction,
            f"{crossing.from_cell} > {crossing.to_cell}",
            crossing.kind,
            str(crossing.sequence),
            ", ".join(crossing.crossed_fields) or "-",
            crossing.envelope_sha256.hex()[:16],
            entry.entry_hash.hex()[:16],
        )
    console.print(table)


def tell_payments(console: Console, payments: Sequence[Payment]) -> None:
    say_heading(console, "All payments")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("payment", "left the wallet", "arrived", "rail", "ended"):
        table.add_column(name, no_wrap=True)
    for name in ("accepted ms", "told ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in payments:
        done = one.transfer
        table.add_row(
            one.title,
            str(done.source),
            str(done.target) if done.paid else "-",
            done.rail,
            f"{done.status} {done.reason_code or ''}".strip(),
            f"{one.answered_ms:,.0f}",
            f"{one.total_ms:,.0f}",
        )
    console.print(table)


def tell_invariants(console: Console, report: Report) -> None:
    say_heading(console, f"Reconciliation of {', '.join(report.cells)}")
    for one in report.results:
        held = one.status is Status.HELD
        mark = Text("ok  ", "green") if held else Text("NO  ", "bold red")
        line = Text("  ").append_text(mark).append(f"{one.invariant:<4}{one.title}")
        console.print(line if held else line.append(f"  {one.status}", "red"), soft_wrap=True)
        for finding in one.findings:
            console.print(f"        {finding}", style="red", soft_wrap=True)


def tell_stack(console: Console, status: StackStatus) -> None:
    """What each part took to become ready, and how much memory it holds."""
    say_heading(console, "The stack")
    cells = list(dict.fromkeys(part.cell for part in status.parts))
    table = Table(
        title="Memory in MB (proportional), and seconds to ready",
        title_justify="left",
        box=SIMPLE_HEAD,
        show_footer=True,
    )
    table.add_column("part", "in all")
    for cell in cells:
        table.add_column(
            cell, f"{sum(_megabytes(part) for part in status.parts if part.cell == cell):,.0f} MB", justify="right"
        )
    for name in dict.fromkeys(part.name for part in status.parts):
        found = {part.cell: part for part in status.parts if part.name == name}
        table.add_row(name, *(_part(found[cell]) if cell in found else "" for cell in cells))
    console.print(table)


def _part(part: PartStatus) -> str:
    return f"{_megabytes(part):,.0f} MB  {part.ready_after_s or 0:4.1f} s"


def _megabytes(part: PartStatus) -> float:
    return part.memory_bytes / 1e6
