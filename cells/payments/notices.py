"""The events of a payment, written in the commit of the transition that they are about. Thin: ids, states, amounts, codes."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.kit.money import money
from cells.payments.machine import Leg, State, public
from cells.payments.transfer import Transfer
from cells.rails.iso20022.reason_words import reason_in_words
from cells.returns import store as store_returns
from cells.returns.returned import RETURNED_STATES, Total, returned_shown
from cells.webhooks.events import NewEvent
from cells.webhooks.store import append_events

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
    return NewEvent.about(transfer.tenant_id, event_type_of(transfer.state), transfer.transfer_id, data)
