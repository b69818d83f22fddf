"""Wrapped data keys, in whichever table they lie: moved from an old key of the region to its current one.

A table that holds wrapped keys says so once, as a WrappedTable beside its store; the vault's keeper goes through all of them. None of
it commits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cells.backends.postgres import Connection, Record
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


async def rewrap_batch(connection: Connection, vault: Vault, held: WrappedTable, limit: int = 1_000) -> int:
    """Move up to `limit` keys of one table to the region's current key; how many were moved (0: none is left under another one).

    Raises VaultUnreadable, naming the subject, when a key is not here or a record was altered.
    """
    current = vault.current_kid
    columns = ", ".join(dict.fromkeys((*held.identity, held.kid, held.wrapped, *held.subject_columns)))
    rows = await connection.fetch(
        f"""
        select {columns} from {held.table}
        where compliance_region = $1 and {held.kid} <> $2 and {held.wrapped} is not null
        limit $3 for update skip locked
        """,
        vault.region,
        current,
        limit,
    )
    if not rows:
        return 0
    moved = vault.rewrap([(held.subject(row), WrappedKey(row[held.kid], row[held.wrapped])) for row in rows])
    given = ", ".join(f"${number}::{sql}[]" for number, sql in enumerate(held.identity.values(), 4))
    same = " and ".join(f"t.{column} = u.{column}" for column in held.identity)
    await connection.execute(
        f"""
        update {held.table} t set {held.wrapped} = u.new_wrapped, {held.kid} = u.new_kid
        from unnest($2::bytea[], $3::text[], {given}) as u (new_wrapped, new_kid, {", ".join(held.identity)})
        where t.compliance_region = $1 and {same}
        """,
        vault.region,
        [one.wrapped for one in moved],
        [one.kid for one in moved],
        *([row[column] for row in rows] for column in held.identity),
    )
    return len(rows)
