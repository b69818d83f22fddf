"""Wrapped data keys, in whichever table they lie: moved from an old key of the region to its current one.

A table that holds wrapped keys says so once, as a WrappedTable beside its store; the vault's keeper goes through all of them. None of
it commits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.backends.vault import SubjectRef, Vault, WrappedKey


@dataclass(frozen=True, slots=True)
class WrappedTable:
    """Where one table keeps wrapped keys. `kid` and `wrapped` name its columns; `identity` the columns that find a row, with their types
    in SQL; `subject` tells whose key a row holds, from `subject_columns`. Constants of the code, never input.
    """

    table: str
    identity: Mapping[str, str]
    kid: str
    wrapped: str
    subject_columns: tuple[str, ...]
    subject: Callable[[Record], SubjectRef]


@dataclass(frozen=True, slots=True)
class WrappedRow:
    """One key under an older key of the region. `identity`: of its row."""

    name: str
    subject: SubjectRef
    key: WrappedKey
    identity: tuple[object, ...]


async def rows_to_rewrap(
    connection: Connection, vault: Vault, held: WrappedTable, aside: Collection[str] = (), limit: int = 1_000
) -> list[WrappedRow]:
    """Keys of one table that lie under another key of the region than its current one. `aside`: names of those to leave out."""
    columns = ", ".join(dict.fromkeys((*held.identity, held.kid, held.wrapped, *held.subject_columns)))
    name = " || ':' || ".join(f"{column}::text" for column in held.identity)
    rows = await connection.fetch(
        f"""
        select '{held.table}:' || {name} as row_name, {columns} from {held.table}
        where compliance_region = $1 and {held.kid} <> $2 and {held.wrapped} is not null and '{held.table}:' || {name} <> all ($4::text[])
        limit $3 for update skip locked
        """,
        vault.region, vault.current_kid, limit, list(aside),
    )  # fmt: skip
    return [
        WrappedRow(
            row["row_name"], held.subject(row), WrappedKey(row[held.kid], row[held.wrapped]),
            tuple(row[column] for column in held.identity),
        )
        for row in rows
    ]  # fmt: skip


async def rewrap(connection: Connection, vault: Vault, held: WrappedTable, rows: Sequence[WrappedRow]) -> int:
    """Move these keys to the region's current key; how many. One that has been moved or destroyed since it was read stays so.

    Raises VaultUnreadable, naming the subject, when a key is not here or a record was altered.
    """
    if not rows:
        return 0
    moved = vault.rewrap([(row.subject, row.key) for row in rows])
    identity = " ".join(f"{column}:{kind}" for column, kind in held.identity.items())
    given = Rows(held.table, f"new_wrapped:bytea new_kid old_wrapped:bytea {identity}")
    same = " and ".join(f"t.{column} = u.{column}" for column in held.identity)
    await connection.execute(
        f"""
        update {held.table} t set {held.wrapped} = u.new_wrapped, {held.kid} = u.new_kid from {given.source(2, "u")}
        where t.compliance_region = $1 and {same} and t.{held.wrapped} = u.old_wrapped
        """,
        vault.region,
        *given.arguments(
            (new.wrapped, new.kid, row.key.wrapped, *row.identity) for new, row in zip(moved, rows, strict=True)
        ),
    )
    return len(rows)
