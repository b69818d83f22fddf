"""Returns as rows. Multi-row statements inside the caller's transaction; nothing commits here.

Invariants: a scheme's reference is on record once; a row only moves forward, and whoever books it is told whether it was the one
that did. What is decided on sums holds the payment's row locked (store.load).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.backends.rows import Rows
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change
from cells.returns.returned import BOOKABLE, RETURN, Policy, Return, Total

_QUALIFIED = ", ".join(f"r.{one}" for one in RETURN.columns)
_READY = [str(state) for state in BOOKABLE]
_REFERENCES = Rows("returns", "rail scheme_reference")


async def insert(
    connection: Connection, region: str, returns: Sequence[Return], event: Literal["received", "admitted"], by: Author
) -> None:
    """Put returns on record; one whose scheme reference is there already is left out."""
    births = [Birth(one, RETURN.kind(event), by) for one in returns]
    await store_lives.begin(connection, region, RETURN, births)


async def by_reference(
    connection: Connection, region: str, references: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Return]:
    """What is on record under (rail, scheme reference)."""
    rows = await store_lives.fetch(
        connection, region, RETURN, f"(rail, scheme_reference) in (select * from {_REFERENCES.source(2)})",
        *_REFERENCES.arguments(references),
    )  # fmt: skip
    return {(row.rail, row.scheme_reference): row for row in rows}


async def load(connection: Connection, region: str, return_ids: Sequence[str]) -> dict[str, Return]:
    """Returns by id, locked for this transaction."""
    return await store_lives.load(connection, region, RETURN, return_ids)


async def of_transfers(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, list[Return]]:
    """The returns of payments, by transfer id, in the order of their numbers."""
    rows = await store_lives.fetch(
        connection, region, RETURN, "transfer_id = any ($2::text[]) order by transfer_id, number", transfer_ids
    )
    found: dict[str, list[Return]] = {}
    for row in rows:
        found.setdefault(row.transfer_id, []).append(row)
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


async def book(
    connection: Connection, region: str, return_ids: Sequence[str], for_the_house: Collection[str], by: Author
) -> set[str]:
    """The ledger has these; the ids that were not booked before. `for_the_house`: those of payments that had been given back before, of
    which the wallet gets nothing."""
    rows = (await load(connection, region, return_ids)).values()
    changes = [
        Change(one, _booked(one, for_the_house), RETURN.kind("booked"), by) for one in rows if one.state == "received"
    ]
    await store_lives.append(connection, region, RETURN, changes)
    return {one.now.return_id for one in changes}


def _booked(one: Return, for_the_house: Collection[str]) -> Return:
    if one.return_id in for_the_house:
        return replace(one, state="booked", principal_back=0, margin_back=0, fee_back=0)
    return replace(one, state="booked")


async def export(connection: Connection, region: str, booked: Sequence[Return], by: Author) -> None:
    """These, which the caller has locked, leave for the cells where their payments began."""
    changes = [Change(one, replace(one, state="exported"), RETURN.kind("exported"), by) for one in booked]
    await store_lives.append(connection, region, RETURN, changes)


async def raise_attempts(connection: Connection, region: str, tried: Sequence[Return], by: Author) -> None:
    """The ledger has definitely refused these: the next try needs ids of its own, journaled before use."""
    rows = await load(connection, region, [one.return_id for one in tried])
    changes = [
        Change(one, replace(one, attempt=one.attempt + 1), RETURN.kind("refused"), by)
        for was in tried
        if (one := rows[was.return_id]).state == "received" and one.attempt == was.attempt
    ]
    await store_lives.append(connection, region, RETURN, changes)


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[Return]:
    """Returns on record that could be booked and are not, oldest first: what the sweep takes up; none before its settlement date."""
    return await fetch_apart(
        connection, RETURN.of_row, RETURN.key,
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
        connection, RETURN.of_row, RETURN.key,
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
