"""Carrying out orders, in the wallet's actor: journal first, ledger last, as for a deposit. Repeating any of it changes nothing: ids
follow from (credit, number of the order), and only the step that moves an order's row tells of it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.journal.entry import component
from cells.ledger.postings import Chain, postings_of
from cells.ledger.submit import ChainResult
from cells.rails import store_collections, store_recalls
from cells.resolutions import store as store_orders
from cells.resolutions.lives import action_of_resolution, life_of_resolution
from cells.resolutions.resolution import Order, OrderState, after_applied

_log = logging.getLogger("kovra.orders")
_BY = component("wallet")


@dataclass(frozen=True, slots=True)
class OrderOwed:
    """An order on record, and the chain that the ledger has yet to be asked for."""

    order: Order
    chains: tuple[Chain]


async def journal(
    connection: Connection, region: str, order_ids: Sequence[str], account_of: Callable[[str], int]
) -> list[OrderOwed]:
    """What these orders wait for, held for this transaction. `account_of`: W by wallet id."""
    found = await store_orders.load(connection, region, sorted(set(order_ids)))
    return [
        OrderOwed(one, (postings_of(life_of_resolution(one, account_of(one.wallet_id)), action),))
        for one in found.values()
        if (action := action_of_resolution(one)) is not None
    ]


async def close(
    connection: Connection, region: str, owed: Sequence[OrderOwed], results: Sequence[Sequence[ChainResult]]
) -> None:
    """The ledger has spoken: each order is taken on, its credit closed. `results`: those of each one's chain."""
    steps: dict[str, tuple[OrderState, OrderState]] = {}
    for one, [result] in zip(owed, results, strict=True):
        if result.applied:
            steps[one.order.order_id] = (one.order.state, after_applied(one.order))
        elif one.order.state == "ordered" and (result.lacks_funds or result.burnt):
            steps[one.order.order_id] = ("ordered", "failed")
        else:
            _log.critical("the ledger refused an order of %s: %s", one.order.collection_id, result.reason.name)
    if not steps:
        return
    moved = await store_orders.move(connection, region, steps, _BY)
    ended = {
        one.order.order_id: one.order
        for one in owed
        if steps.get(one.order.order_id, ("", ""))[1] in ("done", "failed")
    }
    nothing = [
        order_id for order_id, one in ended.items() if steps[order_id][1] == "failed" or one.outcome == "refused"
    ]
    await store_recalls.ordered(connection, region, sorted(ended.keys() - set(nothing)), nothing, _BY)
    done = [one.order for one in owed if one.order.order_id in moved and steps[one.order.order_id][1] == "done"]
    settled = [one for one in done if one.outcome != "refused"]
    if settled:
        assigned = {one.collection_id: (one.tenant_id, one.wallet_id) for one in settled if one.kind == "assign"}
        await store_collections.assign(connection, region, assigned, _BY)
        gone = {one.collection_id: one.reason_code for one in settled if one.kind == "give_back"}
        await store_collections.give_back(connection, region, gone, _BY)
