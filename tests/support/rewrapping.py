"""A page of wrapped keys moved in one go, as the vault's keeper does it."""

from cells.backends.postgres import Connection
from cells.backends.store_wrapped import WrappedTable, rewrap, rows_to_rewrap
from cells.backends.vault import Vault


async def rewrap_batch(connection: Connection, vault: Vault, held: WrappedTable, limit: int = 1_000) -> int:
    return await rewrap(connection, vault, held, await rows_to_rewrap(connection, vault, held, limit=limit))
