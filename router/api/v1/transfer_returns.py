"""What has come back of a transfer, as the API shows it beside the transfer."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel

from cells.backends.postgres import Connection
from cells.kit.money import money
from cells.payments.transfer import Transfer, returned_shown
from cells.rails.iso20022.reason_words import reason_in_words
from cells.returns import store as store_returns
from cells.returns.returned import Return
from residency.classes import Confidential, Public
from residency.wire import Money, Returned
from router.api.shapes import stamp


class ReturnShown(BaseModel):
    """One return. `reason`: the meaning of the code. `amount`: of the recipient's money; `credited`: what your wallet got for it."""

    number: Annotated[int, Public]
    amount: Annotated[Money, Confidential]
    credited: Annotated[Money, Confidential]
    reason_code: Annotated[str, Public]
    reason: Annotated[str | None, Public]
    at: Annotated[datetime, Public]


class ReturnedShown(Returned):
    """Everything that has come back so far."""

    returns: Annotated[list[ReturnShown], Confidential]


async def returned_of(connection: Connection, region: str, transfer: Transfer) -> dict[str, Any] | None:
    """None while nothing has been booked. The tenant's own connection."""
    found = (await store_returns.of_transfers(connection, region, [transfer.transfer_id])).get(transfer.transfer_id, [])
    booked = [one for one in found if one.state != "received"]
    if not booked:
        return None
    return {**(returned_shown(transfer) or {}), "returns": [_shown(transfer, one) for one in booked]}


def _shown(transfer: Transfer, one: Return) -> dict[str, Any]:
    source = transfer.source_currency
    return {
        "number": one.number,
        "amount": money(one.amount, one.currency),
        "credited": money(one.back.total, source),
        "reason_code": one.reason_code,
        "reason": reason_in_words(one.reason_code),
        "at": stamp(one.updated_at or one.received_at),
    }
