"""What comes from a file, a partner or a scheme is read on a terminal, and steers none."""

import io
from typing import Any

import pytest
from rich.table import Table

from router.cli import console

STEERING = ("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08", "\x7f", "\u202e", "\u2066")


def printed(what: Any, **how: Any) -> str:
    text = io.StringIO()
    shown = console._Plain(file=text, force_terminal=True, no_color=True, width=200, highlight=False)
    shown.print(what, **how)
    return text.getvalue()


@pytest.mark.parametrize("sign", STEERING)
def test_no_text_from_outside_steers_a_terminal(sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", f"column {sign}")
    table.add_row(f"Budi{sign} Santoso", "10.00")
    for shown in (printed(f"Budi{sign} Santoso"), printed(f"Budi{sign} Santoso", markup=False), printed(table)):
        assert "Budi" in shown
        assert sign not in shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    console.print_json({"name": f"Budi{sign}", "lines": "a\nb"})
    told = capsys.readouterr().out
    assert sign not in told
    assert '"a\\nb"' in told


def test_ends_of_lines_tabs_and_letters_stay() -> None:
    assert printed("Größe 李\n\t€") == "Größe 李\n        €\n"
