"""`kovra actors`: the wallets' and rails' actors of each cell, as their hosts tell."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cells.spec import CellSpec, home_path
from router.cli.console import err, print_json
from router.cli.provisioning import all_cells
from router.cli.tables import Listing, show_table

_TIMEOUT_S = 5.0
_COLUMNS = ("name", "kind", "state", "host", "pid", "hosts", "depth", "last_batch", "mean_batch", "processed")

Cell = Annotated[str | None, typer.Option("--cell", help="Only this cell, such as eu-1.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    app.command()(actors)


def actors(cell: Cell = None, json: Json = False) -> None:
    """Show where each actor is, its state and its mailbox. With its batch sizes."""
    answers = asyncio.run(ask_hosts(home_path(), cell))
    if json:
        print_json({"cells": answers})
    else:
        _table(answers)
    if any("error" in answer for answer in answers.values()):
        raise typer.Exit(1)


async def ask_hosts(home: Path, only: str | None) -> dict[str, dict[str, Any]]:
    """What the host of each cell tells of its actors, by cell; `error` where it does not answer. Raises UnknownCell."""
    specs = all_cells(home)
    if only is not None:
        specs[0].directory.cell(only)  # raises UnknownCell, naming the known ones
    chosen = [spec for spec in specs if only in (None, spec.name)]
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
        answers = await asyncio.gather(*(_ask_host(http, spec) for spec in chosen))
    return {spec.name: answer for spec, answer in zip(chosen, answers, strict=True)}


async def _ask_host(http: httpx.AsyncClient, spec: CellSpec) -> dict[str, Any]:
    listen = spec.settings.host
    try:
        answer = await http.get(f"http://{listen.host}:{listen.port}/actors")
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return {"error": f"the host does not answer ({type(error).__name__})"}
    return found


def _table(answers: dict[str, dict[str, Any]]) -> None:
    numbers = ("pid", "wallets", "mailbox", "last batch", "mean batch", "processed")
    table = Listing("cell", "actor", "kind", "state", "host", *numbers, right=numbers)
    for cell, answer in answers.items():
        if "error" in answer:
            err.print(f"[red]{cell}[/]: {answer['error']}")
        for row in answer.get("actors", []):
            told = [f"{row[name]:.1f}" if isinstance(row[name], float) else str(row[name]) for name in _COLUMNS]
            table.add_row(cell, *told)
    show_table(table, "No actor is there yet: a wallet's is made at its first use.")
