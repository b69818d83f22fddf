"""What an operator orders of a credit that came in: to assign suspended money to a wallet, or to give a credit back.

    assign      ordered → done
    give_back   ordered → held (the ledger has it) → answered (the scheme's final word) → done
                ordered → failed (the wallet has not enough)

An order is a decision on record; the wallet's actor carries it out (order_leg.py), and a worker asks the scheme. Pure.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from cells.journal.life import Life
from cells.kit.command import Command
from cells.rails.rail import ReturnOut
from residency.classes import Confidential, Public
from residency.errors import KovraError

OrderKind = Literal["assign", "give_back"]
OrderState = Literal["ordered", "held", "answered", "done", "failed"]
OrderOutcome = Literal["settled", "refused"]
# ISO 20022: the wallet has not enough.
NO_FUNDS: Final = "AM04"


class NotSuspended(KovraError):
    code = "not-suspended"
    status = 409
    title = "That credit does not rest in suspense"


class AlreadyOrdered(KovraError):
    code = "already-ordered"
    status = 409
    title = "What becomes of that credit is ordered already"


class WrongWallet(KovraError):
    code = "wrong-wallet"
    status = 422
    title = "That wallet cannot take this money"


@dataclass(frozen=True, slots=True)
class Order:
    """A row of `orders`. `amount` in minor units of `currency`."""

    order_id: Annotated[str, Public]
    collection_id: Annotated[str, Public]
    number: Annotated[int, Public]
    tenant_id: Annotated[str, Public]
    wallet_id: Annotated[str, Public]
    kind: Annotated[OrderKind, Public]
    suspended: Annotated[bool, Public]
    rail: Annotated[str, Public]
    scheme_reference: Annotated[str, Confidential]
    end_to_end_id: Annotated[str, Confidential]
    amount: Annotated[int, Confidential]
    currency: Annotated[str, Confidential]
    reason_code: Annotated[str, Public]
    state: Annotated[OrderState, Public] = "ordered"
    outcome: Annotated[OrderOutcome | None, Public] = None
    answer_code: Annotated[str | None, Public] = None
    version: Annotated[int, Public] = 1
    created_at: Annotated[datetime | None, Public] = None
    updated_at: Annotated[datetime | None, Public] = None

    @property
    def return_id(self) -> str:
        """What the scheme knows the return by: the order's id without its dashes, the same however often it is asked."""
        return self.order_id.replace("_", "")

    def as_return(self) -> ReturnOut:
        """What the scheme is asked."""
        return ReturnOut(
            self.return_id, self.scheme_reference, self.end_to_end_id, self.amount, self.currency, self.reason_code
        )

    def command(self, word: str = "") -> Command:
        """What the wallet is asked; `word` tells one asking from another, where it shall be asked anew."""
        return Command(f"{self.order_id}:{self.state}:{word}", self.wallet_id, "order", self.order_id)


RESOLUTION: Final = Life("resolution", "orders", "order_id", Order, money={"amount": "currency"}, may_exist=True)


def after_applied(order: Order) -> OrderState:
    """Where an order stands once the chain that it waited for is applied."""
    return "held" if order.state == "ordered" and order.kind == "give_back" else "done"
