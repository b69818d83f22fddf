"""`kovra suspense`: money that came in and matches no wallet, and what becomes of it.

An order is on record, and on the audit trail, in one commit; the cell's actors carry it out, and the command waits to see it done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.backends.postgres import Connection
from cells.journal.entry import Author
from cells.kit.money import amount_text, money
from cells.kit.operator import operator_actor
from cells.rails import store_collections
from cells.rails.store_collections import CollectionRow
from cells.resolutions import decide
from cells.resolutions import store as store_orders
from cells.resolutions.resolution import Order
from cells.spec import CellSpec, home_path, load_spec
from residency.ids import parse
from router.cli.actors import Cell
from router.cli.console import err, print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells
from router.cli.record import changing, reading
from router.cli.tables import Listing, show_table

Credit = Annotated[str, typer.Argument(help="The credit, col_….")]
Reason = Annotated[
    str, typer.Option("--reason", help="An ISO 20022 return reason; the reason of its suspense by default.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_LISTED_MAX = 1_000
_DONE_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.25

Deed = Callable[[Connection, CellSpec, Author], Awaitable[Order]]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Money that matches no wallet: list, assign, return.", no_args_is_help=True)
    group.command("list")(show)
    group.command("assign")(assign)
    group.command("return")(give_back)
    app.add_typer(group, name="suspense")


def show(cell: Cell = None, json: Json = False) -> None:
    """List the money in suspense in every cell, oldest first."""
    rows = asyncio.run(_read([load_spec(cell, home_path())] if cell else all_cells(home_path())))
    if json:
        print_json({"suspense": [_as_json(*row) for row in rows]})
        return
    table = Listing("credit", "cell", "rail", "amount", "reason", "reference", "since", "order", right=["amount"])
    for name, one, orders in rows:
        amount = amount_text(one.amount, one.currency)
        since = f"{one.received_at:%Y-%m-%d %H:%M}"
        last = f"{orders[-1].kind} {orders[-1].state}" if orders else ""
        table.add_row(
            one.collection_id, name, one.rail, amount, one.reason_code or "", escape(one.scheme_reference), since, last
        )
    show_table(table, "Nothing rests in suspense.")


def assign(
    credit: Credit,
    wallet: Annotated[str, typer.Argument(help="The wallet that it is for, wal_….")],
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Credit suspended money to a tenant's wallet; the tenant gets the event of any credit."""

    async def deed(connection: Connection, spec: CellSpec, by: Author) -> Order:
        return await decide.assign(connection, spec.entry, credit, wallet, by)

    tell(asyncio.run(ordered(credit, "suspense.assign", acting(operator), deed)), json=json)


def give_back(credit: Credit, reason: Reason = "", operator: Operator = "", json: Json = False) -> None:
    """Return suspended money to its payer, by its scheme."""

    async def deed(connection: Connection, spec: CellSpec, by: Author) -> Order:
        return await decide.give_back(connection, spec.entry, credit, reason, by, of_wallets=False)

    tell(asyncio.run(ordered(credit, "suspense.return", acting(operator), deed)), json=json)


async def ordered(credit: str, action: str, who: str, deed: Deed) -> Order:
    """Put an order on record, and wait for what becomes of it. Raises what the deed raises, MalformedId, UnknownCell, StoreUnavailable."""
    spec = load_spec(parse(credit, "col").cell, home_path())
    async with changing(spec, operator_actor(who)) as change:
        order = await deed(change.connection, spec, Author(operator_actor(who)))
        await change.record(action, credit, tenant_id=order.tenant_id, outcome=order.order_id)
    return await carried_out(spec, order)


async def carried_out(spec: CellSpec, order: Order) -> Order:
    """What becomes of an order; as it stands, where that takes long."""
    until = asyncio.get_running_loop().time() + _DONE_WITHIN_S
    while order.state not in ("done", "failed") and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(_LOOK_EVERY_S)
        async with reading(spec) as connection:
            orders = await store_orders.of_credits(connection, spec.region, [order.collection_id])
        order = next(one for one in orders if one.order_id == order.order_id)
    return order


async def _read(specs: Sequence[CellSpec]) -> list[tuple[str, CollectionRow, list[Order]]]:
    found: list[tuple[str, CollectionRow, list[Order]]] = []
    for spec in specs:
        async with reading(spec) as connection:
            rows = await store_collections.suspended(connection, spec.region, _LISTED_MAX)
            orders: dict[str, list[Order]] = {}
            for one in await store_orders.of_credits(connection, spec.region, [row.collection_id for row in rows]):
                orders.setdefault(one.collection_id, []).append(one)
        found += [(spec.name, row, orders.get(row.collection_id, [])) for row in rows]
    return found


def _as_json(cell: str, one: CollectionRow, orders: list[Order]) -> dict[str, Any]:
    return {
        "cell": cell,
        "collection_id": one.collection_id,
        "rail": one.rail,
        "amount": money(one.amount, one.currency),
        "reason_code": one.reason_code,
        "scheme_reference": one.scheme_reference,
        "end_to_end_id": one.end_to_end_id,
        "received_at": one.received_at,
        "orders": [order_json(order) for order in orders],
    }


def order_json(order: Order) -> dict[str, Any]:
    """An order as JSON has it, its amount as the API writes it."""
    found = asdict(order)
    return found | {"amount": money(order.amount, found.pop("currency"))}


def tell(order: Order, *, json: bool) -> None:
    """Exit status 1 when it came to nothing."""
    if json:
        print_json(order_json(order))
    elif order.state == "done" and order.outcome == "settled":
        print_plain(f"{order.order_id}: done.")
    elif order.state in ("done", "failed"):
        err.print(f"{order.order_id}: came to nothing ({order.answer_code}).")
    else:
        print_plain(f"{order.order_id}: {order.state}; `kovra suspense list` shows how it goes on.")
    if order.state == "failed" or order.outcome == "refused":
        raise typer.Exit(1)
