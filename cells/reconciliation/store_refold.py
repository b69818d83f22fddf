"""Rows of lives, to be held against their streams. SQL only; reads."""

from collections.abc import Sequence
from typing import NamedTuple

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.payments.store import COLUMNS, transfer_of
from cells.payments.transfer import Transfer


class Kept(NamedTuple):
    """A leg as its row has it, and the transaction that the row says wrote its last entry."""

    transfer: Transfer
    recorded_in: int


async def transfers(connection: Connection, region: str, ids: Sequence[str]) -> Read[Kept]:
    """The legs by id; one that cannot be read is named, and spoils no other."""
    return await fetch_apart(
        connection, _kept, "transfer_id",
        f"select {COLUMNS}, recorded_in::text as written_by from transfers"
        " where compliance_region = $1 and transfer_id = any ($2::text[])",
        region, list(ids),
    )  # fmt: skip


async def transfer_ids(connection: Connection, region: str, after: str, limit: int) -> list[str]:
    """The ids of legs after that one, in order."""
    rows = await connection.fetch(
        "select transfer_id from transfers where compliance_region = $1 and transfer_id > $2 order by transfer_id limit $3",
        region, after, limit,
    )  # fmt: skip
    return [row["transfer_id"] for row in rows]


async def transfer_count(connection: Connection, region: str) -> int:
    found: int = await connection.fetchval("select count(*) from transfers where compliance_region = $1", region)
    return found


def _kept(row: Record) -> Kept:
    values = dict(row)
    written_by = values.pop("written_by")
    return Kept(transfer_of(values), int(written_by))
