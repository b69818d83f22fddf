"""The events of a credit, written in the commit of the transition that they are about. Thin: ids, amounts, codes."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.credits.credit import Deposit
from cells.kit.money import money
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails.store_collections import CollectionRow
from cells.webhooks.events import NewEvent
from cells.webhooks.store import append_events
from residency.errors import needed


async def write_credits(connection: Connection, region: str, deposits: Sequence[Deposit]) -> None:
    """One `wallet.credited` for each collection that has been booked."""
    if deposits:
        await append_events(connection, region, [_of_deposit(one) for one in deposits])


async def write_pending_credits(connection: Connection, region: str, rows: Sequence[CollectionRow]) -> None:
    """One `wallet.credit_pending` for each credit that has come before its settlement date. The house is told nothing of its own."""
    told = [_of_pending(one) for one in rows if one.tenant_id and not one.tenant_id.startswith(PEER_TENANT_PREFIX)]
    if told:
        await append_events(connection, region, told)


def _of_deposit(deposit: Deposit) -> NewEvent:
    data = {
        "collection_id": deposit.collection_id,
        "wallet_id": deposit.wallet_id,
        "amount": money(deposit.amount, deposit.currency),
        "rail": deposit.rail,
    }
    return NewEvent.about(deposit.tenant_id, "wallet.credited", deposit.collection_id, data)


def _of_pending(credit: CollectionRow) -> NewEvent:
    settles_on = needed(credit.settlement_date, "a credit that waits has a settlement date")
    available_at = needed(credit.available_at, "and says when it begins")
    data = {
        "collection_id": credit.collection_id,
        "wallet_id": credit.wallet_id,
        "amount": money(credit.amount, credit.currency),
        "rail": credit.rail,
        "settlement_date": settles_on.isoformat(),
        "available_at": available_at.isoformat().replace("+00:00", "Z"),
    }
    return NewEvent.about(credit.tenant_id or "", "wallet.credit_pending", credit.collection_id, data)
