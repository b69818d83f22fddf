"""`kovra rails`: how the rails of each cell stand, as their actors report; and the fact sheet of each, from its profile."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.kit.money import amount_text
from cells.rails.profile import RailProfile
from cells.rails.profile_files import facts_of, rail_profiles
from cells.rails.registry import profile_of
from cells.spec import CellSpec, home_path
from residency.directory import load_directory
from router.cli.actors import Cell, Json, ask_hosts
from router.cli.console import err, out, print_json
from router.cli.provisioning import all_cells
from router.cli.tables import Listing, show_table

_CHECKED = "modulus check by {}, as it was when the API started"
_UNCHECKED = "checked by form alone, no modulus tables are installed (cells/rails/README.md)"
_NUMBERS = ("depth", "in_doubt", "unacknowledged", "last_batch")


def register(app: typer.Typer) -> None:
    app.command()(rails)


Rail = Annotated[str | None, typer.Option(help="Only this rail.")]
Sources = Annotated[bool, typer.Option("--sources", help="The facts of each scheme with their sources. Asks no cell.")]


def rails(cell: Cell = None, rail: Rail = None, sources: Sources = False, json: Json = False) -> None:
    """Show every rail's status: open, its circuit, what waits. Also what is in doubt, and how far UK account numbers are checked."""
    if rail is not None:
        profile_of(rail)
    if sources:
        _sheets(cell, rail, json)
        return
    home = home_path()
    answers = asyncio.run(ask_hosts(home, cell))
    declared = {spec.name: spec for spec in all_cells(home)}
    rows = [row for name, answer in answers.items() for row in rows_of(declared[name], answer)]
    found = [row for row in rows if rail in (None, row["rail"])]
    tables = modulus_of([declared[name] for name in answers])
    if json:
        print_json({"rails": found, "modulus": tables})
    else:
        _table(found)
        for name, path in tables.items():
            out.print(
                f"{name}: UK account numbers: {_CHECKED.format(path) if path else _UNCHECKED}",
                markup=False,
            )
    for name, answer in answers.items():
        if "error" in answer:
            err.print(f"[red]{name}[/]: {answer['error']}")
    if any("error" in answer for answer in answers.values()):
        raise typer.Exit(1)


def rows_of(spec: CellSpec, answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each rail that the cell declares; `state` is `absent` while its actor does not answer."""
    told = {
        row["details"]["rail"]: row["details"]
        for row in answer.get("actors", ())
        if row["kind"] == "rail" and row["state"] == "running"
    }
    for rail in spec.entry.rails:
        details = told.get(rail)
        if details is None:
            yield {"rail": rail, "cell": spec.name, "state": "absent"}
            continue
        yield {
            "rail": rail,
            "cell": spec.name,
            "state": "open" if details["open"] else "closed",
            "next_opening": details["next_opening"],
            "breaker": details["breaker"],
            **{name: details[name] for name in _NUMBERS},
        }


def modulus_of(specs: Sequence[CellSpec]) -> dict[str, str | None]:
    """By cell that takes UK accounts, the weight table that its settings name."""
    found = {one.name: one.settings.modulus for one in specs if "GBP" in one.entry.currencies}
    return {name: None if one is None else str(one.weights_path) for name, one in found.items()}


def _sheets(cell: str | None, rail: str | None, json: bool) -> None:
    """The profiles, of the cells that are declared here or of all."""
    names = [rail] if rail else list(rail_profiles()) if cell is None else list(load_directory().cell(cell).rails)
    sheets = {name: sheet_of(profile_of(name)) for name in names}
    if json:
        print_json({"rails": sheets})
        return
    for name, facts in sheets.items():
        out.print(f"[bold]{profile_of(name).title}[/] ({name})")
        table = Listing("fact", "value", "source")
        for one in facts:
            table.add_row(
                *map(
                    escape, (one["fact"], in_words(one["fact"], one["value"], profile_of(name).currency), one["source"])
                )
            )
        show_table(table, "The profile has no facts.")


def sheet_of(profile: RailProfile) -> list[dict[str, Any]]:
    """Each fact of a profile as its file has it: `{"fact": "text.signs", "value": …, "source": …}`; None is none."""
    return [{"fact": path, "value": _plain(value), "source": source} for path, value, source in facts_of(profile)]


def _plain(value: Any) -> Any:
    match value:
        case frozenset() | Mapping():
            return sorted(value)
        case time():
            return value.isoformat("minutes")
        case _:
            return value


def in_words(fact: str, value: Any, currency: str) -> str:
    """A fact's value in a table; an amount as money."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " ".join(value) or "nothing"
        case int() if fact.endswith("_minor"):
            return amount_text(value, currency)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _table(rows: list[dict[str, Any]]) -> None:
    numbers = [name.replace("_", " ") for name in _NUMBERS]
    table = Listing("rail", "cell", "state", "next opening", "breaker", *numbers, right=numbers)
    for row in rows:
        texts = [str(row.get(name) or "-") for name in ("rail", "cell", "state", "next_opening", "breaker")]
        table.add_row(*texts, *(str(row.get(name, "-")) for name in _NUMBERS))
    show_table(table, "No cell that answered has a rail.")
