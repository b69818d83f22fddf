"""Orders as rows, and what they make of the credits they are about. Multi-row statements inside the caller's transaction; nothing
commits here.

Invariants: one order of a credit stands at a time (a unique index says so); a row only moves forward, and whoever moves it is told
which rows moved.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cells.backends.postgres import Connection, Read
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change
from cells.rails.rail import InDoubt, Outcome, Refused, Settled
from cells.resolutions.resolution import NO_FUNDS, RESOLUTION, Order, OrderState

_EVENT_OF: Final[Mapping[OrderState, str]] = {"held": "held", "done": "applied", "failed": "failed"}
# How long to wait before the scheme is asked again, doubled each time.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 2, 600


async def lock_credits(connection: Connection, region: str, collection_ids: Sequence[str]) -> dict[str, int]:
    """Hold these credits for this transaction; by id, how many orders each has had."""
    rows = await connection.fetch(
        """
        select c.collection_id, (select count(*) from orders o
            where o.compliance_region = $1 and o.collection_id = c.collection_id) as orders
        from collections c where c.compliance_region = $1 and c.collection_id = any ($2::text[])
        order by c.collection_id for update
        """,
        region, collection_ids,
    )  # fmt: skip
    return {row["collection_id"]: row["orders"] for row in rows}


async def insert(connection: Connection, region: str, orders: Sequence[Order], by: Author) -> set[str]:
    """Put orders on record; the ids of those that were. One whose credit has a standing order is left out."""
    births = [Birth(one, RESOLUTION.kind("ordered"), by) for one in orders]
    return await store_lives.begin(connection, region, RESOLUTION, births)


async def load(connection: Connection, region: str, order_ids: Sequence[str]) -> dict[str, Order]:
    """Orders by id, locked for this transaction."""
    return await store_lives.load(connection, region, RESOLUTION, order_ids)


async def of_credits(connection: Connection, region: str, collection_ids: Sequence[str]) -> list[Order]:
    """All orders of these credits, oldest first."""
    return await store_lives.fetch(
        connection,
        region,
        RESOLUTION,
        "collection_id = any ($2::text[]) order by collection_id, number",
        collection_ids,
    )


async def owing(connection: Connection, region: str, limit: int, aside: Collection[str] = ()) -> Read[Order]:
    """Orders that a wallet's actor has something to do for, oldest first: what the sweep takes up."""
    return await store_lives.apart(
        connection, region, RESOLUTION,
        "state in ('ordered', 'answered') and order_id <> all ($3::text[]) order by order_id limit $2",
        limit, list(aside),
    )  # fmt: skip


async def due(connection: Connection, region: str, rail: str, limit: int, aside: Collection[str] = ()) -> Read[Order]:
    """Returns that the scheme is to be asked for now, oldest first."""
    return await store_lives.apart(
        connection, region, RESOLUTION,
        "rail = $2 and state = 'held' and due_at <= now() and order_id <> all ($4::text[]) order by order_id limit $3",
        rail, limit, list(aside),
    )  # fmt: skip


async def move(
    connection: Connection, region: str, steps: Mapping[str, tuple[OrderState, OrderState]], by: Author
) -> set[str]:
    """Take orders on from one state to the next, by id; those that were still in the state before. An assignment settles by itself."""
    rows = await load(connection, region, list(steps))
    changes = [
        Change(row, _moved(row, after), RESOLUTION.kind(_EVENT_OF[after]), by)
        for one, (before, after) in steps.items()
        if (row := rows[one]).state == before
    ]
    await store_lives.append(connection, region, RESOLUTION, changes)
    return {one.now.order_id for one in changes}


async def answered(connection: Connection, region: str, answers: Sequence[tuple[str, Outcome]], by: Author) -> set[str]:
    """Put the scheme's word on returns on record; the ids that have its final one. What is in doubt is due again, later and later."""
    rows = await load(connection, region, [order_id for order_id, _ in answers])
    held = [(rows[one], outcome) for one, outcome in answers if rows[one].state == "held"]
    changes = [
        Change(row, _answered(row, outcome), RESOLUTION.kind("answered"), by)
        for row, outcome in held
        if not isinstance(outcome, InDoubt)
    ]
    await store_lives.append(connection, region, RESOLUTION, changes)
    await _ask_later(connection, region, [row.order_id for row, outcome in held if isinstance(outcome, InDoubt)])
    return {one.now.order_id for one in changes}


async def _ask_later(connection: Connection, region: str, order_ids: Sequence[str]) -> None:
    """When the scheme is asked again is no part of what becomes of an order, and in no entry."""
    await connection.execute(
        """
        update orders set asked = asked + 1,
            due_at = now() + least($3::integer, $4::integer * power(2, least(asked, 16))) * interval '1 second'
        where compliance_region = $1 and order_id = any ($2::text[])
        """,
        region, order_ids, _AGAIN_LAST_S, _AGAIN_FIRST_S,
    )  # fmt: skip


def _moved(row: Order, after: OrderState) -> Order:
    if after == "failed":
        return replace(row, state=after, answer_code=NO_FUNDS)
    return replace(row, state=after, outcome=row.outcome or "settled" if after == "done" else row.outcome)


def _answered(row: Order, outcome: Settled | Refused) -> Order:
    if isinstance(outcome, Refused):
        return replace(row, state="answered", outcome="refused", answer_code=outcome.reason_code)
    return replace(row, state="answered", outcome="settled")
