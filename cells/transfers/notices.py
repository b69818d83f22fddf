"""What partners are told, written in the commit of the transition that it is about. Thin: ids, states, amounts, codes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.kit.money import money
from cells.rails.iso20022.reason_words import reason_in_words
from cells.rails.store_collections import CollectionRow
from cells.transfers import store_returns
from cells.transfers.deposit import Deposit
from cells.transfers.machine import Leg, State, public
from cells.transfers.orders import Order
from cells.transfers.returned import RETURNED_STATES, Total, returned_shown
from cells.transfers.transfer import PEER_TENANT_PREFIX, Transfer
from cells.webhooks.events import NewEvent
from cells.webhooks.store import append_events
from residency.errors import needed
from residency.ids import parse

# What is told although the state that partners see stays the same.
_NAMED = {State.LOST: "paid_after_refund"}


def event_type_of(state: State) -> str:
    """The event that tells of the arrival in `state`."""
    return f"transfer.{_NAMED.get(state, str(public(state)).lower())}"


async def write(connection: Connection, region: str, transfers: Sequence[Transfer]) -> None:
    """One event for each transfer, named after the state it has just reached. A destination leg's partner is told by its own cell."""
    if not transfers:
        return
    came_back = [one.transfer_id for one in transfers if one.state in RETURNED_STATES]
    totals = await store_returns.totals(connection, region, came_back) if came_back else {}
    ours = [one for one in transfers if one.leg is not Leg.DESTINATION]
    await append_events(connection, region, [of_transfer(one, totals.get(one.transfer_id)) for one in ours])


async def write_credits(connection: Connection, region: str, deposits: Sequence[Deposit]) -> None:
    """One `wallet.credited` for each collection that has been booked."""
    if deposits:
        await append_events(connection, region, [_of_deposit(one) for one in deposits])


async def write_pending_credits(connection: Connection, region: str, rows: Sequence[CollectionRow]) -> None:
    """One `wallet.credit_pending` for each credit that has come before its settlement date. The house is told nothing of its own."""
    told = [_of_pending(one) for one in rows if one.tenant_id and not one.tenant_id.startswith(PEER_TENANT_PREFIX)]
    if told:
        await append_events(connection, region, told)


async def write_given_back(connection: Connection, region: str, orders: Sequence[Order]) -> None:
    """One `wallet.credit_returned` for each credit that went back to who paid it, out of the wallet that had it."""
    if orders:
        await append_events(connection, region, [_of_order(one) for one in orders])


def of_transfer(transfer: Transfer, returned: Total | None) -> NewEvent:
    """The event of a transfer's state; `returned` where it is told."""
    state = str(public(transfer.state))
    source, target = transfer.source_currency, transfer.target_currency
    data: dict[str, object] = {
        "transfer_id": transfer.transfer_id,
        "quote_id": transfer.quote_id,
        "recipient_id": transfer.recipient_id,
        "payer_id": transfer.payer_id,
        "wallet_id": transfer.wallet_id,
        "state": state,
        "source_amount": money(transfer.source_total, source),
        "target_amount": money(transfer.payout_amount, target),
        "fee": money(transfer.fee, source),
        "rail": transfer.rail_used,
        "reason_code": transfer.reason_code,
        "reason": reason_in_words(transfer.reason_code),
        "scheme_reference": transfer.scheme_reference,
        "metadata": dict(transfer.metadata),
    }
    if transfer.batch_id is not None:
        data["batch_id"] = transfer.batch_id
    if returned is not None:
        data["returned"] = returned_shown(transfer, returned)
    return _event(transfer.tenant_id, event_type_of(transfer.state), transfer.transfer_id, data)


def _of_deposit(deposit: Deposit) -> NewEvent:
    data = {
        "collection_id": deposit.collection_id,
        "wallet_id": deposit.wallet_id,
        "amount": money(deposit.amount, deposit.currency),
        "rail": deposit.rail,
    }
    return _event(deposit.tenant_id, "wallet.credited", deposit.collection_id, data)


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
    return _event(credit.tenant_id or "", "wallet.credit_pending", credit.collection_id, data)


def _of_order(order: Order) -> NewEvent:
    data = {
        "collection_id": order.collection_id,
        "wallet_id": order.wallet_id,
        "amount": money(order.amount, order.currency),
        "rail": order.rail,
        "reason_code": order.reason_code,
        "reason": reason_in_words(order.reason_code),
    }
    return _event(order.tenant_id, "wallet.credit_returned", order.collection_id, data)


def _event(tenant_id: str, event_type: str, resource_id: str, data: Mapping[str, object]) -> NewEvent:
    return NewEvent.of(parse(resource_id).cell, tenant_id, event_type, resource_id, data, datetime.now(UTC))
