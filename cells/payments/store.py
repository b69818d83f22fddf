"""Legs of payments as rows: how they are found. They are written with their entries (cells/journal/store_lives.py); nothing commits here."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from cells.backends.postgres import Connection, Read
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth
from cells.payments.machine import FINAL
from cells.payments.stream import TRANSFER
from cells.payments.transfer import Transfer

COLUMNS = ", ".join(TRANSFER.columns)
_AT_REST = [str(state) for state in FINAL]


async def begin(connection: Connection, region: str, legs: Sequence[tuple[Transfer, Author]], kind: str) -> None:
    """New legs, each with who made it."""
    await store_lives.begin(connection, region, TRANSFER, [Birth(leg, kind, author) for leg, author in legs])


async def load(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, locked for this transaction; taken in one order, so that two batches cannot deadlock."""
    return await store_lives.load(connection, region, TRANSFER, transfer_ids)


async def read(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, as they are, without a lock."""
    return await store_lives.read(connection, region, TRANSFER, transfer_ids)


async def due_for_export(
    connection: Connection, region: str, limit: int, aside: Collection[str] = (), only: Collection[str] | None = None
) -> Read[Transfer]:
    """Legs that wait for the exporter, oldest first, locked; those that somebody else holds are left for the next round. `only`: none
    but these."""
    return await store_lives.apart(
        connection, region, TRANSFER,
        "export_due is not null and transfer_id <> all ($3::text[]) and ($4::text[] is null or transfer_id = any ($4))"
        " order by transfer_id limit $2 for update skip locked",
        limit, list(aside), None if only is None else list(only),
    )  # fmt: skip


async def ids_due_for_export(connection: Connection, region: str, limit: int, aside: Collection[str]) -> list[str]:
    """The ids alone of what due_for_export finds, whoever holds them."""
    rows = await connection.fetch(
        "select transfer_id from transfers where compliance_region = $1 and export_due is not null"
        " and transfer_id <> all ($3::text[]) order by transfer_id limit $2",
        region, limit, list(aside),
    )  # fmt: skip
    return [row["transfer_id"] for row in rows]


async def moving(
    connection: Connection, region: str, *, older_than: timedelta, after: str, limit: int, aside: Collection[str] = ()
) -> Read[Transfer]:
    """Legs not at rest that nothing has touched for a while, by id: what the sweep takes up."""
    return await store_lives.apart(
        connection, region, TRANSFER,
        """
        state <> all ($2::text[]) and updated_at < now() - $3::interval and transfer_id > $4
          and transfer_id <> all ($6::text[])
        order by transfer_id limit $5
        """,
        _AT_REST, older_than, after, limit, list(aside),
    )  # fmt: skip


async def metadata_of(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """What partners wrote themselves of their payments, by id; it never changes."""
    if not transfer_ids:
        return {}
    rows = await connection.fetch(
        "select transfer_id, metadata from transfers where compliance_region = $1 and transfer_id = any ($2::text[])",
        region, list(transfer_ids),
    )  # fmt: skip
    return {row["transfer_id"]: row["metadata"] for row in rows}


async def under_review(connection: Connection, region: str, limit: int) -> list[Transfer]:
    """Legs that officers have to look at, or that are frozen, oldest first."""
    return await store_lives.fetch(
        connection, region, TRANSFER, "state in ('IN_REVIEW', 'BLOCKED') order by transfer_id limit $2", limit
    )


async def transaction_time(connection: Connection) -> datetime:
    """The database's now(): the one instant of this transaction."""
    at: datetime = await connection.fetchval("select now()")
    return at


async def wake(connection: Connection, channel: str) -> None:
    """Tell whoever listens on `channel`, once this transaction commits."""
    await connection.execute("select pg_notify($1, '')", channel)


transfer_of = TRANSFER.of_row
