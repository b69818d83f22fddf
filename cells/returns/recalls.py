"""Asking payments back, and deciding on credits that are asked back from us. Each on record, in the caller's transaction; a worker
speaks to the scheme.

Invariants: only what was paid and has not wholly come back is asked for; a recalled credit goes back by an order (decide.py), so once.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.journal.entry import Author, component
from cells.kit.money import amount_text
from cells.payments import store
from cells.payments.machine import Leg, State
from cells.payments.transfer import Transfer, TransferNotFound
from cells.rails import store_messages, store_recalls
from cells.rails.iso20022.reasons import DUPLICATES
from cells.rails.iso20022.reports import Aside
from cells.rails.later import RecallAnswered
from cells.rails.rail import end_to_end_id, transaction_id
from cells.rails.store_recalls import RecallRow
from cells.resolutions import decide
from cells.resolutions.resolution import Order
from cells.returns import store as store_returns
from cells.returns.receive import named_by_uetr, payment_of
from cells.returns.returned import Total
from residency.directory import CellEntry
from residency.errors import KovraError
from residency.ids import mint, parse

_log = logging.getLogger("kovra.recalls")
# ISO 20022 ExternalReturnReason1Code: following a cancellation request.
_FOLLOWS_A_RECALL = "FOCR"
# ISO 20022: no code given.
_NO_REASON = "NARR"
_PAID = frozenset({State.COMPLETED, State.PARTIALLY_RETURNED})


class NotRecallable(KovraError):
    code = "not-recallable"
    status = 409
    title = "That payment cannot be asked back"


class RecallNotFound(KovraError):
    code = "recall-not-found"
    status = 404
    title = "There is no such recall"


class RecallDecided(KovraError):
    code = "recall-decided"
    status = 409
    title = "That recall waits for no decision"


async def ask(connection: Connection, entry: CellEntry, transfer_id: str, reason_code: str, by: Author) -> RecallRow:
    """Ask back what is left of a payment that this cell made. `reason_code`: ISO 20022 ExternalCancellationReason1Code (DUPL, TECH, FRAD).
    Raises TransferNotFound, NotRecallable.
    """
    leg = (await store.load(connection, entry.region, [transfer_id])).get(transfer_id)
    if leg is None or leg.leg is Leg.ORIGIN:
        raise TransferNotFound(f"{entry.name} has not paid {transfer_id}.")
    total = (await store_returns.totals(connection, entry.region, [transfer_id])).get(transfer_id, Total())
    left = leg.payout_amount - total.amount
    if leg.state not in _PAID or not left:
        raise NotRecallable(
            f"{transfer_id} is {leg.state}, and {amount_text(left, leg.target_currency)} of it is left to ask back."
        )
    made = _row(entry, leg, left, reason_code)
    if not await store_recalls.insert(connection, entry.region, [made], by):
        raise NotRecallable(f"{transfer_id} is being asked back already.")
    return made


async def accept(connection: Connection, entry: CellEntry, recall_id: str, by: Author) -> Order:
    """Give a recalled credit back, out of the wallet or the suspense that has it. Raises MalformedId, RecallNotFound, RecallDecided,
    NotSuspended, AlreadyOrdered.
    """
    found = await _waiting(connection, entry, recall_id)
    order = await decide.give_back(connection, entry, found.collection_id or "", _FOLLOWS_A_RECALL, by, of_wallets=True)
    await store_recalls.grant(connection, entry.region, found, order.order_id, by)
    return order


async def refuse(connection: Connection, entry: CellEntry, recall_id: str, code: str, by: Author) -> RecallRow:
    """Keep a recalled credit; `code` is what the sender is told: ISO 20022 ExternalPaymentCancellationRejection1Code (CUST, NOAS,
    LEGL). Raises MalformedId, RecallNotFound, RecallDecided.
    """
    found = await _waiting(connection, entry, recall_id)
    return await store_recalls.refuse(connection, entry.region, found, code, by)


async def take_answers(connection: Connection, region: str, answers: Sequence[RecallAnswered]) -> None:
    """Put other banks' words on our recalls on record. What answers no recall of ours says nothing."""
    by_payment = [(payment_of(one), one) for one in await named_by_uetr(connection, region, answers)]
    known = await store_recalls.answered(connection, region, by_payment, component("rail"))
    for payment, one in by_payment:
        if payment not in known:
            _log.warning("%s answers a recall of %r, which waits for none", one.rail, payment)


async def take_asides(connection: Connection, region: str, rail: str, asides: Sequence[Aside]) -> None:
    """A scheme's words on other messages of ours than payments. Our recall that it does not pass on is refused by it; a refused inquiry
    or return says nothing of a payment, and is sent again.
    """
    for one in asides:
        _log.warning(
            "%s answers our %s: %s", rail, one.subject, "accepted" if one.code is None else f"refused, {one.code!r}"
        )
    refused = [one for one in asides if one.subject == "recall" and one.code is not None and one.code not in DUPLICATES]
    if not refused:
        return
    sent = await store_messages.sent_under(connection, region, rail, [one.message_id for one in refused])
    now = datetime.now(UTC)
    await take_answers(
        connection,
        region,
        [
            RecallAnswered(rail, name, name, "refused", one.code or _NO_REASON, now)
            for one in refused
            for name in one.references or sent.get(one.message_id, ())
        ],
    )


async def _waiting(connection: Connection, entry: CellEntry, recall_id: str) -> RecallRow:
    wanted = parse(recall_id, "rcl").text
    found = (await store_recalls.load(connection, entry.region, [wanted])).get(wanted)
    if found is None or found.direction != "received":
        raise RecallNotFound(f"{entry.name} was asked for no credit under {recall_id}.")
    if found.state != "asked" or found.collection_id is None:
        raise RecallDecided(f"{recall_id} is {found.state}.")
    return found


def _row(entry: CellEntry, leg: Transfer, left: int, reason_code: str) -> RecallRow:
    recall_id, reference = mint("rcl", entry.name), end_to_end_id(leg.transfer_id)
    return RecallRow(
        recall_id=recall_id,
        direction="sent",
        rail=leg.rail,
        case_id=recall_id.replace("_", ""),
        transfer_id=leg.transfer_id,
        tenant_id=leg.tenant_id,
        scheme_reference=transaction_id(reference),
        end_to_end_id=reference,
        amount=left,
        currency=leg.target_currency,
        reason_code=reason_code,
        state="asking",
        at=datetime.now(UTC),
    )
