"""What the postings of a life follow from: its unchanging facts, and the accounts and amounts that the rows of the table name.

A life is one record that moves money: a leg of a payment, a return, a credit, a resolution, an internal transfer, a batch, or a change of a
peer's cap. Pure.
"""

from collections.abc import Callable
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple

from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Leg


class Life(NamedTuple):
    """The facts of one life. A life gives those that its rows name; amounts are minor units, and never computed from a rate here.

    `payment`: the u128 that its postings name. `wallet`, `other_wallet`: account ids (W). `drawn_on`: what the money is taken from: W
    itself, BATCH_RESERVE for a line of a batch, SUSPENSE for a credit that nobody was found for. `peer`: number of the other cell.
    `rail`: its name. The ledgers are ISO 4217 numbers; a life in one currency gives `target_ledger`. `principal`, `margin` and `fee` are in
    the source currency; `amount`, and the `recipient_fee` that it contains, in the target's. `number`: which of several lives of one
    payment it is, counted from 1; 0 where there is one alone.
    """

    leg: Leg
    payment: int
    wallet: int = 0
    other_wallet: int = 0
    drawn_on: AccountType = AccountType.TENANT_WALLET
    peer: int = 0
    rail: str = ""
    source_ledger: int = 0
    target_ledger: int = 0
    principal: int = 0
    margin: int = 0
    fee: int = 0
    amount: int = 0
    recipient_fee: int = 0
    number: int = 0


class Currency(StrEnum):
    """Which of the two ledgers of a life."""

    SOURCE = "source"
    TARGET = "target"

    def ledger_of(self, life: Life) -> int:
        return life.source_ledger if self is Currency.SOURCE else life.target_ledger


class Account(NamedTuple):
    """A column of the table: what LEDGER.md calls the account, and which one it is of (life, ledger, attempt)."""

    name: str
    of: Callable[[Life, int, int], int]


class Amount(NamedTuple):
    """A column of the table: how many minor units of a life."""

    name: str
    of: Callable[[Life], int]


def _drawn_on(life: Life, ledger: int, attempt: int) -> int:
    match life.drawn_on:
        case AccountType.BATCH_RESERVE if attempt == 1:
            return chart.reserve(life.wallet)
        case AccountType.SUSPENSE:
            return chart.platform(AccountType.SUSPENSE, ledger)
    # What is held anew after a freeze was given back to the wallet itself: its batch has ended meanwhile.
    return life.wallet


def _platform(name: str, kind: AccountType) -> Account:
    return Account(name, lambda _life, ledger, _attempt: chart.platform(kind, ledger))


SOURCE: Final = Account("W", _drawn_on)
SUSPENSE_OR_WALLET: Final = Account("SUS or W", _drawn_on)
WALLET: Final = Account("W", lambda life, _ledger, _attempt: life.wallet)
OTHER_WALLET: Final = Account("W", lambda life, _ledger, _attempt: life.other_wallet)
RESERVE: Final = Account("RSV", lambda life, _ledger, _attempt: chart.reserve(life.wallet))
RAIL: Final = Account("RAIL", lambda life, ledger, _attempt: chart.rail(life.rail, ledger))
PEER: Final = Account("REG", lambda life, ledger, _attempt: chart.settlement(life.peer, ledger))
PEER_CAP: Final = Account("REGIONAL_CAP", lambda life, ledger, _attempt: chart.settlement_cap(life.peer, ledger))
INBOUND: Final = _platform("PI", AccountType.PENDING_INBOUND)
OUTBOUND: Final = _platform("PO", AccountType.PENDING_OUTBOUND)
FX: Final = _platform("FX", AccountType.FX_POSITION)
FX_MARGIN: Final = _platform("MARGIN", AccountType.FX_MARGIN)
FEE_REVENUE: Final = _platform("FEE", AccountType.FEE_REVENUE)
SUSPENSE: Final = _platform("SUS", AccountType.SUSPENSE)
BLOCKED: Final = _platform("BLOCKED_FUNDS", AccountType.BLOCKED_FUNDS)
LOSS: Final = _platform("IN_DOUBT_LOSS", AccountType.IN_DOUBT_LOSS)

PRINCIPAL: Final = Amount("principal", attrgetter("principal"))
MARGIN: Final = Amount("margin", attrgetter("margin"))
FEE: Final = Amount("fee", attrgetter("fee"))
WHOLE: Final = Amount("M", attrgetter("amount"))
RECIPIENT_FEE: Final = Amount("f", attrgetter("recipient_fee"))
NET: Final = Amount("M − f", lambda life: life.amount - life.recipient_fee)
PAID_ACROSS: Final = Amount("principal + margin + fee", lambda life: life.principal + life.margin + life.fee)
PAID_IN_REGION: Final = Amount("M + fee", lambda life: life.amount + life.fee)
