"""Where words go: results to stdout, everything about how it goes to stderr."""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from residency.errors import KovraError

# A pipe has no width to fit into: what is cut off there is lost.
_PIPE_WIDTH = 250

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_plain(text: str) -> None:
    """A line to be copied: never wrapped, never styled."""
    out.print(text, markup=False, soft_wrap=True)


def listing(*columns: str, right: Sequence[str] = ()) -> Table:
    """A table without lines; columns in `right` are numbers. What is too long is folded, never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def told(error: KovraError) -> None:
    """An expected failure, in words."""
    err.print(f"[bold red]{error.title}[/]", end="")
    if error.detail != error.title:
        err.print(f": {error.detail}", markup=False, soft_wrap=True, end="")
    err.print()
