"""What statements are given for many rows goes by declared columns, of the types that the tables have."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

import asyncpg
import pytest

import cells
from cells.backends.rows import Rows
from tests.architecture.catalogue import Catalogue, read_catalogue
from tests.architecture.tree import HOUSE, Source, keep, sources

# What is given beside columns, and goes into an expression.
_NOT_COLUMNS = {
    "limit_usage.at": "when a transfer was counted: its day and month follow",
    "webhook_deliveries.retry_in_s": "counted from the database's now",
    "webhook_deliveries.took_ms": "goes into the log of attempts",
}
# A number of a wider type goes into a column, and is refused there when it does not fit. An instant is a domain over timestamptz.
_SAME = {
    "integer": "bigint",
    "smallint": "bigint",
    "double precision": "float8",
    "instant": "timestamptz",
}
_BY_HAND = re.compile(r"unnest\s*\(\s*\$\w+::\w+\[\]\s*,|jsonb?_to_recordset\s*\(")
# The one place that does it; and drafts of the journal, which statements of several tables share.
_MAY = ("cells/backends/rows.py", "cells/journal/store.py", "cells/journal/store_lives.py")


def declared() -> dict[str, Rows]:
    """Every declaration of the cells, by where it stands."""
    modules: list[ModuleType] = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(cells.__path__, "cells.")
        if not one.name.endswith("__main__")
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Rows)
    }


def misdeclared(found: Mapping[str, Rows], catalogue: Catalogue) -> Iterator[str]:
    types = {
        f"{'' if one.schema == 'public' else one.schema + '.'}{one.table}.{one.name}": one.type
        for one in catalogue.columns
    }
    for place, rows in found.items():
        for name, kind in rows.types.items():
            column = f"{rows.table}.{name}"
            if column in _NOT_COLUMNS:
                continue
            if column not in types:
                yield f"{place}  {column} is no column"
                continue
            held = types[column].partition("(")[0]
            if _SAME.get(held, held) != _SAME.get(kind, kind):
                yield f"{place}  {column} is {types[column]}, and not {kind}"


async def test_declared_columns_have_the_types_of_the_tables(owner: asyncpg.Connection) -> None:
    found = declared()
    assert len(found) > 30
    keep(
        "The columns that a statement is given are the table's, with the table's types.",
        why="a type that differs is cast row by row, or turns an index away; a name that differs is found by the first payment.",
        mend="correct the declaration, `Rows(table, 'name name:type')`, after migrations/cell.",
        breaches=misdeclared(found, await read_catalogue(owner)),
    )


async def test_a_wrong_declaration_is_seen(owner: asyncpg.Connection) -> None:
    wrong = {
        "a": Rows("wallets", "wallet_id tenant"),
        "b": Rows("wallets", "wallet_id:bigint"),
        "c": Rows("walets", "wallet_id"),
        "d": Rows("ledger.accounts", "id:uuid code:integer timestamp:timestamptz"),
    }
    assert [one.partition("  ")[0] for one in misdeclared(wrong, await read_catalogue(owner))] == ["a", "b", "c", "d"]


def by_hand(source: Source) -> Iterator[str]:
    text = source.text
    yield from (
        f"{source.path}:{text.count(chr(10), 0, one.start()) + 1}  {one.group()}" for one in _BY_HAND.finditer(text)
    )


def test_no_statement_types_its_arrays_by_hand() -> None:
    keep(
        "Rows are given to a statement by cells/backends/rows.py.",
        why="lists of names, types and values that are kept in step by hand put a value into its neighbour's column.",
        mend="declare _ROWS = Rows(table, columns); then _ROWS.insert(…), or _ROWS.source(n) and *_ROWS.arguments(…).",
        breaches=[one for source in sources(*HOUSE) if source.path not in _MAY for one in by_hand(source)],
    )


@pytest.mark.parametrize(
    "text",
    [
        '"select * from jsonb_to_recordset($2::jsonb) as n (a text)"',
        '"select * from unnest($2::text[], $3::bigint[])"',
        '"""\nfrom unnest(\n  $1::uuid[],\n $2::text[])"""',
    ],
)
def test_arrays_typed_by_hand_are_seen(text: str) -> None:
    assert list(by_hand(Source("cells/x.py", f"x = {text}\n")))


def test_one_array_alone_is_no_row() -> None:
    assert not list(by_hand(Source("cells/x.py", 'x = "select one from unnest($2::text[]) as one"\n')))
