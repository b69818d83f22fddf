"""A return leaves the cell that paid out: signed, logged and in the outbox in the commit that calls it exported."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from cells.backends.postgres import Connection
from cells.customs.export import Outbound
from cells.journal.entry import component
from cells.payments import store
from cells.payments.transfer import Transfer
from cells.returns import store as store_returns
from cells.returns.returned import Return
from residency.errors import needed
from residency.messages import Returned

_BATCH = 500
# As residency.messages has them.
_CLEAR_REFERENCE = re.compile(r"[A-Za-z0-9/._:-]{1,64}")
_CLEAR_REASON = re.compile(r"[A-Z0-9]{4}")
# ISO 20022 ExternalReturnReason1Code: not specified, reason agent generated.
REASON_UNSPECIFIED = "MS03"


async def due(
    connection: Connection, region: str, at: datetime, aside: Collection[str] = (), only: Collection[str] | None = None
) -> tuple[list[Outbound], Mapping[str, Exception]]:
    """What the origins have yet to hear, oldest first, marked as exported in the caller's transaction; and by id, the returns that could
    not be read."""
    waiting, unreadable = await store_returns.due_for_export(connection, region, _BATCH, aside, only)
    if not waiting:
        return [], unreadable
    legs = await store.read(connection, region, sorted({one.transfer_id for one in waiting}))
    await store_returns.export(connection, region, waiting, component("border"))
    outbound = [
        Outbound(legs[one.transfer_id].origin_cell, message_of(one, legs[one.transfer_id], at)) for one in waiting
    ]
    return outbound, unreadable


def message_of(one: Return, leg: Transfer, at: datetime) -> Returned:
    """The clear part of what the origin is told. Pure."""
    reference, reason = one.scheme_reference, one.reason_code
    return Returned(
        transfer_id=one.transfer_id,
        instruction_hash=needed(leg.instruction_sha256, "a leg was admitted under an instruction").hex(),
        return_number=one.number,
        currency=one.currency,
        amount_minor=one.amount,
        rail=one.rail,
        scheme_reference=reference if _CLEAR_REFERENCE.fullmatch(reference) else one.return_id,
        reason_code=reason if _CLEAR_REASON.fullmatch(reason) else REASON_UNSPECIFIED,
        returned_at=at,
    )
