"""Rows for people. A table where it fits the width, else each row as a block of lines: no id and no amount is ever cut or broken.

A pipe has no width to fit into, so there it is always a table, one line a row.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from router.cli.console import err, out

_GAP: Final = 2
# An amount is one word: the space in `40.00 EUR` is no place to break a line.
_AMOUNT = re.compile(r"(?<=[0-9]) (?=[A-Z]{3}\b)")
_NO_BREAK: Final = "\xa0"


class Listing:
    """Columns and rows; columns in `right` are numbers. A cell is markup of Rich, with lines of its own if need be; a text that another
    hand wrote is escaped by the caller."""

    def __init__(self, *columns: str, right: Sequence[str] = ()) -> None:
        self._columns = columns
        self._right = frozenset(right)
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Cells that are left out at the end are empty."""
        self._rows.append((*cells, *("" for _ in self._columns[len(cells) :])))

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [[console.render_str(cell) for cell in row] for row in self._rows]
        widths = [
            max(len(name), *(_width(row[place]) for row in rows)) if rows else len(name)
            for place, name in enumerate(self._columns)
        ]
        if sum(widths) + _GAP * (len(widths) - 1) <= options.max_width:
            yield self._table(rows)
            return
        for number, row in enumerate(rows):
            if number:
                yield Text()
            yield from _block(list(zip(self._columns, row, strict=True)), options.max_width)

    def _table(self, rows: Sequence[Sequence[Text]]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in self._columns:
            table.add_column(name, justify="right" if name in self._right else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        return table


class Facts:
    """Names with their values (markup of Rich), one below the other."""

    def __init__(self, facts: Sequence[tuple[str, str]]) -> None:
        self._facts = facts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _block([(name, console.render_str(text)) for name, text in self._facts], options.max_width)


def show_table(table: Listing, empty: str) -> None:
    """The table on stdout; without a row, the sentence `empty` on stderr."""
    if table:
        out.print(table)
    else:
        err.print(empty)


def amount_of(money: Mapping[str, str]) -> str:
    """An amount of a JSON document as text: `40.00 EUR`."""
    return f"{money['value']} {money['currency']}"


def folded(text: str, width: int) -> list[str]:
    """A text in lines of at most `width`, broken between words and never inside an amount; a word is broken only where it is wider itself."""
    words = _AMOUNT.sub(_NO_BREAK, text)
    lines = textwrap.wrap(words, max(width, 1), break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]


def _block(cells: Sequence[tuple[str, Text]], width: int) -> Iterator[Text]:
    """`name  value`, what is empty left out."""
    label = max((len(name) for name, _ in cells), default=0) + _GAP
    for name, value in cells:
        if not value.plain:
            continue
        fits = _width(value) + label <= width
        lines = (
            value.split("\n")
            if fits
            else [Text(one) for part in value.plain.split("\n") for one in folded(part, width - label)]
        )
        for number, line in enumerate(lines):
            yield Text(f"{'' if number else name:<{label}}").append_text(line)


def _width(text: Text) -> int:
    return max((line.cell_len for line in text.split("\n")), default=0)
