"""Rows of lives, to be held against their streams. SQL only; reads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.journal.life import Life


class Kept(NamedTuple):
    """A life's row, and the transaction that it says wrote its last entry."""

    row: Any
    recorded_in: int


async def rows(connection: Connection, region: str, life: Life[Any], wanted: Sequence[str]) -> Read[Kept]:
    """The rows by id; one that cannot be read is named, and spoils no other."""

    def kept(found: Record) -> Kept:
        values = dict(found)
        written_by = values.pop("written_by")
        return Kept(life.of_row(values), int(written_by))

    return await fetch_apart(
        connection, kept, life.key,
        f"select {', '.join(life.columns)}, recorded_in::text as written_by from {life.table}"
        f" where compliance_region = $1 and {life.key} = any ($2::text[])",
        region, list(wanted),
    )  # fmt: skip


async def ids(connection: Connection, region: str, life: Life[Any], after: str, limit: int) -> list[str]:
    """The ids of rows after that one, in order."""
    found = await connection.fetch(
        f"select {life.key} from {life.table} where compliance_region = $1 and {life.key} > $2 order by {life.key} limit $3",
        region, after, limit,
    )  # fmt: skip
    return [row[0] for row in found]


async def count(connection: Connection, region: str, life: Life[Any]) -> int:
    found: int = await connection.fetchval(f"select count(*) from {life.table} where compliance_region = $1", region)
    return found
