"""What the command line prints: help of every command at 80 columns, rows that never break an amount or an id, and no escape sequence where
none is wanted."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.core import TyperGroup
from typer.testing import CliRunner

from cells.kit.money import AMOUNT_MAX_MINOR, amount_text
from cells.tenants.tenant import mint_tenant
from infra.local.record import PartStatus, Phase, StackStatus
from infra.local.supervisor import State
from residency.directory import load_directory
from residency.ids import mint
from router.cli import console
from router.cli.main import COMMANDS, build, whole
from router.cli.panel import show_panel
from router.cli.sandbox import Sandbox
from router.cli.tables import Facts, Listing, folded, show_table
from tests.architecture.tree import keep, sources

WIDTH = 80
LONG = "Perusahaan Perseroan (Persero) PT Perkebunan Nusantara III Internasional Sejahtera Abadi Tbk"
LARGE = amount_text(AMOUNT_MAX_MINOR, "IDR")


def paths() -> Iterator[tuple[str, ...]]:
    def below(words: tuple[str, ...], command: object) -> Iterator[tuple[str, ...]]:
        yield words
        if isinstance(command, TyperGroup):
            for name, one in command.commands.items():
                yield from below((*words, name), one)

    for name in COMMANDS:
        yield from below((name,), whole(name))


@pytest.mark.parametrize("words", sorted(paths()), ids=" ".join)
def test_the_help_of_every_command_fits_eighty_columns(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(build(), [*words, "--help"], env={"COLUMNS": str(WIDTH)})
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if re.search(r"[a-z:,]… *│$", line)] == [], "a word is cut"
    assert "\x1b" not in shown.output
    assert not [line for line in lines if line.startswith("│") and not line.endswith("│")], "a box that is cut"


def rendered(what: object, width: int = WIDTH) -> list[str]:
    screen = Console(width=width, highlight=False)
    with screen.capture() as captured:
        screen.print(what)
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [50, 60, 80, 132])
def test_rows_with_long_names_and_large_amounts_break_neither_amounts_nor_ids(width: int) -> None:
    transfer = mint("tr", "id-1")
    table = Listing("payment", "partner", "amount", "reason", right=["amount"])
    for _ in range(2):
        table.add_row(
            transfer, LONG, LARGE, f"The limit is {LARGE} per day; {LARGE} would still fit, and {LARGE} was asked for."
        )
    for shown in (rendered(table, width), rendered(Facts([("partner", LONG), ("why", f"of {LARGE} " * 5)]), width)):
        assert max(map(len, shown)) <= width
        text = "\n".join(shown)
        assert text.count("IDR") == text.count(LARGE)
    assert sum(transfer in line for line in rendered(table, width)) == 2


def test_what_fits_is_a_table_and_a_pipe_always_gets_one() -> None:
    table = Listing("payment", "amount", right=["amount"])
    table.add_row("tr_1", "40.00 EUR")
    assert rendered(table) == ["payment     amount", "tr_1     40.00 EUR"]
    table.add_row("tr_2" * 30, LARGE)
    assert len(rendered(table)) > 3
    assert len(rendered(table, console._PIPE_WIDTH)) == 3


def test_columns_of_one_name_are_all_shown_in_a_block() -> None:
    table = Listing("", "")
    table.add_row("a" * 30, "b" * 30)
    assert [line.strip() for line in rendered(table, 40)] == ["a" * 30, "b" * 30]


def test_an_amount_is_no_place_to_break_a_line() -> None:
    assert folded("Only 40.00 EUR is left", 12) == ["Only", "40.00 EUR is", "left"]
    assert folded("", 12) == [""]


def test_an_empty_list_is_said_in_a_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(Listing("payment"), "No payment was found.")
    assert capsys.readouterr() == ("", "No payment was found.\n")


def on_a_terminal(home: Path, *words: str, **environment: str) -> str:
    """All that a command writes on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "FORCE_COLOR", "COLUMNS")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "router.cli.main", *words],
        stdin=theirs, stdout=theirs, stderr=theirs, env=kept | {"KOVRA_HOME": str(home)} | environment,
    )  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 1 << 16):
            text += part
    except OSError:
        pass  # the terminal is gone with its last writer
    process.wait()
    os.close(ours)
    return text.decode()


_TRIED = (
    ("--help",),
    ("limits", "--help"),
    ("actors",),
    ("fees", "explain", "1000.00", "EUR", "IDR"),
    ("pay",),
    ("status",),
)


def test_a_terminal_has_colours(tmp_path: Path) -> None:
    assert "\x1b[" in on_a_terminal(tmp_path, "actors", TERM="xterm-256color")


@pytest.mark.parametrize(
    "plain", [{"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"]
)
@pytest.mark.parametrize("words", _TRIED, ids=" ".join)
def test_a_terminal_that_wants_plain_text_gets_it(
    tmp_path: Path, words: tuple[str, ...], plain: dict[str, str]
) -> None:
    shown = on_a_terminal(tmp_path, *words, **plain)
    assert shown.strip()
    assert "\x1b" not in shown


def test_every_console_and_every_bar_is_the_house_s() -> None:
    breaches = [
        f"{one.path}:{number}  {line.strip()}"
        for one in sources("router/cli")
        for number, line in enumerate(one.text.splitlines(), 1)
        if (" Console(" in line and "SchemeConsole" not in line and not one.path.endswith("console.py"))
    ]
    bars = [
        one.path
        for one in sources("router/cli")
        if "Progress(" in one.text and "disable=not animated()" not in one.text
    ]
    keep(
        "A console is made by router.cli.console.console, and what moves asks animated().",
        why="There NO_COLOR, pipes and dumb terminals are obeyed.",
        mend="Use out, err, or console(); give a Progress disable=not animated().",
        breaches=[*breaches, *bars],
    )


@pytest.mark.parametrize(
    ("detached", "stops"), [(True, "kovra down` stops everything"), (False, "Ctrl-C stops everything")]
)
def test_what_runs_in_the_background_is_not_said_to_stop_by_ctrl_c(
    capsys: pytest.CaptureFixture[str], *, detached: bool, stops: str
) -> None:
    part = PartStatus(
        "eu-1",
        "api",
        State.READY,
        pid=1,
        port=2,
        uptime_s=1.0,
        ready_after_s=1.0,
        restarts=0,
        memory_bytes=1,
        detail="",
        log="",
    )
    status = StackStatus(Phase.RUNNING, 1, "", "http://127.0.0.1:1", {}, {"eu-1": "embedded"}, [], [part])
    tenant = mint_tenant("Sandbox Partner", load_directory().cell("eu-1"), tier="sandbox")
    show_panel(status, Sandbox(tenant, "kv_sandbox_x", {"EUR": "wal_1", "IDR": "wal_2"}, {}), detached=detached)
    shown = capsys.readouterr().out
    assert stops in shown
    assert ("Ctrl-C" in shown) is not detached
