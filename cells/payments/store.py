"""Legs of payments as rows: how they are found. They are written with their entries (store_stream.py); nothing commits here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.payments.machine import FINAL, Leg, State
from cells.payments.transfer import Transfer

COLUMNS = ", ".join(field.name for field in fields(Transfer))
_AT_REST = [str(state) for state in FINAL]


async def load(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, locked for this transaction; taken in one order, so that two batches cannot deadlock."""
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and transfer_id = any ($2::text[])"
        " order by transfer_id for update",
        region, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: transfer_of(row) for row in rows}


async def read(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, as they are, without a lock."""
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and transfer_id = any ($2::text[])",
        region, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: transfer_of(row) for row in rows}


async def due_for_export(
    connection: Connection, region: str, limit: int, aside: Collection[str] = (), only: Collection[str] | None = None
) -> Read[Transfer]:
    """Legs that wait for the exporter, oldest first, locked; those that somebody else holds are left for the next round. `only`: none
    but these."""
    return await fetch_apart(
        connection, transfer_of, "transfer_id",
        f"select {COLUMNS} from transfers where compliance_region = $1 and export_due is not null"
        " and transfer_id <> all ($3::text[]) and ($4::text[] is null or transfer_id = any ($4))"
        " order by transfer_id limit $2 for update skip locked",
        region, limit, list(aside), None if only is None else list(only),
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
    return await fetch_apart(
        connection, transfer_of, "transfer_id",
        f"""
        select {COLUMNS} from transfers
        where compliance_region = $1 and state <> all ($2::text[]) and updated_at < now() - $3::interval and transfer_id > $4
          and transfer_id <> all ($6::text[])
        order by transfer_id limit $5
        """,
        region, _AT_REST, older_than, after, limit, list(aside),
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
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and state in ('IN_REVIEW', 'BLOCKED')"
        " order by transfer_id limit $2",
        region, limit,
    )  # fmt: skip
    return [transfer_of(row) for row in rows]


async def transaction_time(connection: Connection) -> datetime:
    """The database's now(): the one instant of this transaction."""
    at: datetime = await connection.fetchval("select now()")
    return at


async def wake(connection: Connection, channel: str) -> None:
    """Tell whoever listens on `channel`, once this transaction commits."""
    await connection.execute("select pg_notify($1, '')", channel)


def transfer_of(row: Record | Mapping[str, Any]) -> Transfer:
    """A row of COLUMNS."""
    whole = {
        **row,
        "leg": Leg(row["leg"]),
        "state": State(row["state"]),
        "review_reasons": tuple(row["review_reasons"]),
    }
    return Transfer(**whole)
