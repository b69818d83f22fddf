"""What the rails brought in, as rows. Batch-first; none commits; the caller holds the writer's connection.

Invariant: a scheme reference is on record once per rail. A duplicate finds the first one's row, whatever
became of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.backends.rows import Rows

CollectionState = Literal["received", "credited", "suspended", "returned", "refused"]


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One inbound credit on record. `amount` in minor units;
    `tenant_id` and `wallet_id` are None for what was refused, and the house's own for what rests in suspense.
    `settlement_date`: as the scheme said it; `available_at`: when that day begins, None where it had begun on arrival.
    """

    collection_id: str
    tenant_id: str | None
    wallet_id: str | None
    rail: str
    scheme_reference: str
    end_to_end_id: str
    amount: int
    currency: str
    state: CollectionState
    reason_code: str | None
    debtor_subject_id: str | None
    message_sha256: bytes
    received_at: datetime
    settlement_date: date | None = None
    available_at: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        """Whether it waits for its booking alone, and not for its day."""
        return self.state == "received" and (self.available_at is None or self.available_at <= at)


_COLUMNS = ", ".join(one.name for one in fields(CollectionRow))
_ROWS = Rows("collections", CollectionRow)
_REFERENCES = Rows("collections", "rail scheme_reference")


async def receive(connection: Connection, region: str, rows: Sequence[CollectionRow]) -> list[CollectionRow]:
    """Put credits on record, and answer what the record then holds for each, in order.

    A duplicate is answered with the row that was there first, so its collection_id tells it from the new one.
    A credit that differs from it in amount or currency is the caller's to refuse.
    """
    await connection.execute(
        f"""
        insert into collections (compliance_region, {_ROWS.names}, closed_at)
        select $1, new.*, case when new.state = 'received' then null else now() end from {_ROWS.source(2)}
        on conflict (compliance_region, rail, scheme_reference) do nothing
        """,
        region,
        *_ROWS.arguments(rows),
    )
    found = await connection.fetch(
        f"""
        select {_COLUMNS} from collections
        where compliance_region = $1 and (rail, scheme_reference) in (select * from {_REFERENCES.source(2)})
        """,
        region,
        *_REFERENCES.arguments((row.rail, row.scheme_reference) for row in rows),
    )
    kept = {(row["rail"], row["scheme_reference"]): CollectionRow(**dict(row)) for row in found}
    return [kept[row.rail, row.scheme_reference] for row in rows]


async def close(
    connection: Connection,
    region: str,
    collection_ids: Sequence[str],
    state: CollectionState,
) -> set[str]:
    """Received → credited or suspended. One that is closed stays as it is; the ids closed now."""
    rows = await connection.fetch(
        """
        update collections set state = $3, closed_at = now()
        where compliance_region = $1 and collection_id = any ($2::text[]) and state = 'received'
        returning collection_id
        """,
        region,
        collection_ids,
        state,
    )
    return {row["collection_id"] for row in rows}


async def find(connection: Connection, region: str, collection_ids: Sequence[str]) -> dict[str, CollectionRow]:
    """Those among `collection_ids` that the connection's role may see, by id."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from collections
        where compliance_region = $1 and collection_id = any ($2::text[])
        """,
        region,
        collection_ids,
    )
    return {row["collection_id"]: CollectionRow(**dict(row)) for row in rows}


async def stuck(
    connection: Connection, region: str, before: datetime, limit: int, aside: Collection[str] = ()
) -> Read[CollectionRow]:
    """Credits that could have been booked before that instant and are still open, oldest first: what the sweep drives on, and how one
    that came before its settlement date is booked on it.
    """
    return await fetch_apart(
        connection,
        lambda row: CollectionRow(**row),
        "collection_id",
        f"""
        select {_COLUMNS} from collections
        where compliance_region = $1 and state = 'received' and coalesce(available_at, received_at) < $2
          and collection_id <> all ($4::text[])
        order by coalesce(available_at, received_at) limit $3
        """,
        region,
        before,
        limit,
        list(aside),
    )


async def pending(connection: Connection, region: str, wallet_ids: Sequence[str]) -> dict[str, int]:
    """What has come for each wallet and is not credited yet, in minor units; a wallet of which nothing is on its way is absent.
    Reads no more than what is open in the whole cell."""
    rows = await connection.fetch(
        "select wallet_id, sum(amount)::bigint as amount from collections"
        " where compliance_region = $1 and state = 'received' and wallet_id = any ($2::text[]) group by wallet_id",
        region, wallet_ids,
    )  # fmt: skip
    return {row["wallet_id"]: row["amount"] for row in rows}


async def suspended(connection: Connection, region: str, limit: int) -> list[CollectionRow]:
    """What rests in suspense, oldest first."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from collections
        where compliance_region = $1 and state = 'suspended' order by collection_id limit $2
        """,
        region,
        limit,
    )
    return [CollectionRow(**dict(row)) for row in rows]
