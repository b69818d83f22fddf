"""Putting orders on record: checked against the credit as it stands, which is held until the commit.

Invariant: a credit is assigned or given back once, whoever orders it and however often; who orders second is told.
"""

from cells.backends.postgres import Connection
from cells.journal.entry import Author
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails import store_collections
from cells.rails.store_collections import CollectionRow
from cells.resolutions import store as store_orders
from cells.resolutions.resolution import AlreadyOrdered, NotSuspended, Order, OrderKind, WrongWallet
from cells.tenants import store as tenants
from residency.directory import CellEntry
from residency.ids import mint, parse

# ISO 20022: no reason was given.
_NO_REASON = "MS03"


async def assign(connection: Connection, entry: CellEntry, collection_id: str, wallet_id: str, by: Author) -> Order:
    """Order that a suspended credit be this wallet's. Raises MalformedId, NotSuspended, WrongWallet, AlreadyOrdered."""
    credit, count = await _held(connection, entry, collection_id)
    if credit.state != "suspended":
        raise NotSuspended(f"{collection_id} is {credit.state}.")
    wallet = (await tenants.find_wallets(connection, entry.region, [parse(wallet_id, "wal").text])).get(wallet_id)
    if wallet is None or wallet.tenant_id.startswith(PEER_TENANT_PREFIX):
        raise WrongWallet(f"{entry.name} has no wallet {wallet_id}.")
    if wallet.currency != credit.currency or wallet.state != "open":
        raise WrongWallet(f"{wallet_id} is {wallet.state} and holds {wallet.currency}; the money is {credit.currency}.")
    made = _order(entry, credit, count, "assign", (wallet.tenant_id, wallet.wallet_id), credit.reason_code or "")
    return await _on_record(connection, entry, made, by)


async def give_back(
    connection: Connection, entry: CellEntry, collection_id: str, reason_code: str, by: Author, *, of_wallets: bool
) -> Order:
    """Order that a credit go back to who paid it: out of suspense, or, `of_wallets`, out of the wallet that has it. `reason_code`: ISO
    20022 ExternalReturnReason1Code, "" for the one for which it rests. Raises MalformedId, NotSuspended, AlreadyOrdered.
    """
    credit, count = await _held(connection, entry, collection_id)
    takes = ("suspended", "credited") if of_wallets else ("suspended",)
    if credit.state not in takes or credit.wallet_id is None:
        raise NotSuspended(f"{collection_id} is {credit.state}.")
    whose, reason = (credit.tenant_id, credit.wallet_id), reason_code or credit.reason_code or _NO_REASON
    made = _order(entry, credit, count, "give_back", whose, reason)
    return await _on_record(connection, entry, made, by)


async def _held(connection: Connection, entry: CellEntry, collection_id: str) -> tuple[CollectionRow, int]:
    """The credit, locked, and how many orders it has had."""
    wanted = [parse(collection_id, "col").text]
    counts = await store_orders.lock_credits(connection, entry.region, wanted)
    if not counts:
        raise NotSuspended(f"{entry.name} has no credit {collection_id}.")
    return (await store_collections.find(connection, entry.region, wanted))[collection_id], counts[collection_id]


def _order(
    entry: CellEntry, credit: CollectionRow, count: int, kind: OrderKind, whose: tuple[str, str], reason_code: str
) -> Order:
    return Order(
        order_id=mint("ord", entry.name),
        collection_id=credit.collection_id,
        number=count + 1,
        tenant_id=whose[0],
        wallet_id=whose[1],
        kind=kind,
        suspended=credit.state == "suspended",
        rail=credit.rail,
        scheme_reference=credit.scheme_reference,
        end_to_end_id=credit.end_to_end_id,
        amount=credit.amount,
        currency=credit.currency,
        reason_code=reason_code,
    )


async def _on_record(connection: Connection, entry: CellEntry, order: Order, by: Author) -> Order:
    if not await store_orders.insert(connection, entry.region, [order], by):
        raise AlreadyOrdered(f"{order.collection_id} waits for an earlier order, or has been dealt with.")
    return order
