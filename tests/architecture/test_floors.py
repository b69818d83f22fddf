"""Which room may know which: the import contracts of pyproject.toml, and who may speak to a driver or write SQL.

The contracts, and why each holds:
- Four floors. A payment goes down once; an arrow back up makes two floors one, and neither can be tested or replaced alone.
- infra and migrations beside. Where cells run and what shape their tables have must not depend on what the cells decide.
- Only the command line calls infra. A cell that starts servers cannot be run by anything but our own supervisor.
- The edge knows no person. It runs outside every jurisdiction: what it cannot import it cannot read, keep or log.
- The doors do not open into each other. Each is a process of its own, and is rolled alone.
- The partner's client knows the wire alone. It is installed at partners; what it imports they would have to install.
- ray and the drivers in one place each. What can be wrong with a server is met once, translated once, and has one twin.
- Rooms of cells in order, and none without a place. Circles between features are how a house of rooms becomes one big room.
- The core decides without touching the world. What is pure can be repeated, explored and proved; effects are carried out above it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from tests.architecture.tree import HOUSE, ROOT, Source, keep, sources

# Package → the files that may import it. A linter's contract reads only what is imported at the top of our packages; this reads all.
DRIVERS = {
    "ray": ("actors/on_ray.py",),
    "asyncpg": ("cells/backends/postgres.py", "migrations/apply.py"),
    "pogo_core": ("migrations/apply.py",),
    "nats": ("cells/backends/nats.py",),
    "redis": ("cells/backends/redis.py",),
    "tigerbeetle": ("cells/backends/tigerbeetle.py",),
}
SQL_FILES = (
    "*/store.py",
    "*/store_*.py",
    "cells/ledger/postgres*.py",
    "cells/backends/postgres.py",
    "cells/backends/rows.py",
    "migrations/*.py",
)
_SQL = re.compile(
    r"\s*(select\s+(\*|\d|\w+\(|.*\bfrom\b)|insert\s+into\s|update\s+[\w.]+\s+(as\s+\w+\s+)?set\s|delete\s+from\s|with\s+(recursive\s+)?\w+\s*(\([^)]*\)\s*)?as\s)",
    re.IGNORECASE | re.DOTALL,
)


def test_every_import_contract_holds() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    keep(
        "An import goes where no arrow of the house goes.",
        why=f"each contract's reason stands at the top of {__name__.replace('.', '/')}.py.",
        mend="move the code to the floor that owns it, or hand the thing in from above; a new room of cells needs its place in "
        "[tool.importlinter] of pyproject.toml.",
        breaches=[ended.stdout[ended.stdout.find("Broken contracts") :] + ended.stderr] if ended.returncode else [],
    )


def driver_breaches(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            package = name.partition(".")[0]
            if package in DRIVERS and source.path not in DRIVERS[package]:
                assert isinstance(node, ast.stmt)
                yield source.at(node, f"imports {name}; it belongs in {' or '.join(DRIVERS[package])}")


def test_a_driver_is_imported_in_its_own_file_alone() -> None:
    keep(
        "A driver is spoken to from one file.",
        why="its failures are translated once (an outage is never a bare driver error), it can be replaced by a twin in tests, and a "
        "trap that was met once is met in one place. Imports inside functions count.",
        mend="add what you need to that file's port and call the port.",
        breaches=[breach for source in sources(*HOUSE) for breach in driver_breaches(source)],
    )


def sql_breaches(source: Source) -> Iterator[str]:
    if any(fnmatch(source.path, pattern) for pattern in SQL_FILES):
        return
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and _SQL.match(node.value)
        ):
            yield source.at(node, f"holds SQL: {' '.join(node.value.split())[:60]!r}")


def test_sql_stands_in_stores_alone() -> None:
    keep(
        "SQL stands only in */store.py, */store_*.py and the embedded ledger engine.",
        why="whoever changes a table must find every statement that knows it; and only a store is written to work on many rows at once "
        "and to leave the commit to its caller.",
        mend="put the statement into the store of its room, as a function over a sequence, and call that.",
        breaches=[breach for source in sources(*HOUSE) for breach in sql_breaches(source)],
    )


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (driver_breaches, "def late() -> None:\n    import asyncpg.pool\n"),
        (driver_breaches, "from nats.aio.client import Client\n"),
        (sql_breaches, "x = 'select 1'\n"),
        (sql_breaches, 'x = f"""\n    with due as (select {1})"""\n'),
        (sql_breaches, "x = 'UPDATE wallets SET epoch = 1'\n"),
        (sql_breaches, "x = 'insert into wallets values (1)'\n"),
    ],
)
def test_these_rules_see_a_breach(rule, text: str) -> None:
    assert list(rule(Source("cells/wallets/handler.py", text)))


def test_words_that_begin_like_sql_are_no_sql() -> None:
    assert not list(
        sql_breaches(Source("cells/kit/x.py", "x = 'Update your key.'\ny = 'with care'\nz = 'Select a region'\n"))
    )
