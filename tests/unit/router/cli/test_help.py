"""The command's first page: quick because it imports no command, true because each line is the command's own first sentence."""

import os
import subprocess
import sys

import pytest

from router.cli.main import COMMANDS, whole

# What only a command that is called may import: each takes longer than the page may.
_HEAVY = (
    "aiohttp",
    "asyncpg",
    "cells",
    "cryptography",
    "fastapi",
    "httpx",
    "infra",
    "nats",
    "pydantic",
    "ray",
    "tigerbeetle",
    "actors",
)
_LOOK = f"""
import sys
sys.argv = ["kovra", *sys.argv[1:]]
from router.cli.main import main
try:
    main()
except SystemExit:
    pass
print([one for one in {_HEAVY!r} if one in sys.modules], file=sys.stderr)
"""


def kovra(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _LOOK, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_first_page_names_every_command_and_imports_none() -> None:
    shown = kovra("--help", COLUMNS="80")
    assert shown.stderr.strip() == "[]"
    assert all(f" {name} " in shown.stdout for name in COMMANDS)
    assert [panel for panel in ("Run", "Pay", "Look", "Operate", "Sandbox") if f"─ {panel} " not in shown.stdout] == []
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80


def test_the_version_is_told() -> None:
    assert kovra("--version").stdout.startswith("kovra ")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_is_the_first_sentence_of_the_command_s_own_help(name: str) -> None:
    text = " ".join((whole(name).help or "").split())
    line = COMMANDS[name].line
    assert text == line or text.startswith(f"{line} "), text


def test_completion_knows_the_commands_and_those_below_them() -> None:
    def completed(line: str) -> list[str]:
        words = kovra(_KOVRA_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))
        return words.stdout.split()

    assert completed("kovra re") == ["recalls", "reconcile", "review", "recall"]
    assert completed("kovra fees ") == ["list", "explain", "add", "backtest"]
