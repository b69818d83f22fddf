"""Many rows for one statement: they travel as one JSON document, with the columns' types declared once, and bytes beside it as arrays.

tests/architecture/test_rows.py holds every declaration against the migrated tables, and sees to it that no statement spells rows out by hand.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cells.backends.postgres import Connection, Record

_TYPES = {
    str: "text",
    int: "bigint",
    bool: "boolean",
    bytes: "bytea",
    float: "float8",
    datetime: "timestamptz",
    date: "date",
}


class Rows:
    """Columns of `table`, as a statement is given them for many rows.

    `columns` names them, `text` but for those written `name:type`, and a row is then a tuple in that order; or it is the class of the rows,
    whose fields are the columns, `only` some of them where it says so. Raises KeyError for a type that no column has.
    """

    def __init__(self, table: str, columns: str | type, only: Sequence[str] = ()) -> None:
        self.table = table
        if isinstance(columns, str):
            self.types = {name: kind or "text" for name, _, kind in (one.partition(":") for one in columns.split())}
            self._read = None
        else:
            hints = get_type_hints(columns)
            self.types = {name: _type_of(hints[name]) for name in only or hints}
            self._read = attrgetter(*self.types)
        self._bytes = [name for name, kind in self.types.items() if kind == "bytea"]
        # JSON has no number of 128 bits: it goes as text.
        self._wide = [name for name, kind in self.types.items() if kind == "numeric"]
        # Quoted: a column may be called as a word of SQL is.
        columns_of_document = {f'"{name}"': kind for name, kind in self.types.items() if kind != "bytea"}
        self.names = ", ".join((*columns_of_document, *(f'"{name}"' for name in self._bytes)))
        self._typed = ", ".join(f"{name} {kind}" for name, kind in columns_of_document.items())
        self._inserts: dict[tuple[str, ...], str] = {}

    def source(self, first: int, alias: str = "new", *, place: bool = False) -> str:
        """The rows as an item of `from`, a set by the columns' names; with `place`, each has its number there too. They are the arguments
        from number `first` on, so they come last."""
        arrays = "".join(f", unnest(${number}::bytea[])" for number, _ in enumerate(self._bytes, first + 1))
        document = f"rows from (jsonb_to_recordset(${first}::jsonb) as ({self._typed}){arrays})"
        return f"{document} {'with ordinality ' * place}as {alias} ({self.names}{', place' * place})"

    def arguments(self, rows: Iterable[Any]) -> Sequence[Any]:
        """The rows as arguments of a statement. Raises ValueError for one that is too long or too short."""
        documents = [dict(zip(self.types, row, strict=True)) for row in (map(self._read, rows) if self._read else rows)]
        for name in self._wide:
            for one in documents:
                one[name] = None if one[name] is None else str(one[name])
        return [documents, *([one.pop(name) for one in documents] for name in self._bytes)]

    async def insert(self, connection: Connection, rows: Sequence[Any], then: str = "", **fixed: Any) -> list[Record]:
        """Insert the rows in one statement. `fixed`: columns that are the same in all of them; `then`: what follows, such as `on conflict
        do nothing`. What it returns, if `then` says so.
        """
        if not rows:
            return []
        key = (then, *fixed)
        if key not in self._inserts:
            values = "".join(f"${number}, " for number in range(1, len(fixed) + 1))
            self._inserts[key] = (
                f"insert into {self.table} ({', '.join((*fixed, self.names))}) "
                f"select {values}new.* from {self.source(len(fixed) + 1)} {then}"
            )
        found: list[Record] = await connection.fetch(self._inserts[key], *fixed.values(), *self.arguments(rows))
        return found


def _type_of(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        [hint] = [one for one in get_args(hint) if one is not NoneType]
    if get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return "text"
    return _TYPES[hint]
