"""A return as the ledger's table needs it (cells/ledger/postings.py). Pure."""

from collections.abc import Mapping

from cells.ledger.asked import Asked, Outcome
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.payments.lives import ledger_of, peer_of
from cells.payments.machine import Leg, State
from cells.payments.transfer import Transfer
from cells.returns.returned import Return, bookable
from residency.ids import number


def life_of_return(one: Return, transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]) -> Life:
    """A return of a payment. `wallet_account`: not looked at where it was paid out for a peer."""
    return Life(
        leg=LedgerLeg.RETURN,
        payment=number(one.transfer_id),
        wallet=wallet_account,
        peer=peer_of(transfer, cell_numbers),
        rail=one.rail,
        source_ledger=ledger_of(transfer.source_currency),
        target_ledger=ledger_of(transfer.target_currency),
        principal=one.principal_back,
        margin=one.margin_back,
        fee=one.fee_back,
        amount=one.amount,
        number=one.number,
    )


def actions_of_return(transfer: Transfer) -> tuple[Action, ...]:
    """What the ledger is asked for a return of that payment, in order."""
    if transfer.leg is Leg.ORIGIN:
        return (Action.ADMIT,)
    if transfer.state is State.LOST:
        return Action.HOLD, Action.RECOVER
    return Action.HOLD, Action.CREDIT if transfer.leg is Leg.IN_REGION else Action.FORWARD


def chains_of_return(
    one: Return, transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]
) -> tuple[Chain, ...]:
    """Everything that the ledger is asked for a return, in order."""
    life = life_of_return(one, transfer, wallet_account, cell_numbers)
    return tuple(postings_of(life, action, one.attempt) for action in actions_of_return(transfer))


def chains_asked(one: Return, transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]) -> list[Asked]:
    """Every chain that a return on record has asked the ledger for. An attempt that came to nothing was refused as a whole."""
    life, actions = life_of_return(one, transfer, wallet_account, cell_numbers), actions_of_return(transfer)
    tries: list[tuple[int, Outcome]] = [(attempt, "failed") for attempt in range(1, one.attempt)]
    if one.state != "received":
        tries.append((one.attempt, "applied"))
    elif bookable(transfer):
        tries.append((one.attempt, "planned"))
    at = one.updated_at or one.received_at
    return [Asked(life, action, outcome, attempt, at) for attempt, outcome in tries for action in actions]
