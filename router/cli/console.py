"""Where words go: results to stdout, everything about how it goes to stderr.

Words come from files, partners and schemes too. None of them may steer the terminal: control characters are left out of all that a person
reads (ECMA-48: C0 but the ends of lines and tabs, DEL, C1), and so are the marks that turn the direction of writing around (UAX #9).
"""

import os
import re
import sys
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.text import Text

from residency.errors import KovraError

# A pipe has no width to fit into, but for one that is asked for (COLUMNS): what is cut off there is lost.
_PIPE_WIDTH: Final = 10_000
# https://no-color.org; a dumb terminal shows escapes as they are.
PLAIN: Final = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Plain(Console):
    """Every text that is printed, and every cell of a table, passes here before it is styled."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(_STEERING.sub("", text), **how)


def console(*, stderr: bool = False) -> Console:
    """A console of the house: no escape sequence where NO_COLOR, a pipe or a dumb terminal asks for plain text."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _PIPE_WIDTH
    return _Plain(stderr=stderr, highlight=False, width=width, color_system=None if PLAIN else "auto")


out = console()
err = console(stderr=True)


def animated() -> bool:
    """Whether something may move on stderr: a bar, a spinner."""
    return err.is_terminal and not PLAIN


def print_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else. Characters that could steer a terminal are written as escapes."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    typer.echo("\n".join(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n")))


def print_plain(text: str) -> None:
    """A line to be copied: never wrapped, never styled."""
    out.print(text, markup=False, soft_wrap=True)


def told(error: KovraError) -> None:
    """An expected failure, in words."""
    err.print(f"[bold red]{error.title}[/]", end="")
    if error.detail != error.title:
        err.print(f": {error.detail}", markup=False, soft_wrap=True, end="")
    err.print()
