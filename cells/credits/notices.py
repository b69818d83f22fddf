"""The entries of a credit that its tenant is told of, written in the commit of the transition that they are about."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.credits.credit import Deposit
from cells.journal import store as journal
from cells.journal.entry import Draft, component
from cells.journal.kinds import instant
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails.store_collections import CollectionRow
from residency.errors import needed

_BY, _DOOR = component("wallet"), component("rails")


async def write_credits(connection: Connection, region: str, deposits: Sequence[Deposit], event: str) -> None:
    """Collections that have been booked (`booked`), or assigned to a tenant (`assigned`)."""
    await journal.write(connection, region, [_of_deposit(one, event) for one in deposits])


async def write_pending_credits(connection: Connection, region: str, rows: Sequence[CollectionRow]) -> None:
    """Credits that have come before their settlement date. The house is told nothing of its own."""
    tenants = [one for one in rows if one.tenant_id and not one.tenant_id.startswith(PEER_TENANT_PREFIX)]
    await journal.write(connection, region, [_of_pending(one) for one in tenants])


def _of_deposit(deposit: Deposit, event: str) -> Draft:
    facts = {
        "state": "credited",
        "wallet_id": deposit.wallet_id,
        "rail": deposit.rail,
        "amount": deposit.amount,
        "currency": deposit.currency,
    }
    return Draft(deposit.collection_id, 1, f"credit.{event}.1", deposit.tenant_id, _BY, facts)


def _of_pending(credit: CollectionRow) -> Draft:
    facts = {
        "state": "received",
        "wallet_id": credit.wallet_id,
        "rail": credit.rail,
        "amount": credit.amount,
        "currency": credit.currency,
        "settlement_date": needed(credit.settlement_date, "a credit that waits has a settlement date").isoformat(),
        "available_at": instant(needed(credit.available_at, "and says when it begins")),
    }
    return Draft(credit.collection_id, 1, "credit.pending.1", credit.tenant_id or "", _DOOR, facts)
