"""Rows reach their columns, whatever they hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import asyncpg
import pytest

from cells.backends.postgres import Connection, open_pool, transaction
from cells.backends.rows import Rows
from residency.classes import Public
from tests.support.servers import CellDatabase

_COLUMNS = (
    'id text, "window" bigint, small smallint, amount numeric, words text[], note jsonb, raw bytea, number uuid, at timestamptz, '
    "day date, share float8, given boolean, region text"
)
_ROWS = Rows(
    "rows_of_a_test",
    "id window:bigint small:smallint amount:numeric words:text[] note:jsonb raw:bytea number:uuid at:timestamptz day:date share:float8"
    " given:boolean",
)
_GIVEN = Rows("rows_of_a_test", "id")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def connection(cell_database: Any) -> AsyncIterator[Connection]:
    database: CellDatabase = cell_database("EU")
    pool = await open_pool(database.owner, size_max=1, name="test")
    async with transaction(pool) as held:
        await held.execute(f"create temporary table rows_of_a_test ({_COLUMNS}) on commit drop")
        yield held
    await pool.close()


def row(name: str, **given: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "id": name, "window": 1, "small": 2, "amount": 10**38, "words": ("a", "b"), "note": {"a": [1]}, "raw": b"\x00\xff",
        "number": f"{7:032x}", "at": AT, "day": date(2026, 3, 1), "share": 0.5, "given": True,
    }  # fmt: skip
    return tuple((values | given).values())


async def test_each_kind_of_value_arrives_as_it_was(connection: Connection) -> None:
    words = ["", " ", "a,b", '"', "\\", "{}", "null", "NULL", "é", "\x1f", "\n", "'", '\\"']
    given = [
        row("plain"),
        row("words", words=words),
        row(
            "none",
            **dict.fromkeys(
                ("window", "small", "amount", "words", "note", "raw", "number", "at", "day", "share", "given")
            ),
        ),
        row("empty", words=[], note=[], raw=b""),
        row("nested", note=[[1, 2], [{"a": None}]]),
    ]
    await _ROWS.insert(connection, given, region="EU")
    found = {one["id"]: one for one in await connection.fetch("select * from rows_of_a_test")}
    assert found["plain"]["amount"] == Decimal(10**38)
    assert found["plain"]["number"].int == 7
    assert (found["plain"]["at"], found["plain"]["day"], found["plain"]["raw"]) == (AT, date(2026, 3, 1), b"\x00\xff")
    assert found["words"]["words"] == words
    assert {name for name, value in found["none"].items() if value is not None} == {"id", "region"}
    assert (found["empty"]["words"], found["empty"]["note"], found["empty"]["raw"]) == ([], [], b"")
    assert found["nested"]["note"] == [[1, 2], [{"a": None}]]
    assert {one["region"] for one in found.values()} == {"EU"}


@pytest.mark.parametrize("count", [1, 30, 128])
async def test_any_number_of_rows_is_one_statement_in_their_order(connection: Connection, count: int) -> None:
    given = [row(f"{number:03}", window=number) for number in range(count)]
    found = await _ROWS.insert(connection, given, "returning id")
    assert [one["id"] for one in found] == [f"{number:03}" for number in range(count)]
    numbered = await connection.fetch(
        f"select id, place from {_GIVEN.source(1, place=True)} order by place",
        *_GIVEN.arguments((one[0],) for one in given),
    )
    assert [tuple(one) for one in numbered] == [(f"{number:03}", number + 1) for number in range(count)]


async def test_no_rows_ask_nothing(connection: Connection) -> None:
    assert await _ROWS.insert(connection, [], "returning id") == []
    assert await connection.fetch(f"select * from {_ROWS.source(1)}", *_ROWS.arguments([])) == []


async def test_a_value_that_does_not_fit_its_column_is_refused(connection: Connection) -> None:
    for bad in (row("x", small=2**20), row("x", window="one"), row("x", raw="text"), row("x", words=["\x00"])):
        with pytest.raises((asyncpg.DataError, asyncpg.PostgresError)):
            async with connection.transaction():
                await _ROWS.insert(connection, [row("good"), bad])


async def test_a_row_that_is_too_short_moves_no_value_into_another_column(connection: Connection) -> None:
    with pytest.raises(ValueError, match="shorter"):
        await _ROWS.insert(connection, [row("good"), row("short")[:-1]])


@dataclass(frozen=True, slots=True)
class _Line:
    id: Annotated[str, Public]
    window: Annotated[int | None, Public]
    day: date | None = None
    given: bool = True
    region: Literal["EU", "UK"] = "EU"


async def test_a_dataclass_is_its_own_declaration(connection: Connection) -> None:
    lines = Rows("rows_of_a_test", _Line)
    assert lines.types == {"id": "text", "window": "bigint", "day": "date", "given": "boolean", "region": "text"}
    await lines.insert(connection, [_Line("a", 1), _Line("b", None, date(2026, 3, 1), region="UK")], words=["w"])
    found = await connection.fetch('select id, "window", day, given, region, words from rows_of_a_test order by id')
    assert [tuple(one) for one in found] == [
        ("a", 1, None, True, "EU", ["w"]),
        ("b", None, date(2026, 3, 1), True, "UK", ["w"]),
    ]


def test_a_type_that_no_column_has_is_refused_where_it_is_declared() -> None:
    @dataclass
    class Odd:
        value: complex

    with pytest.raises(KeyError):
        Rows("t", Odd)
