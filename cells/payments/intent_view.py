"""An intent is a quote and a payment asked for in one call; this is how it shows the payment's life. Pure, one table.

    CREATED → VALIDATED → AUTHORIZED → SETTLED → REVERSED
       └───────────┴────────────┴──▶ FAILED
                   ◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘  a transfer that was BLOCKED, once officers release it

Every state that a partner can be shown of a payment has its line; a test walks the lifecycle and finds no other.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cells.payments.machine import State, public


class IntentStatus(StrEnum):
    CREATED = "CREATED"  # the price is locked; the ledger has not said yet whether the funds are there
    VALIDATED = "VALIDATED"  # checked, and the funds are held; it can still be cancelled
    AUTHORIZED = "AUTHORIZED"  # on its way, and past cancelling
    SETTLED = "SETTLED"  # with the recipient
    FAILED = (
        "FAILED"  # it never will be; what was held is given back (or frozen, by a sanction, until officers release it)
    )
    REVERSED = "REVERSED"  # it was, and all of it has come back


_S, _I = State, IntentStatus
VIEW: Final = MappingProxyType(
    {
        _S.CREATED: _I.CREATED,
        _S.IN_REVIEW: _I.VALIDATED,
        _S.FUNDS_HELD: _I.VALIDATED,
        _S.INSTRUCTED: _I.AUTHORIZED,
        _S.PENDING_RAIL: _I.AUTHORIZED,
        _S.COMPLETED: _I.SETTLED,
        _S.PARTIALLY_RETURNED: _I.SETTLED,
        _S.RETURNED: _I.REVERSED,
        _S.REJECTED: _I.FAILED,
        _S.CANCELLED: _I.FAILED,
        _S.BLOCKED: _I.FAILED,
        _S.RAIL_REJECTED: _I.FAILED,
        _S.DESTINATION_REJECTED: _I.FAILED,
        _S.REFUNDED: _I.FAILED,
    }
)


def intent_status(state: State) -> IntentStatus:
    """How an intent shows a payment in that state, be it one that partners see or a moment between two of them."""
    return VIEW[public(state)]
