"""`kovra recall` and `kovra recalls`: payments of ours that we ask back, and credits that their senders ask back from us.

What is asked or decided is on record, and on the audit trail, in one commit; the cell's workers speak to the scheme.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.journal.entry import Author
from cells.kit.money import amount_text, money
from cells.kit.operator import operator_actor
from cells.payments import store
from cells.payments.machine import Leg
from cells.rails import store_recalls
from cells.rails.store_recalls import RecallRow
from cells.resolutions.resolution import Order
from cells.returns import recalls as recalling
from cells.returns.recalls import NotRecallable
from cells.spec import home_path, load_spec
from residency.ids import parse
from router.cli.actors import Cell
from router.cli.console import print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells
from router.cli.record import changing, reading
from router.cli.suspense import carried_out, tell
from router.cli.tables import Listing, show_table

Recall = Annotated[str, typer.Argument(help="The recall, rcl_….")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_LISTED_MAX = 1_000


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Recall a payment, or answer a recall: ask, accept, refuse.", no_args_is_help=True)
    group.command("ask")(ask)
    group.command("accept")(accept)
    group.command("refuse")(refuse)
    app.add_typer(group, name="recall")
    app.command()(recalls)


def ask(
    transfer: Annotated[str, typer.Argument(help="The payment, tr_….")],
    reason: Annotated[str, typer.Option("--reason", help="DUPL, TECH, FRAD or another ISO 20022 code.")] = "DUPL",
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Recall a payment from the payee's bank (camt.056). Its answer comes later: `kovra recalls`."""
    made = asyncio.run(_ask(transfer, reason, acting(operator)))
    _shown(made, f"{made.recall_id}: {made.rail} is asked for {transfer}.", json=json)


def accept(recall: Recall, operator: Operator = "", json: Json = False) -> None:
    """Accept a recall: return the credit from the wallet that received it (pacs.004)."""
    order = asyncio.run(_accept(recall, acting(operator)))
    tell(order, json=json)


def refuse(
    recall: Recall,
    reason: Annotated[str, typer.Option("--reason", help="CUST, NOAS, LEGL or another ISO 20022 code.")] = "CUST",
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Refuse a recall, with a reason (camt.029)."""
    found = asyncio.run(_refuse(recall, reason, acting(operator)))
    _shown(found, f"{recall}: the credit is kept ({reason}).", json=json)


def recalls(cell: Cell = None, json: Json = False) -> None:
    """List every recall, newest first. With its direction, payment, status and answer."""
    rows = asyncio.run(_read(cell))
    if json:
        print_json({"recalls": [{"cell": name, **_as_json(one)} for name, one in rows]})
        return
    table = Listing("recall", "cell", "rail", "which", "of", "amount", "why", "state", "answer", "at", right=["amount"])
    for name, one in rows:
        amount = "" if one.amount is None else amount_text(one.amount, one.currency or "")
        about = one.transfer_id or one.collection_id or one.scheme_reference
        table.add_row(
            one.recall_id, name, one.rail, one.direction, escape(about), amount, one.reason_code, one.state, one.answer_code or "",
            f"{one.at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    show_table(table, "There is no recall.")


async def _ask(transfer_id: str, reason: str, who: str) -> RecallRow:
    """In the cell that made the payment. Raises MalformedId, UnknownCell, TransferNotFound, NotRecallable."""
    spec = load_spec(parse(transfer_id, "tr").cell, home_path())
    async with reading(spec) as connection:
        leg = (await store.read(connection, spec.region, [transfer_id])).get(transfer_id)
    if leg is not None and leg.leg is Leg.ORIGIN:
        spec = load_spec(leg.destination_cell, home_path())
    async with changing(spec, operator_actor(who)) as change:
        made = await recalling.ask(change.connection, spec.entry, transfer_id, reason, Author(operator_actor(who)))
        settings = spec.settings.schemes.get(made.rail)
        if settings is None or settings.wire != "iso20022":
            raise NotRecallable(f"{spec.name} speaks to {made.rail} in no form that knows recalls.")
        await change.record("recall.ask", transfer_id, tenant_id=made.tenant_id, outcome=made.recall_id)
    return made


async def _accept(recall_id: str, who: str) -> Order:
    spec = load_spec(parse(recall_id, "rcl").cell, home_path())
    async with changing(spec, operator_actor(who)) as change:
        order = await recalling.accept(change.connection, spec.entry, recall_id, Author(operator_actor(who)))
        await change.record("recall.accept", recall_id, tenant_id=order.tenant_id, outcome=order.order_id)
    return await carried_out(spec, order)


async def _refuse(recall_id: str, reason: str, who: str) -> RecallRow:
    spec = load_spec(parse(recall_id, "rcl").cell, home_path())
    async with changing(spec, operator_actor(who)) as change:
        found = await recalling.refuse(change.connection, spec.entry, recall_id, reason, Author(operator_actor(who)))
        await change.record("recall.refuse", recall_id, tenant_id=found.tenant_id, outcome=reason)
    return found


async def _read(cell: str | None) -> list[tuple[str, RecallRow]]:
    found: list[tuple[str, RecallRow]] = []
    for spec in [load_spec(cell, home_path())] if cell else all_cells(home_path()):
        async with reading(spec) as connection:
            rows = await store_recalls.latest(connection, spec.region, _LISTED_MAX)
        found += [(spec.name, one) for one in rows]
    return found


def _as_json(one: RecallRow) -> dict[str, Any]:
    found = asdict(one)
    currency = found.pop("currency")
    return found | {"amount": None if one.amount is None else money(one.amount, currency)}


def _shown(one: RecallRow, text: str, *, json: bool) -> None:
    if json:
        print_json(_as_json(one))
    else:
        print_plain(text)
