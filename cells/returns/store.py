"""Returns as rows. Multi-row statements inside the caller's transaction; nothing commits here.

Invariants: a scheme's reference is on record once; a row only moves forward, and whoever books it is told whether it was the one
that did. What is decided on sums holds the payment's row locked (store.load).
"""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import timedelta

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.backends.rows import Rows
from cells.returns.returned import BOOKABLE, Policy, Return, ReturnState, Total

_COLUMNS = ", ".join(field.name for field in fields(Return))
_QUALIFIED = ", ".join(f"r.{field.name}" for field in fields(Return))
_READY = [str(state) for state in BOOKABLE]
_ROWS = Rows("returns", Return)
_REFERENCES = Rows("returns", "rail scheme_reference")
_TRIED = Rows("returns", Return, ("return_id", "attempt"))


async def insert(connection: Connection, region: str, returns: Sequence[Return]) -> None:
    """Put returns on record; one whose scheme reference is there already is left out."""
    await _ROWS.insert(
        connection,
        returns,
        "on conflict (compliance_region, rail, scheme_reference) do nothing",
        compliance_region=region,
    )


async def by_reference(
    connection: Connection, region: str, references: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Return]:
    """What is on record under (rail, scheme reference)."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from returns where compliance_region = $1"
        f" and (rail, scheme_reference) in (select * from {_REFERENCES.source(2)})",
        region, *_REFERENCES.arguments(references),
    )  # fmt: skip
    return {(row["rail"], row["scheme_reference"]): Return(**row) for row in rows}


async def load(connection: Connection, region: str, return_ids: Sequence[str]) -> dict[str, Return]:
    """Returns by id, locked for this transaction."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from returns where compliance_region = $1 and return_id = any ($2::text[])"
        " order by return_id for update",
        region, return_ids,
    )  # fmt: skip
    return {row["return_id"]: Return(**row) for row in rows}


async def of_transfers(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, list[Return]]:
    """The returns of payments, by transfer id, in the order of their numbers."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from returns where compliance_region = $1 and transfer_id = any ($2::text[])"
        " order by transfer_id, number",
        region, transfer_ids,
    )  # fmt: skip
    found: dict[str, list[Return]] = {}
    for row in rows:
        found.setdefault(row["transfer_id"], []).append(Return(**row))
    return found


async def totals(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Total]:
    """What has come back of payments so far, by transfer id; those of which nothing has are absent."""
    rows = await connection.fetch(
        """
        select transfer_id, count(*) as count, sum(amount) as amount,
            coalesce(sum(amount) filter (where state <> 'received'), 0) as booked,
            coalesce(sum(principal_back + margin_back + fee_back) filter (where state <> 'received'), 0) as back
        from returns where compliance_region = $1 and transfer_id = any ($2::text[]) group by transfer_id
        """,
        region, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: _total(row) for row in rows}


async def move(
    connection: Connection, region: str, return_ids: Sequence[str], before: ReturnState, after: ReturnState
) -> set[str]:
    """Take returns one step on; the ids that were still at the step before."""
    rows = await connection.fetch(
        """
        update returns set state = $4, booked_at = coalesce(booked_at, clock_timestamp())
        where compliance_region = $1 and return_id = any ($2::text[]) and state = $3 returning return_id
        """,
        region, return_ids, before, after,
    )  # fmt: skip
    return {row["return_id"] for row in rows}


async def keep_for_the_house(connection: Connection, region: str, return_ids: Sequence[str]) -> None:
    """These came back of payments that had been given back before: the wallet gets nothing of them."""
    await connection.execute(
        "update returns set principal_back = 0, margin_back = 0, fee_back = 0"
        " where compliance_region = $1 and return_id = any ($2::text[])",
        region, return_ids,
    )  # fmt: skip


async def raise_attempts(connection: Connection, region: str, tried: Sequence[Return]) -> None:
    """The ledger has definitely refused these: the next try needs ids of its own, journaled before use."""
    await connection.execute(
        f"""
        update returns r set attempt = r.attempt + 1 from {_TRIED.source(2, "n")}
        where r.compliance_region = $1 and r.return_id = n.return_id and r.attempt = n.attempt and r.state = 'received'
        """,
        region, *_TRIED.arguments(tried),
    )  # fmt: skip


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[Return]:
    """Returns on record that could be booked and are not, oldest first: what the sweep takes up; none before its settlement date."""
    return await fetch_apart(
        connection, lambda row: Return(**row), "return_id",
        f"""
        select {_QUALIFIED} from returns r join transfers t using (compliance_region, transfer_id)
        where r.compliance_region = $1 and r.state = 'received' and coalesce(r.available_at, r.received_at) < now() - $2::interval
          and t.state = any ($3::text[]) and r.return_id <> all ($5::text[])
        order by coalesce(r.available_at, r.received_at) limit $4
        """,
        region, older_than, _READY, limit, list(aside),
    )  # fmt: skip


async def due_for_export(
    connection: Connection, region: str, limit: int, aside: Collection[str] = (), only: Collection[str] | None = None
) -> Read[Return]:
    """Returns that the origin has yet to hear of, oldest first, locked; those that somebody else holds are left for the next round."""
    return await fetch_apart(
        connection, lambda row: Return(**row), "return_id",
        f"""
        select {_QUALIFIED} from returns r join transfers t using (compliance_region, transfer_id)
        where r.compliance_region = $1 and r.state = 'booked' and t.leg = 'destination' and t.state = 'COMPLETED'
          and r.return_id <> all ($3::text[]) and ($4::text[] is null or r.return_id = any ($4))
        order by r.return_id limit $2 for update of r skip locked
        """,
        region, limit, list(aside), None if only is None else list(only),
    )  # fmt: skip


async def ids_due_for_export(connection: Connection, region: str, limit: int, aside: Collection[str]) -> list[str]:
    """The ids alone of what due_for_export finds, whoever holds them."""
    rows = await connection.fetch(
        """
        select r.return_id from returns r join transfers t using (compliance_region, transfer_id)
        where r.compliance_region = $1 and r.state = 'booked' and t.leg = 'destination' and t.state = 'COMPLETED'
          and r.return_id <> all ($3::text[])
        order by r.return_id limit $2
        """,
        region, limit, list(aside),
    )  # fmt: skip
    return [row["return_id"] for row in rows]


async def policies(connection: Connection, region: str, tenant_ids: Sequence[str]) -> dict[str, Policy]:
    """What each tenant wants of returns, by tenant id."""
    rows = await connection.fetch(
        "select tenant_id, return_policy from tenants where compliance_region = $1 and tenant_id = any ($2::text[])",
        region, tenant_ids,
    )  # fmt: skip
    return {row["tenant_id"]: row["return_policy"] for row in rows}


async def set_policy(connection: Connection, region: str, tenant_id: str, policy: Policy) -> bool:
    """From now on; returns on record keep what they were journaled with. Whether there is such a tenant."""
    done = await connection.fetchval(
        "update tenants set return_policy = $3 where compliance_region = $1 and tenant_id = $2 returning tenant_id",
        region, tenant_id, policy,
    )  # fmt: skip
    return done is not None


def _total(row: Record) -> Total:
    return Total(int(row["count"]), int(row["amount"]), int(row["booked"]), int(row["back"]))
