"""Every command of `kovra` that changes something leaves an entry on the audit trail, and nothing reaches a cell's record beside that."""

import re
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from typer.core import TyperGroup

from router.cli import deeds, record
from router.cli.main import COMMANDS, whole
from tests.architecture.tree import ROOT, Source, keep, sources

_README = ROOT / "router" / "README.md"


def commands() -> dict[str, Callable[..., Any]]:
    """Every command by the words that call it, with the function that it is."""

    def below(name: str, command: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
        if isinstance(command, TyperGroup):
            if command.invoke_without_command:
                yield name, getattr(command.callback, "__wrapped__", command.callback)
            for word, one in command.commands.items():
                yield from below(f"{name} {word}", one)
        else:
            assert command.callback is not None
            yield name, getattr(command.callback, "__wrapped__", command.callback)

    return dict(found for name in COMMANDS for found in below(name, whole(name)))


def reached(start: Callable[..., Any]) -> set[str]:
    """The functions of the command line that a function names, and those that these name: `module.function`."""
    found: set[str] = set()
    waiting: list[Any] = [start]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, FunctionType) or not one.__module__.startswith("router.cli."):
            continue
        name = f"{one.__module__.removeprefix('router.cli.')}.{one.__qualname__}"
        if name in found:
            continue
        found.add(name)
        inner = getattr(one, "__wrapped__", None)
        waiting += [inner] if inner is not None else _named(one)
    return found


def _named(function: FunctionType) -> Iterator[Any]:
    for code in _codes(function.__code__):
        modules = [
            there for name in code.co_names if isinstance(there := function.__globals__.get(name), (ModuleType, type))
        ]
        for name in code.co_names:
            yield function.__globals__.get(name)
            yield from (getattr(module, name, None) for module in modules)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


_WRITES = {"record.changing", "record.changing_of"}
# A stack that starts has a sandbox tenant, which is on the trail under system:sandbox.
_STACK = {name for name, why in deeds.OTHERS.items() if why == deeds.STACK}


def unlisted(found: dict[str, Callable[..., Any]]) -> Iterator[str]:
    for name, function in found.items():
        writes = bool(reached(function) & _WRITES)
        if writes and name not in deeds.DEEDS and name not in _STACK:
            yield f"kovra {name}  changes something, and is in no row"
        if not writes and name in deeds.DEEDS:
            yield f"kovra {name}  changes nothing, and has a row"
        if name not in deeds.DEEDS and name not in deeds.OTHERS:
            yield f"kovra {name}  is neither in DEEDS nor in OTHERS"
        if name in deeds.DEEDS and "operator.acting" not in reached(function):
            yield f"kovra {name}  changes something, and asks nobody's name"


def test_every_command_that_changes_something_is_in_the_table() -> None:
    found = commands()
    assert len(found) > 50
    keep(
        "Every command that changes a cell's record names who acts, and has its row of audit actions.",
        why="what the operator's own people did is what an auditor asks for first.",
        mend="change with router.cli.record.changing, record an action, take an Operator; add the row to router/cli/deeds.py.",
        breaches=unlisted(found),
    )
    gone = (set(deeds.DEEDS) | set(deeds.OTHERS)) - set(found)
    assert not gone, f"take what is gone out of router/cli/deeds.py: {gone}"
    assert not set(deeds.DEEDS) & set(deeds.OTHERS)


def test_a_command_in_no_row_is_seen() -> None:
    async def secretly() -> None:
        async with record.changing(None, "operator:x"):  # type: ignore[arg-type]
            pass

    secretly.__module__ = "router.cli.secretly"
    assert list(unlisted({"secretly": secretly})) == [
        "kovra secretly  changes something, and is in no row",
        "kovra secretly  is neither in DEEDS nor in OTHERS",
    ]


# What opens a way to a database.
_OPENERS = re.compile(r"\b(open_pool|open_institution|tenant_transaction|transaction|AuditWriter)\(")


def doors(found: list[Source]) -> Iterator[str]:
    for one in found:
        for number, line in enumerate(one.text.splitlines(), 1):
            if one.path != "router/cli/record.py" and _OPENERS.search(line):
                yield f"{one.path}:{number}  {line.strip()}"


def test_the_command_line_reaches_a_record_in_two_ways_only() -> None:
    keep(
        "Commands read a cell's record with `reading`, and change it with `changing`, of router.cli.record.",
        why="what opens a transaction by itself can change something that is on no trail.",
        mend="use reading, reading_of, changing or changing_of.",
        breaches=doors(sources("router/cli")),
    )


def test_every_action_is_recorded_somewhere_and_no_other() -> None:
    texts = [one.text for one in sources("router/cli", "cells/payments") if one.path != "router/cli/deeds.py"]
    missing = [
        action
        for action in deeds.ACTIONS
        if not action.startswith("review.") and not any(f'"{action}"' in text for text in texts)
    ]
    assert not missing, missing


def test_the_readme_has_the_table() -> None:
    if deeds.table() not in _README.read_text():
        pytest.fail(
            "router/README.md has another table; `python -m router.cli.deeds` writes this one:\n" + deeds.table()
        )
