"""Bring one cell's database to the current shape, and attach its own region's partitions: forward only, safe to repeat.

`python -m migrations.apply --cell eu-1 --region EU --dsn postgresql://…` with the owner's credentials. The runner is pogo-migrate
(plain SQL files, each in its own transaction, applied ones remembered in the database).
"""

import argparse
import asyncio
import logging
from pathlib import Path

import asyncpg
from pogo_core.util import migrate

from residency import log

FILES = Path(__file__).resolve().parent / "cell"
ROLES = ("kovra_api", "kovra_writer", "kovra_ledger")
# Any constant will do: it only keeps two runs on one database apart.
_LOCK = 0x6B6F767261


async def create_database(admin_dsn: str, database: str, passwords: dict[str, str]) -> None:
    """With a superuser's DSN: make sure the cell's roles and its database exist. `passwords` by role, `kovra_owner` included."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        for role in ("kovra_owner", *ROLES):
            exists = await connection.fetchval("select 1 from pg_roles where rolname = $1", role)
            verb = "alter" if exists else "create"
            literal = await connection.fetchval("select quote_literal($1::text)", passwords[role])
            await connection.execute(f"{verb} role {role} login nobypassrls password {literal}")
        if not await connection.fetchval("select 1 from pg_database where datname = $1", database):
            await connection.execute(f'create database "{database}" owner kovra_owner')
    finally:
        await connection.close()


async def apply(owner_dsn: str, region: str) -> None:
    """With kovra_owner's DSN: run what has not run yet, then attach `region`. Raises if the database holds another region."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await migrate.apply(connection, FILES, schema_name="public", logger=logging.getLogger(__name__))
        await connection.execute("call attach_region($1)", region)
    finally:
        await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Migrate one cell's database.")
    parser.add_argument("--region", required=True, help="the jurisdiction whose partitions this database holds")
    parser.add_argument("--dsn", required=True, help="connection string of the role kovra_owner")
    arguments = parser.parse_args()
    log.configure("migrations")
    asyncio.run(apply(arguments.dsn, arguments.region))


if __name__ == "__main__":
    main()
