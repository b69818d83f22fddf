"""Every chain of the ledger as one table, and the one builder that makes postings of it. README.md is drawn from it.

Invariants:
- the postings of a chain follow from (life, action, attempt) alone, ids included: recovery builds the same ones again;
- a chain's postings all carry LINKED but the last, so the ledger applies it whole or not at all;
- a posting of zero is left out: no fee, no posting;
- a post or a void says everything again that its hold said, so that it is refused where another hold stands under that id.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from cells.ledger.chart import posting_id, posting_mark
from cells.ledger.codes import Code, Leg, Phase, Step
from cells.ledger.entry import Posting, PostingFlag
from cells.ledger.life import (
    BLOCKED,
    FEE,
    FEE_REVENUE,
    FX,
    FX_MARGIN,
    INBOUND,
    LOSS,
    MARGIN,
    NET,
    OTHER_WALLET,
    OUTBOUND,
    PAID_ACROSS,
    PAID_IN_REGION,
    PEER,
    PEER_CAP,
    PRINCIPAL,
    RAIL,
    RECIPIENT_FEE,
    RESERVE,
    SOURCE,
    SUSPENSE,
    SUSPENSE_OR_WALLET,
    WALLET,
    WHOLE,
    Account,
    Amount,
    Currency,
    Life,
)

Chain = tuple[Posting, ...]

# What the attempts of a numbered life are told apart by: its number is below that wherever it may be tried twice.
NUMBERS: Final = 1_000


class Action(StrEnum):
    """What the ledger is asked for in a life: one chain each."""

    HOLD = "hold"
    POST = "post"
    VOID = "void"
    FREEZE = "freeze"  # a sanction applies: all that was held
    UNFREEZE = "unfreeze"  # it does not: all that was frozen
    RESUME = "resume"  # … and the payment goes on, held anew under the next attempt
    WRITE_OFF = "write_off"  # paid although the money had been given back
    CREDIT = "credit"  # money that arrived goes to a wallet
    SUSPEND = "suspend"  # … to nobody yet
    FORWARD = "forward"  # … to the peer that it was paid out for
    RECOVER = "recover"  # … to the house, which had borne the loss
    ADMIT = "admit"  # a peer says that it passed a return on
    ASSIGN = "assign"  # suspended money has found its owner
    TRANSFER = "transfer"
    FUND = "fund"
    RELEASE_REMAINDER = "release_remainder"
    GRANT = "grant"
    WITHDRAW = "withdraw"


Mode = Mapping[Action, Phase]
_A, _P = Action, Phase
_TWO_PHASE: Final[Mode] = {_A.HOLD: _P.HOLD, _A.POST: _P.POST, _A.VOID: _P.VOID}
_PAYERS: Final[Mode] = {**_TWO_PHASE, _A.FREEZE: _P.VOID, _A.RESUME: _P.HOLD}
_CREDITED: Final[Mode] = {_A.HOLD: _P.HOLD, _A.CREDIT: _P.POST, _A.SUSPEND: _P.POST, _A.VOID: _P.VOID}
_RETURNED: Final[Mode] = {_A.HOLD: _P.HOLD, _A.FORWARD: _P.POST, _A.CREDIT: _P.POST, _A.RECOVER: _P.POST}


def _at(*actions: Action) -> Mode:
    """Posted at once, in the chains of these actions."""
    return dict.fromkeys(actions, Phase.DIRECT)


class Row(NamedTuple):
    """One line of the table. `mode`: what becomes of it in which action's chain; in any other it has no part."""

    step: Step
    leg: Leg
    debit: Account
    credit: Account
    amount: Amount
    currency: Currency
    mode: Mode
    code: Code


_L, _S, _C = Leg, Step, Code
_FROM, _TO = Currency.SOURCE, Currency.TARGET

# Read it aloud: "S1, of the origin: W → FX the principal, in the source currency, as a payer's hold". A chain has its rows in this order.
TABLE: Final = (
    # Money arrives at a rail.
    Row(_S.C1, _L.CREDIT, RAIL, INBOUND, WHOLE, _TO, _CREDITED, _C.COLLECTION),
    Row(_S.C2, _L.CREDIT, INBOUND, WALLET, WHOLE, _TO, _at(_A.CREDIT), _C.COLLECTION_CREDIT),
    Row(_S.C3, _L.CREDIT, INBOUND, SUSPENSE, WHOLE, _TO, _at(_A.SUSPEND), _C.COLLECTION_SUSPENSE),
    # Across a border, the paying cell.
    Row(_S.F2, _L.ORIGIN, BLOCKED, WALLET, PAID_ACROSS, _FROM, _at(_A.UNFREEZE, _A.RESUME), _C.UNFREEZE),
    Row(_S.S1, _L.ORIGIN, SOURCE, FX, PRINCIPAL, _FROM, _PAYERS, _C.PRINCIPAL),
    Row(_S.S2, _L.ORIGIN, SOURCE, FX_MARGIN, MARGIN, _FROM, _PAYERS, _C.MARGIN),
    Row(_S.S3, _L.ORIGIN, SOURCE, FEE_REVENUE, FEE, _FROM, _PAYERS, _C.FEE),
    Row(_S.S4, _L.ORIGIN, FX, PEER, WHOLE, _TO, _PAYERS, _C.DEALING),
    Row(_S.F1, _L.ORIGIN, SOURCE, BLOCKED, PAID_ACROSS, _FROM, _at(_A.FREEZE), _C.FREEZE),
    # … and the cell that pays out.
    Row(_S.D1, _L.DESTINATION, PEER, OUTBOUND, NET, _TO, _TWO_PHASE, _C.PAYOUT),
    Row(_S.D3, _L.DESTINATION, PEER, FEE_REVENUE, RECIPIENT_FEE, _TO, _TWO_PHASE, _C.RECIPIENT_FEE),
    Row(_S.D2, _L.DESTINATION, OUTBOUND, RAIL, NET, _TO, _at(_A.POST), _C.PAYOUT_SETTLED),
    # In one region and currency.
    Row(_S.F2, _L.IN_REGION, BLOCKED, WALLET, PAID_IN_REGION, _TO, _at(_A.UNFREEZE, _A.RESUME), _C.UNFREEZE),
    Row(_S.I1, _L.IN_REGION, SOURCE, OUTBOUND, NET, _TO, _PAYERS, _C.IN_REGION),
    Row(_S.I2, _L.IN_REGION, SOURCE, FEE_REVENUE, FEE, _TO, _PAYERS, _C.FEE),
    Row(_S.I4, _L.IN_REGION, SOURCE, FEE_REVENUE, RECIPIENT_FEE, _TO, _PAYERS, _C.RECIPIENT_FEE),
    Row(_S.I3, _L.IN_REGION, OUTBOUND, RAIL, NET, _TO, _at(_A.POST), _C.PAYOUT_SETTLED),
    Row(_S.F1, _L.IN_REGION, SOURCE, BLOCKED, PAID_IN_REGION, _TO, _at(_A.FREEZE), _C.FREEZE),
    # Paid out of the house's own, because the hold that it was for is gone.
    Row(_S.L1, _L.LOSS, LOSS, RAIL, NET, _TO, _at(_A.WRITE_OFF), _C.IN_DOUBT_LOSS),
    # Money comes back after completion: where it was paid out, then at the origin.
    Row(_S.R1, _L.RETURN, RAIL, INBOUND, WHOLE, _TO, _RETURNED, _C.RETURN),
    Row(_S.R2, _L.RETURN, INBOUND, PEER, WHOLE, _TO, _at(_A.FORWARD), _C.RETURN_POSITION),
    Row(_S.R2, _L.RETURN, INBOUND, WALLET, WHOLE, _TO, _at(_A.CREDIT), _C.RETURN_CREDIT),
    Row(_S.R2, _L.RETURN, INBOUND, LOSS, WHOLE, _TO, _at(_A.RECOVER), _C.RETURN_RECOVERED),
    Row(_S.R3, _L.RETURN, PEER, FX, WHOLE, _TO, _at(_A.ADMIT), _C.RETURN_DEALING),
    Row(_S.R4, _L.RETURN, FX, WALLET, PRINCIPAL, _FROM, _at(_A.ADMIT), _C.RETURN_PRINCIPAL),
    Row(_S.R5, _L.RETURN, FX_MARGIN, WALLET, MARGIN, _FROM, _at(_A.ADMIT), _C.RETURN_MARGIN),
    Row(_S.R6, _L.RETURN, FEE_REVENUE, WALLET, FEE, _FROM, _at(_A.CREDIT, _A.ADMIT), _C.RETURN_FEE),
    # What is decided of a credit: assigned to a wallet, or returned, and then held from before the scheme is asked until its answer.
    Row(_S.A1, _L.RESOLUTION, SUSPENSE, WALLET, WHOLE, _TO, _at(_A.ASSIGN), _C.SUSPENSE_ASSIGNED),
    Row(_S.G1, _L.RESOLUTION, SUSPENSE_OR_WALLET, INBOUND, WHOLE, _TO, _TWO_PHASE, _C.GIVE_BACK),
    Row(_S.G2, _L.RESOLUTION, INBOUND, RAIL, WHOLE, _TO, _at(_A.POST), _C.GIVEN_BACK),
    # Within the institution.
    Row(_S.B1, _L.INTERNAL_TRANSFER, WALLET, OTHER_WALLET, WHOLE, _TO, _at(_A.TRANSFER), _C.BOOK),
    Row(_S.E1, _L.BATCH, WALLET, RESERVE, WHOLE, _TO, _at(_A.FUND), _C.BATCH_FUNDING),
    Row(_S.E2, _L.BATCH, RESERVE, WALLET, WHOLE, _TO, _at(_A.RELEASE_REMAINDER), _C.BATCH_REMAINDER),
    Row(_S.CAP, _L.HOUSE, PEER_CAP, PEER, WHOLE, _TO, _at(_A.GRANT), _C.CAP),
    Row(_S.CAP, _L.HOUSE, PEER, PEER_CAP, WHOLE, _TO, _at(_A.WITHDRAW), _C.CAP),
)


def _chains() -> Mapping[tuple[Leg, Action], tuple[tuple[Row, Phase], ...]]:
    found: dict[tuple[Leg, Action], list[tuple[Row, Phase]]] = {}
    for row in TABLE:
        for action, phase in row.mode.items():
            found.setdefault((row.leg, action), []).append((row, phase))
    return MappingProxyType({key: tuple(rows) for key, rows in found.items()})


CHAINS: Final = _chains()
"""The rows of every chain, in their order, each with what becomes of it there."""

# A loss is a leg of its own, beside the payment's.
_LEG_OF: Final = MappingProxyType({Action.WRITE_OFF: Leg.LOSS})
# Where only a hold can be tried again: whatever follows it is asked once, and carries attempt 1.
_RESOLVED_ONCE: Final = frozenset({Leg.DESTINATION, Leg.LOSS})
# As plain ints: arithmetic on an enum's members costs more than all the rest of a posting.
_LINKED: Final = int(PostingFlag.LINKED)
_FLAG: Final = {
    Phase.DIRECT: int(PostingFlag.NONE),
    Phase.HOLD: int(PostingFlag.PENDING),
    Phase.POST: int(PostingFlag.POST_PENDING),
    Phase.VOID: int(PostingFlag.VOID_PENDING),
}


def postings_of(life: Life, action: Action, attempt: int = 1) -> Chain:
    """The chain of postings that `action` means in a life, linked: the ledger applies all of it or none.

    `attempt` counts from 1 and rises only after a definite failure (LEDGER.md, ids); a post, void or freeze is of the attempt of its hold.
    Raises KeyError for an action that the life does not know.
    """
    assert 0 <= life.recipient_fee < life.amount or not life.recipient_fee, "a recipient does not pay all that it gets"
    rows = CHAINS[_LEG_OF.get(action, life.leg), action]
    parts = [(row, phase, amount) for row, phase in rows if (amount := row.amount.of(life))]
    assert parts, "a chain has at least one posting"
    last = len(parts) - 1
    return tuple(
        _posting(life, row, phase, amount, attempt, _LINKED if place < last else 0)
        for place, (row, phase, amount) in enumerate(parts)
    )


def attempt_of(number: int, attempt: int) -> int:
    """The attempt that the postings of a life carry: of a numbered one, (attempt − 1)·1000 + number, so that no two share an id."""
    return (attempt - 1) * NUMBERS + number if number else attempt


def _posting(life: Life, row: Row, phase: Phase, amount: int, attempt: int, linked: int) -> Posting:
    assert amount > 0, "an amount is never negative: turn the posting round"
    held_as = attempt_of(life.number, attempt)
    own = 1 if phase is not Phase.HOLD and row.leg in _RESOLVED_ONCE else held_as
    resolves = phase is Phase.POST or phase is Phase.VOID
    ledger = row.currency.ledger_of(life)
    return Posting(
        id=posting_id(life.payment, row.leg, row.step, phase, own),
        debit_account_id=row.debit.of(life, ledger, attempt),
        credit_account_id=row.credit.of(life, ledger, attempt),
        amount=amount,
        ledger=ledger,
        code=int(row.code),
        flags=_FLAG[phase] | linked,
        pending_id=posting_id(life.payment, row.leg, row.step, Phase.HOLD, held_as) if resolves else 0,
        user_data_128=life.payment,
        user_data_64=posting_mark(row.leg, row.step, phase),
        user_data_32=own,
    )
