"""`kovra rails`: how the rails of each cell stand, as their actors tell."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from cells.spec import CellSpec, home_path
from router.cli.actors import Cell, Json, ask_hosts
from router.cli.console import err, out, print_json
from router.cli.provisioning import all_cells
from router.cli.tables import Listing, show_table

_CHECKED = "modulus check by {}, as it was when the API started"
_UNCHECKED = "checked by form alone, no modulus tables are installed (cells/rails/README.md)"
_NUMBERS = ("depth", "in_doubt", "unacknowledged", "last_batch")


def register(app: typer.Typer) -> None:
    app.command()(rails)


def rails(cell: Cell = None, json: Json = False) -> None:
    """Show how every rail stands: open, its circuit, what waits. Also what is in doubt, and how far UK account numbers are checked."""
    home = home_path()
    answers = asyncio.run(ask_hosts(home, cell))
    declared = {spec.name: spec for spec in all_cells(home)}
    found = [row for name, answer in answers.items() for row in rows_of(declared[name], answer)]
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


def _table(rows: list[dict[str, Any]]) -> None:
    numbers = [name.replace("_", " ") for name in _NUMBERS]
    table = Listing("rail", "cell", "state", "next opening", "breaker", *numbers, right=numbers)
    for row in rows:
        texts = [str(row.get(name) or "-") for name in ("rail", "cell", "state", "next_opening", "breaker")]
        table.add_row(*texts, *(str(row.get(name, "-")) for name in _NUMBERS))
    show_table(table, "No cell that answered has a rail.")
