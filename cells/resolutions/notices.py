"""The event of a credit that went back to who paid it, written in the commit of the transition. Thin: ids, amounts, codes."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.kit.money import money
from cells.rails.iso20022.reason_words import reason_in_words
from cells.resolutions.resolution import Order
from cells.webhooks.events import NewEvent
from cells.webhooks.store import append_events


async def write_given_back(connection: Connection, region: str, orders: Sequence[Order]) -> None:
    """One `wallet.credit_returned` for each credit that went back to who paid it, out of the wallet that had it."""
    if orders:
        await append_events(connection, region, [_of_order(one) for one in orders])


def _of_order(order: Order) -> NewEvent:
    data = {
        "collection_id": order.collection_id,
        "wallet_id": order.wallet_id,
        "amount": money(order.amount, order.currency),
        "rail": order.rail,
        "reason_code": order.reason_code,
        "reason": reason_in_words(order.reason_code),
    }
    return NewEvent.about(order.tenant_id, "wallet.credit_returned", order.collection_id, data)
