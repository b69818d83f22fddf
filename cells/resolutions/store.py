"""Orders as rows, and what they make of the credits they are about. Multi-row statements inside the caller's transaction; nothing
commits here.

Invariants: one order of a credit stands at a time (a unique index says so); a row only moves forward, and whoever moves it is told
which rows moved.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.backends.rows import Rows
from cells.rails.rail import InDoubt, Outcome, Refused
from cells.resolutions.resolution import Order, OrderState

_COLUMNS = ", ".join(field.name for field in fields(Order))
_GIVEN = [field.name for field in fields(Order)][:13]
# How long to wait before the scheme is asked again, doubled each time.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 2, 600
_ROWS = Rows("orders", Order, _GIVEN)
_STEPS = Rows("orders", "order_id before state")
_ANSWERS = Rows("orders", "order_id outcome answer_code")
_DONE = Rows("orders", Order, ("collection_id", "kind", "tenant_id", "wallet_id"))


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


async def insert(connection: Connection, region: str, orders: Sequence[Order]) -> set[str]:
    """Put orders on record; the ids of those that were. One whose credit has a standing order is left out."""
    rows = await _ROWS.insert(connection, orders, "on conflict do nothing returning order_id", compliance_region=region)
    return {row["order_id"] for row in rows}


async def load(connection: Connection, region: str, order_ids: Sequence[str]) -> dict[str, Order]:
    """Orders by id, locked for this transaction."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from orders where compliance_region = $1 and order_id = any ($2::text[])"
        " order by order_id for update",
        region, order_ids,
    )  # fmt: skip
    return {row["order_id"]: _order(row) for row in rows}


async def of_credits(connection: Connection, region: str, collection_ids: Sequence[str]) -> list[Order]:
    """All orders of these credits, oldest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from orders where compliance_region = $1 and collection_id = any ($2::text[])"
        " order by collection_id, number",
        region, collection_ids,
    )  # fmt: skip
    return [_order(row) for row in rows]


async def owing(connection: Connection, region: str, limit: int, aside: Collection[str] = ()) -> Read[Order]:
    """Orders that a wallet's actor has something to do for, oldest first: what the sweep takes up."""
    return await fetch_apart(
        connection, _order, "order_id",
        f"select {_COLUMNS} from orders where compliance_region = $1 and state in ('ordered', 'answered')"
        " and order_id <> all ($3::text[]) order by order_id limit $2",
        region, limit, list(aside),
    )  # fmt: skip


async def due(connection: Connection, region: str, rail: str, limit: int, aside: Collection[str] = ()) -> Read[Order]:
    """Returns that the scheme is to be asked for now, oldest first."""
    return await fetch_apart(
        connection, _order, "order_id",
        f"select {_COLUMNS} from orders where compliance_region = $1 and rail = $2 and state = 'held' and due_at <= now()"
        " and order_id <> all ($4::text[]) order by order_id limit $3",
        region, rail, limit, list(aside),
    )  # fmt: skip


async def move(connection: Connection, region: str, steps: Mapping[str, tuple[OrderState, OrderState]]) -> set[str]:
    """Take orders on from one state to the next, by id; those that were still in the state before. An assignment settles by itself."""
    rows = await connection.fetch(
        f"""
        update orders o set state = n.state, closed_at = case when n.state in ('done', 'failed') then now() end,
            outcome = case when n.state = 'done' then coalesce(o.outcome, 'settled') else o.outcome end,
            answer_code = case when n.state = 'failed' then 'AM04' else o.answer_code end
        from {_STEPS.source(3, "n")}
        where o.compliance_region = $1 and o.order_id = any ($2::text[]) and o.order_id = n.order_id and o.state = n.before
        returning o.order_id
        """,
        region, list(steps), *_STEPS.arguments((order_id, *step) for order_id, step in steps.items()),
    )  # fmt: skip
    return {row["order_id"] for row in rows}


async def answered(connection: Connection, region: str, answers: Sequence[tuple[str, Outcome]]) -> set[str]:
    """Put the scheme's word on returns on record; the ids that have its final one. What is in doubt is due again, later and later."""
    given = (
        (order_id, _word(outcome), outcome.reason_code if isinstance(outcome, Refused) else None)
        for order_id, outcome in answers
    )
    rows = await connection.fetch(
        f"""
        update orders o set state = case when n.outcome is null then o.state else 'answered' end, outcome = n.outcome,
            answer_code = n.answer_code, asked = o.asked + 1,
            due_at = now() + least($2::integer, $3::integer * power(2, least(o.asked, 16))) * interval '1 second'
        from {_ANSWERS.source(5, "n")}
        where o.compliance_region = $1 and o.order_id = any ($4::text[]) and o.order_id = n.order_id and o.state = 'held'
        returning o.order_id, o.state
        """,
        region, _AGAIN_LAST_S, _AGAIN_FIRST_S, [one for one, _ in answers], *_ANSWERS.arguments(given),
    )  # fmt: skip
    return {row["order_id"] for row in rows if row["state"] == "answered"}


async def close_credits(connection: Connection, region: str, done: Sequence[Order]) -> None:
    """What settled orders make of their credits: assigned ones are the tenant's, given back ones are nobody's any more."""
    await connection.execute(
        f"""
        update collections c set state = case when n.kind = 'assign' then 'credited' else 'returned' end,
            tenant_id = n.tenant_id, wallet_id = n.wallet_id, closed_at = now()
        from {_DONE.source(3, "n")}
        where c.compliance_region = $1 and c.collection_id = any ($2::text[]) and c.collection_id = n.collection_id
        """,
        region, [one.collection_id for one in done], *_DONE.arguments(done),
    )  # fmt: skip


def _word(outcome: Outcome) -> str | None:
    if isinstance(outcome, InDoubt):
        return None
    return "refused" if isinstance(outcome, Refused) else "settled"


def _order(row: Record) -> Order:
    return Order(**row)
