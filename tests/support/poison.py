"""Rows that nobody can read, put on record past every door, as they could be before the doors and the tables were bounded."""

import asyncpg

from tests.support.servers import CellDatabase

# An instant in the year 10000 of UTC: Postgres holds it, Python does not.
UNREADABLE = "9999-12-31T23:59:59-01:00"


async def spoil(database: CellDatabase, *statements: str) -> None:
    """Change rows by the superuser's hand, with the bound on instants taken off."""
    connection = await asyncpg.connect(database.superuser)
    try:
        await connection.execute("alter domain instant drop constraint if exists instant_check")
        for statement in statements:
            found = await connection.execute(statement)
            assert found.split()[-1] != "0", f"nothing was changed by {statement}"
    finally:
        await connection.close()
