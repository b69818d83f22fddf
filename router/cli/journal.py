"""`kovra journal`: what the cells of the home folder have on record: one stream, entries as they were committed, and whether all rows follow.

Nothing here changes anything, and nothing about a person is in an entry.
"""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from rich.progress import Progress
from rich.text import Text

from cells.journal import store
from cells.journal.entry import Entry, Position, born_of
from cells.kit.money import money
from cells.reconciliation.refold import LIVES, Folded, refold
from cells.spec import CellSpec, home_path, load_spec
from residency.directory import load_directory
from residency.errors import KovraError
from router.cli.choices import one_of
from router.cli.console import animated, err, out, print_json
from router.cli.provisioning import chosen_cells
from router.cli.record import reading

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Cell = Annotated[str, typer.Option("--cell", help="Only this cell, such as eu-1.")]
_WIDTH = 80
_Found = TypeVar("_Found")
_FINDINGS_SHOWN = 20


class NoStream(KovraError):
    code = "stream-not-found"
    status = 404
    title = "No cell has entries of that id"


class NoPosition(KovraError):
    code = "position-invalid"
    status = 422
    title = "This is no position in the journal"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The journal: show, read, rebuild.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("show")(show)
    group.command("read")(read)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="journal")


def show(
    stream: Annotated[
        str,
        typer.Argument(
            help="The id of a payment, credit, return, resolution, recall, sub-wallet or batch, such as tr_eu1_06a1b2…."
        ),
    ],
    cell: Cell = "",
    as_json: Json = False,
) -> None:
    """Show every journal entry of one payment, in each cell."""
    born_of(stream)
    answers, unreached = asyncio.run(_of_each(cell, partial(_stream, stream)))
    found = {name: several for name, several in answers.items() if several}
    if not found:
        away = f" Not reached: {', '.join(unreached)}." if unreached else ""
        raise NoStream(f"No cell that answered has entries of {stream}.{away}")
    if as_json:
        cells = {name: [entry_json(one) for one in several] for name, several in found.items()}
        print_json({"stream": stream, "cells": cells, "unreached": unreached})
        return
    for name, several in found.items():
        out.print(Text(f"{stream} in {name}, {len(several)} entries", style="bold"), soft_wrap=True)
        for one in several:
            print_entry(one)
    _name_unreached(unreached)


def read(
    cell: Annotated[str, typer.Option("--cell", help="Whose journal, such as eu-1.")],
    after: Annotated[str, typer.Option(help="The position of the page before; the beginning by default.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries at most.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the next entries of a cell in commit order, and the position of the next page.

    No entry is ever added before a position that was shown.
    """
    [spec] = chosen_cells(home_path(), cell)
    found = asyncio.run(_following(spec, _position(after), limit))
    position = _text(found[-1][0]) if found else after
    if as_json:
        print_json({"cell": spec.name, "entries": [entry_json(one) for _, one in found], "position": position})
        return
    for _, one in found:
        out.print(Text(one.stream, style="bold"), soft_wrap=True)
        print_entry(one)
    err.print(
        f"{len(found)} entries; read on with --after {position!r}" if found else "Nothing new.",
        markup=False,
        soft_wrap=True,
    )


def rebuild(
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare, and change nothing.")] = False,
    cell: Cell = "",
    as_json: Json = False,
) -> None:
    """Fold every stream of the journal again and compare it with its row. Exit status 1 when one differs, or a cell
    does not answer.

    Only --check exists: rows are written with their entries, never from them.
    """
    if not check:
        raise typer.BadParameter(
            "Only --check exists: rows are never rewritten out of the journal.", param_hint="--check"
        )
    with Progress(console=err, transient=True, disable=not animated()) as bar:
        found, unreached = asyncio.run(_of_each(cell, partial(_refolded, bar)))
    if as_json:
        print_json({"cells": {name: _differences(one) for name, one in found.items()}, "unreached": unreached})
    else:
        for name, one in found.items():
            word = f"{len(one.findings)} differences" if one.findings else "every row follows"
            out.print(f"{name}: {one.streams} streams, {one.entries} entries: {word}", markup=False, soft_wrap=True)
            for each in one.findings[:_FINDINGS_SHOWN]:
                out.print(f"  {each}", markup=False, soft_wrap=True)
            if len(one.findings) > _FINDINGS_SHOWN:
                out.print(f"  … and {len(one.findings) - _FINDINGS_SHOWN} more: see --json", markup=False)
        _name_unreached(unreached)
    if unreached or any(one.findings for one in found.values()):
        raise typer.Exit(1)


def _differences(folded: Folded) -> dict[str, Any]:
    found = [
        {"stream": one.subject, "what": one.what, "expected": one.expected, "found": one.found}
        for one in folded.findings
    ]
    return {"streams": folded.streams, "entries": folded.entries, "differences": found}


def _name_unreached(unreached: Mapping[str, str]) -> None:
    for name, code in unreached.items():
        err.print(f"{name} did not answer: {code}", markup=False)


def print_entry(entry: Entry) -> None:
    """One entry, within 80 columns."""
    at = f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    out.print(f"{entry.version:>4}  {at}  {entry.event}  by {entry.by}", markup=False, soft_wrap=True)
    facts = ", ".join(f"{name} {_said(value)}" for name, value in _shown(entry).items())
    lines = textwrap.wrap(facts, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    if entry.request_id:
        lines.append(f"      asked by {entry.request_id}")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _shown(entry: Entry) -> dict[str, Any]:
    """Facts as people and partners read amounts; on record they are minor units."""
    facts, life = entry.facts, LIVES.get(entry.kind.split(".")[0])
    currency_of = {} if life is None else life.money
    shown: dict[str, Any] = {}
    for name, value in facts.items():
        if value is None or name not in currency_of:
            shown[name] = value
        elif currency_of[name] in facts:
            shown[name] = money(value, facts[currency_of[name]])
        else:
            # The first entry has the currency.
            shown[f"{name.removesuffix('_minor')}_minor"] = value
    return shown


def _said(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"value", "currency"}:
        return f"{value['value']} {value['currency']}"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def entry_json(entry: Entry) -> Mapping[str, Any]:
    """One entry as JSON has it, amounts as the API writes them."""
    return {
        "stream": entry.stream, "version": entry.version, "kind": entry.kind, "tenant_id": entry.tenant_id, "actor": entry.actor,
        "request_id": entry.request_id, "at": entry.at, "facts": _shown(entry),
    }  # fmt: skip


def _text(position: Position) -> str:
    return f"{position.recorded_in}:{position.stream}:{position.version}"


def _position(text: str) -> Position | None:
    """Raises NoPosition."""
    if not text:
        return None
    parts = text.split(":")
    if len(parts) != 3 or not (parts[0].isascii() and parts[0].isdigit() and parts[2].isascii() and parts[2].isdigit()):
        _no_position(text)
    try:
        born_of(parts[1])
    except KovraError:
        _no_position(text)
    recorded_in, version = int(parts[0]), int(parts[2])
    if recorded_in >= 1 << 63 or version >= 1 << 31:
        _no_position(text)
    return Position(recorded_in, parts[1], version)


def _no_position(text: str) -> NoReturn:
    raise NoPosition(f"{text[:80]!r} was not shown by `kovra journal read`.")


async def _of_each(cell: str, ask: Callable[[CellSpec], Awaitable[_Found]]) -> tuple[dict[str, _Found], dict[str, str]]:
    """What each cell answers, or the one that is named; and by cell why it did not. One that is away stops no other. Raises UnknownChoice."""
    home = home_path()
    cells = load_directory(home).cells
    if cell:
        one_of(cell, cells, "cell")
    names = [cell] if cell else list(cells)
    found: dict[str, _Found] = {}
    unreached: dict[str, str] = {}
    for name in names:
        try:
            found[name] = await ask(load_spec(name, home))
        except KovraError as error:
            unreached[name] = error.code
    return found, unreached


async def _stream(stream: str, spec: CellSpec) -> list[Entry]:
    async with reading(spec) as connection:
        return (await store.read(connection, spec.region, [stream])).get(stream, [])


async def _following(spec: CellSpec, after: Position | None, limit: int) -> list[tuple[Position, Entry]]:
    async with reading(spec) as connection:
        return await store.read_on(connection, spec.region, after, limit)


async def _refolded(bar: Progress, spec: CellSpec) -> Folded:
    async with reading(spec) as connection:
        task = bar.add_task(spec.name, total=await store.count(connection, spec.region))
        return await refold(connection, spec.name, spec.region, partial(bar.advance, task))
