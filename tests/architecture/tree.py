"""The tree as data for the rules of the house, and the one way to say that a rule is broken: what, why, and how to mend it."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("residency", "cells", "actors", "router", "infra", "migrations")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, and its syntax."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> int:
        return self.text.count("\n")

    def at(self, node: ast.expr | ast.stmt, what: str) -> str:
        """A breach as people read it: where, and what stands there."""
        return f"{self.path}:{node.lineno}  {what}"

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


def sources(*folders: str) -> list[Source]:
    """Every Python file below these top folders, by path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(str(path.relative_to(ROOT)), path.read_text()) for path in paths]


def keep(rule: str, *, why: str, mend: str, breaches: Iterable[str]) -> None:
    """Fail if there is any breach, with the reason of the rule and what to do."""
    found = sorted(breaches)
    if found:
        where = "\n".join(f"    {one}" for one in found)
        pytest.fail(f"{rule}\n  Why:     {why}\n  To mend: {mend}\n  Where:\n{where}", pytrace=False)
