"""The entry of a credit that went back to who paid it, written in the commit of the transition."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.journal import store as journal
from cells.journal.entry import Draft, component
from cells.resolutions.resolution import Order

_BY = component("wallet")


async def write_given_back(connection: Connection, region: str, orders: Sequence[Order]) -> None:
    """Credits that went back to who paid them, out of the wallets that had them."""
    await journal.write(connection, region, [_of_order(one) for one in orders])


def _of_order(order: Order) -> Draft:
    facts = {
        "state": "returned",
        "wallet_id": order.wallet_id,
        "rail": order.rail,
        "amount": order.amount,
        "currency": order.currency,
        "reason_code": order.reason_code,
    }
    return Draft(order.collection_id, 1, "credit.returned.1", order.tenant_id, _BY, facts)
