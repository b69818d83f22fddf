"""The ids of the lives that move money and have rows alone, in pages. SQL only; reads."""

from collections.abc import Mapping
from typing import Final

from cells.backends.postgres import Connection

# By the kind that their ids begin with.
_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "col": ("collections", "collection_id"),
    "bat": ("batches", "batch_id"),
    "bok": ("book_transfers", "book_id"),
}
KINDS: Final = tuple(_ROWS)


async def page(connection: Connection, region: str, kind: str, after: str, limit: int) -> list[str]:
    """The ids of that kind after that one, in order."""
    table, key = _ROWS[kind]
    rows = await connection.fetch(
        f"SELECT {key} FROM {table} WHERE compliance_region = $1 AND {key} > $2 ORDER BY {key} LIMIT $3",
        region, after, limit,
    )  # fmt: skip
    return [row[0] for row in rows]
