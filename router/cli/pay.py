"""`kovra pay FILE.csv`: every line of a file paid, each to its own outcome."""

import asyncio
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cells.batches.columns import COLUMNS, METADATA, METADATA_ABOUT
from cells.kit.csv_text import write_rows
from cells.spec import home_path
from infra.local.home import Home
from infra.local.record import read_status
from residency.errors import KovraError
from residency.wire import Money
from router.cli.console import animated, err, out, print_json
from router.cli.funding import fund
from router.cli.parties import Parties
from router.cli.paying import Outcome, Paying, Result
from router.cli.payments_file import BadLine, FileInvalid, Payment, read_payments
from router.cli.sandbox import read_sandbox
from router.cli.tables import Listing, show_table
from router.client import KovraClient

_STYLES = {"paid": "green", "not paid": "yellow", "refused": "red", "under way": "cyan", "unknown": "magenta"}
# Typer folds lines into paragraphs, but for a block that starts with this mark.
_VERBATIM = "\b\n"
_COLUMN_WIDTH, _HELP_WIDTH = 26, 78


def _column(name: str, about: str) -> str:
    """A column and what it holds, folded under itself where a narrow terminal would fold it under the names."""
    return textwrap.fill(f"{name:{_COLUMN_WIDTH}}{about}", _HELP_WIDTH, subsequent_indent=" " * _COLUMN_WIDTH)


COLUMNS_HELP = _VERBATIM + "\n".join(
    _column(name, about) for name, about in (*COLUMNS.items(), (f"{METADATA}<key>", METADATA_ABOUT))
)
_HELP = f"""Pay every line of a CSV file, and show the outcome of each.

A line that cannot be paid is refused with its number and reason, and stops no other. Running the same file again pays nothing
twice: what was paid is found again, what was refused is tried again. (A file under another name is another file; --run says
that it is the same one, or under one name a new one.) Without --url and --key it pays from the sandbox tenant of the stack on this machine.

Exit status: 0 every line is paid, 1 some are not.

Columns, the same as of `kovra batch submit`:

{COLUMNS_HELP}"""

File = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        readable=True,
        help="The payments, as CSV: commas, in UTF-8, its first line the names of the columns.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the outcomes as CSV.", dir_okay=False)]
Url = Annotated[str | None, typer.Option("--url", envvar="KOVRA_URL", help="The API's address.")]
Key = Annotated[str | None, typer.Option("--key", envvar="KOVRA_API_KEY", help="The API key.", show_envvar=True)]
AtOnce = Annotated[int, typer.Option("--at-once", min=1, max=64, help="How many lines are paid at the same time.")]
Wait = Annotated[float, typer.Option("--wait", min=0.0, help="Seconds to wait for the end of each payment.")]
Run = Annotated[
    str | None,
    typer.Option(
        "--run", help="The run's name, which makes a repeated line find its first payment; the file's name by default."
    ),
]
Fund = Annotated[
    bool,
    typer.Option(
        "--fund", help="In the sandbox: deposit what the wallets lack for lines that can be paid, and pay them."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class NoStack(KovraError):
    code = "no-stack"
    title = "There is nothing to pay through"


class NotUnderstood(KovraError):
    code = "not-understood"
    title = "What answers at that address is not Kovra's API, or another version of it"


@dataclass(frozen=True)
class _Order:
    """What was asked for."""

    lines: Sequence[Payment | BadLine]
    name: str
    url: str
    key: str
    at_once: int
    wait_s: float
    fund: bool


def register(app: typer.Typer) -> None:
    app.command(help=_HELP)(pay)


def pay(
    file: File,
    *,
    out_file: Out = None,
    url: Url = None,
    key: Key = None,
    at_once: AtOnce = 8,
    wait: Wait = 60.0,
    run: Run = None,
    fund_first: Fund = False,
    json: Json = False,
) -> None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise FileInvalid(f"{file} cannot be read: {error.strerror}.") from error
    lines = read_payments(content)
    url, key = reach(url, key)
    if out_file is not None:
        _open(out_file, "a").close()
    order = _Order(lines, run or file.name, url, key, at_once, wait, fund_first)
    done: list[Outcome] = []
    try:
        outcomes = asyncio.run(_pay(order, done))
    except ValidationError as error:
        raise NotUnderstood from error
    except KeyboardInterrupt:
        # What is known by now is worth keeping.
        _finish(sorted(done, key=lambda one: one.line), out_file, json=json)
        err.print("Interrupted; run the same file again, nothing is paid twice.")
        raise
    _finish(outcomes, out_file, json=json)
    if any(one.result != "paid" for one in outcomes):
        raise typer.Exit(1)


async def regions_of(client: KovraClient) -> dict[str, str]:
    """The region of each currency. Raises NotUnderstood where something else than the API answers; ProblemError, Unreachable."""
    try:
        return {code: one.region for one in await client.regions.list() for code in one.currencies}
    except (ValidationError, KeyError, TypeError) as error:
        raise NotUnderstood from error


async def _pay(order: _Order, done: list[Outcome]) -> list[Outcome]:
    columns = (TextColumn("Paying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with KovraClient(order.url, order.key) as client:
        regions = await regions_of(client)
        paying = Paying(client, Parties(client, order.name, regions), wait_s=order.wait_s)
        with Progress(*columns, console=err, transient=True, disable=not animated()) as progress:
            task = progress.add_task("", total=len(order.lines))

            def note(outcome: Outcome) -> None:
                if not (order.fund and outcome.line in paying.short and not funded):
                    done.append(outcome)
                    progress.advance(task)

            funded = False
            outcomes = await paying.run(order.lines, at_once=order.at_once, report=note)
            if order.fund and paying.short:
                unpaid = [one for one in order.lines if one.line in paying.short]
                _tell_funding(await fund(client, paying.lacked(), regions))
                funded = True
                again = {one.line: one for one in await paying.run(unpaid, at_once=order.at_once, report=note)}
                outcomes = [again.get(one.line, one) for one in outcomes]
            return outcomes


def _tell_funding(sent: Mapping[str, Decimal | KovraError]) -> None:
    done = [f"{amount:f} {currency}" for currency, amount in sent.items() if isinstance(amount, Decimal)]
    if done:
        err.print(f"Deposited {', '.join(done)}.")
    for currency, error in sent.items():
        if isinstance(error, KovraError):
            err.print(f"{currency} could not be deposited: {error.detail}", markup=False)


def reach(url: str | None, key: str | None) -> tuple[str, str]:
    """Address and key: as given, else those of the stack on this machine. Raises NoStack."""
    home = home_path()
    try:
        if url is None:
            url = read_status(Home(home)).router_url
        if key is None and (sandbox := read_sandbox(home)) is not None:
            key = sandbox.key
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoStack(
            f"What is written down in {home} about the stack cannot be read; name it with --url and --key."
        ) from error
    if not url or not key:
        raise NoStack("No stack was started from here (`kovra run` does); or name one with --url and --key.")
    return url, key


def _finish(outcomes: Sequence[Outcome], out_file: Path | None, *, json: bool) -> None:
    counts = Counter(one.result for one in outcomes)
    if json:
        print_json({"summary": counts, "lines": [_as_json(one) for one in outcomes]})
    else:
        _show(outcomes, counts)
    if out_file is not None:
        with _open(out_file, "w") as file:
            file.write(write_rows([field.name for field in fields(Outcome)], map(_as_row, outcomes)))
        err.print(f"The outcomes are in {out_file}.", markup=False)


def _as_json(one: Outcome) -> dict[str, Any]:
    sums = {
        name: None if found is None else found.model_dump()
        for name, found in (("source", one.source), ("target", one.target))
    }
    return asdict(one) | sums


def _as_row(one: Outcome) -> list[Any]:
    return [
        _text(value) if isinstance(value, Money) else value
        for value in (getattr(one, each.name) for each in fields(one))
    ]


def _text(amount: Money | None) -> str:
    return "" if amount is None else str(amount)


def _show(outcomes: Sequence[Outcome], counts: Mapping[Result, int]) -> None:
    table = Listing(
        "line", "reference", "result", "status", "leaves", "arrives", "reason", right=("line", "leaves", "arrives")
    )
    for one in outcomes:
        result = f"[{_STYLES[one.result]}]{one.result}[/]"
        reason = " ".join(part for part in (one.code, one.reason) if part)
        # A file's text is no markup of ours.
        table.add_row(
            str(one.line),
            escape(one.reference),
            result,
            one.status,
            _text(one.source),
            _text(one.target),
            escape(reason),
        )
    show_table(table, "The file has no line.")
    out.print(", ".join(f"{count} {result}" for result, count in counts.items()))


def _open(path: Path, mode: str) -> IO[str]:
    try:
        return path.open(mode, newline="", encoding="utf-8")
    except OSError as error:
        raise FileInvalid(f"The outcomes cannot be written to {path}: {error.strerror}.") from error
