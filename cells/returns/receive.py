"""A return at the door, from the scheme or from the cell that paid out: checked, numbered and put on record, in one transaction.

Invariants: once per scheme reference (a duplicate is answered as the first was, one that says something else is refused); never
more than was paid, decided while the payment's row is locked; on record before anybody is answered, booked by the wallet's
actor afterwards.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, TypeVar

from cells.backends.postgres import Connection
from cells.customs.admit import Admitted
from cells.journal.entry import component
from cells.payments import store
from cells.payments.machine import Leg
from cells.payments.transfer import Transfer
from cells.rails import store as submissions
from cells.rails.later import RecallAnswered
from cells.rails.rail import ReturnReceived, end_to_end_id_of, transfer_id_of, utc_now
from cells.returns import store as store_returns
from cells.returns.returned import (
    DUPLICATE,
    UNKNOWN,
    Policy,
    Return,
    Total,
    exceeds,
    gives_back,
    may_be_admitted,
    objection,
)
from residency.ids import MalformedId, mint
from residency.messages import Returned

_log = logging.getLogger("kovra.returns")
_Key = tuple[str, str]


class ReturnReception(NamedTuple):
    """`rows`: the returns on record, those that were there before too; `refusals`: ISO reason codes by scheme reference."""

    rows: list[Return]
    refusals: dict[str, str]

    @property
    def open(self) -> list[Return]:
        """Those that a wallet's actor has to book now; what settles on a later day is booked then."""
        now = utc_now()
        return [one for one in self.rows if one.is_due(now)]


def payment_of(one: ReturnReceived | RecallAnswered) -> str:
    """The payment that a scheme's return, or its word on a recall, names, by the end-to-end id that we gave it; "" when it names none of ours."""
    for named in (one.end_to_end_id, end_to_end_id_of(one.transaction_id)):
        try:
            return transfer_id_of(named)
        except MalformedId:
            continue
    return ""


Named = TypeVar("Named", ReturnReceived, RecallAnswered)


async def named_by_uetr(connection: Connection, region: str, came: Sequence[Named]) -> list[Named]:
    """The same, with the end-to-end ids of those that name a payment of ours by its UETR alone."""
    alone = [one.uetr for one in came if one.uetr and not (one.end_to_end_id or one.transaction_id)]
    named = await submissions.named_by_uetr(connection, region, alone) if alone else {}
    return [
        replace(one, end_to_end_id=named[one.uetr])
        if one.uetr in named and not (one.end_to_end_id or one.transaction_id)
        else one
        for one in came
    ]


async def receive_returns(
    connection: Connection, cell: str, region: str, came: Sequence[ReturnReceived]
) -> ReturnReception:
    """Decide the scheme's returns, in order, and put on record those that are taken. The writer's connection; never commits."""
    came = await named_by_uetr(connection, region, came)
    legs = await store.load(connection, region, sorted({payment_of(one) for one in came}))
    known = await store_returns.by_reference(connection, region, [(one.rail, one.scheme_reference) for one in came])
    totals = await store_returns.totals(connection, region, list(legs))
    policies = await store_returns.policies(connection, region, sorted({leg.tenant_id for leg in legs.values()}))
    new, refusals = judge(cell, came, legs, known, totals, policies)
    kept = await _kept(connection, region, new, "received")
    for mine in new:
        if kept[mine.rail, mine.scheme_reference].says() != mine.says():
            refusals[mine.scheme_reference] = DUPLICATE
    found = {**known, **kept}
    for reason in refusals.values():
        _log.warning("a return was refused: %s", reason)
    rows = [found[key] for one in came if (key := (one.rail, one.scheme_reference)) in found]
    return ReturnReception(list({row.return_id: row for row in rows}.values()), refusals)


def judge(
    cell: str,
    came: Sequence[ReturnReceived],
    legs: Mapping[str, Transfer],
    known: Mapping[_Key, Return],
    totals: Mapping[str, Total],
    policies: Mapping[str, Policy],
) -> tuple[list[Return], dict[str, str]]:
    """What becomes of the scheme's returns, in order: the rows to put on record, and ISO reason codes by scheme reference. Pure,
    but for the ids that it mints. `known`: what is on record; `totals`: what came back of each payment before."""
    rows, sums = dict(known), dict(totals)
    new: list[Return] = []
    refusals: dict[str, str] = {}
    for one in came:
        transfer_id = payment_of(one)
        key, leg, total = (one.rail, one.scheme_reference), legs.get(transfer_id), sums.get(transfer_id, Total())
        if key in rows:
            if rows[key].says() != (transfer_id, one.amount_minor, one.currency):
                refusals[one.scheme_reference] = DUPLICATE
            continue
        reason = one.settlement.reason_code or objection(leg, one.rail, one.currency, one.amount_minor, total)
        if reason is not None or leg is None:
            refusals[one.scheme_reference] = reason or UNKNOWN
            continue
        rows[key] = row = _row(cell, leg, one, total, policies.get(leg.tenant_id, "original"))
        sums[transfer_id] = Total(total.count + 1, total.amount + one.amount_minor)
        new.append(row)
    return new, refusals


async def admit_returns(connection: Connection, cell: str, region: str, admitted: Sequence[Admitted]) -> list[Return]:
    """Keep what instructed cells say came back; the returns for the wallets' actors to book. What cannot be true has no effect,
    and is shouted about: the gate has checked that it comes from the cell that was instructed, and names the instruction."""
    messages = [one.opened.message for one in admitted if not one.faults and isinstance(one.opened.message, Returned)]
    if not messages:
        return []
    legs = await store.load(connection, region, sorted({one.transfer_id for one in messages}))
    totals = await store_returns.totals(connection, region, list(legs))
    policies = await store_returns.policies(connection, region, sorted({leg.tenant_id for leg in legs.values()}))
    new: list[Return] = []
    for message in messages:
        leg, total = legs[message.transfer_id], totals.get(message.transfer_id, Total())
        fault = admission_fault(leg, message, total)
        if fault is not None:
            _log.critical("%s: %s says that money came back, and %s", leg.transfer_id, leg.destination_cell, fault)
            continue
        new.append(row_of(cell, leg, message, total, policies.get(leg.tenant_id, "original")))
        totals[leg.transfer_id] = Total(total.count + 1, total.amount + message.amount_minor)
    kept = await _kept(connection, region, new, "admitted")
    return list(kept.values())


def admission_fault(leg: Transfer, message: Returned, total: Total) -> str | None:
    """Why the instructed cell's word on a return cannot be true; None when it can. Pure."""
    if not may_be_admitted(leg):
        return "it has not said that it was paid"
    if message.currency != leg.target_currency:
        return "in another currency than was paid"
    return "more than was paid" if exceeds(leg, message.amount_minor, total) else None


def row_of(cell: str, leg: Transfer, message: Returned, total: Total, policy: Policy) -> Return:
    """The origin's row of a return that was admitted."""
    assert leg.leg is Leg.ORIGIN
    back = gives_back(leg, total.amount, message.amount_minor, policy)
    return Return(
        return_id=mint("ret", cell),
        transfer_id=leg.transfer_id,
        tenant_id=leg.tenant_id,
        wallet_id=leg.wallet_id,
        number=message.return_number,
        rail=message.rail,
        scheme_reference=message.scheme_reference,
        currency=message.currency,
        amount=message.amount_minor,
        before=total.amount,
        principal_back=back.principal,
        margin_back=back.margin,
        fee_back=back.fee,
        reason_code=message.reason_code,
        received_at=message.returned_at,
    )


def _row(cell: str, leg: Transfer, one: ReturnReceived, total: Total, policy: Policy) -> Return:
    back = gives_back(leg, total.amount, one.amount_minor, policy)
    return Return(
        return_id=mint("ret", cell),
        transfer_id=leg.transfer_id,
        tenant_id=leg.tenant_id,
        wallet_id=leg.wallet_id,
        number=total.count + 1,
        rail=one.rail,
        scheme_reference=one.scheme_reference,
        currency=one.currency,
        amount=one.amount_minor,
        before=total.amount,
        principal_back=back.principal,
        margin_back=back.margin,
        fee_back=back.fee,
        reason_code=one.reason_code,
        received_at=one.received_at,
        available_at=one.settlement.available_at,
    )


async def _kept(
    connection: Connection, region: str, new: Sequence[Return], event: Literal["received", "admitted"]
) -> dict[_Key, Return]:
    """What the record holds under the references of `new`, once they were put there."""
    if not new:
        return {}
    by = component("rail" if event == "received" else "border")
    await store_returns.insert(connection, region, new, event, by)
    return await store_returns.by_reference(connection, region, [(one.rail, one.scheme_reference) for one in new])
