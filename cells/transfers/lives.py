"""The lives of this room as the ledger's table needs them: which facts, which accounts, and which chains are due. Pure.

The postings of each follow from `postings_of` (cells/ledger/postings.py): nothing else makes any.
"""

from collections.abc import Mapping

from cells.batches.batch import Batch
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.tenants.tenant import Wallet
from cells.transfers.book import Book
from cells.transfers.deposit import Deposit
from cells.transfers.machine import Effect, Leg, State
from cells.transfers.orders import Order
from cells.transfers.returned import Return
from cells.transfers.transfer import Transfer
from residency.ids import number

_LEGS = {Leg.ORIGIN: LedgerLeg.ORIGIN, Leg.DESTINATION: LedgerLeg.DESTINATION, Leg.IN_REGION: LedgerLeg.IN_REGION}


def account_of(wallet: Wallet) -> int:
    """W of a wallet."""
    return chart.wallet(wallet.owner_number, _ledger(wallet.currency), wallet.qualifier)


def life_of(transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]) -> Life:
    """A leg of a payment. `wallet_account`: W, also of a batch's line; at a destination it is not looked at."""
    return Life(
        leg=_LEGS[transfer.leg],
        payment=number(transfer.transfer_id),
        wallet=wallet_account,
        drawn_on=AccountType.TENANT_WALLET if transfer.batch_id is None else AccountType.BATCH_RESERVE,
        peer=_peer(transfer, cell_numbers),
        rail=transfer.rail,
        source_ledger=_ledger(transfer.source_currency),
        target_ledger=_ledger(transfer.target_currency),
        principal=transfer.principal,
        margin=transfer.margin,
        fee=transfer.fee,
        amount=transfer.target_amount,
        recipient_fee=transfer.recipient_fee,
    )


def chain_of(transfer: Transfer, effect: Effect, wallet_account: int, cell_numbers: Mapping[str, int]) -> Chain:
    """The postings that `effect` means for a leg of a payment, under its current attempt."""
    action = Action.WRITE_OFF if effect is Effect.LOSE else Action(effect)
    return postings_of(life_of(transfer, wallet_account, cell_numbers), action, transfer.attempt)


def life_of_return(one: Return, transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]) -> Life:
    """A return of a payment. `wallet_account`: not looked at where it was paid out for a peer."""
    return Life(
        leg=LedgerLeg.RETURN,
        payment=number(one.transfer_id),
        wallet=wallet_account,
        peer=_peer(transfer, cell_numbers),
        rail=one.rail,
        source_ledger=_ledger(transfer.source_currency),
        target_ledger=_ledger(transfer.target_currency),
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


def life_of_credit(deposit: Deposit, wallet_account: int) -> Life:
    """Money that a rail brought in."""
    return Life(
        LedgerLeg.CREDIT, number(deposit.collection_id), wallet_account,
        rail=deposit.rail, target_ledger=_ledger(deposit.currency), amount=deposit.amount,
    )  # fmt: skip


def life_of_resolution(order: Order, wallet_account: int) -> Life:
    """What is decided of a credit, which the postings name as their payment."""
    return Life(
        LedgerLeg.RESOLUTION, number(order.collection_id), wallet_account,
        drawn_on=AccountType.SUSPENSE if order.suspended else AccountType.TENANT_WALLET, rail=order.rail,
        target_ledger=_ledger(order.currency), amount=order.amount, number=order.number,
    )  # fmt: skip


def action_of_resolution(order: Order) -> Action | None:
    """What an order's state waits for; None while it waits for the scheme, or for nobody."""
    match order.state:
        case "ordered":
            return Action.ASSIGN if order.kind == "assign" else Action.HOLD
        case "answered":
            return Action.POST if order.outcome == "settled" else Action.VOID
    return None


def life_of_batch(batch: Batch, wallet_account: int, amount: int) -> Life:
    """A batch beside its lines' payments. `amount`: what its chain moves, the whole or what is left."""
    return Life(
        LedgerLeg.BATCH, number(batch.batch_id), wallet_account,
        target_ledger=_ledger(batch.source_currency), amount=amount,
    )  # fmt: skip


def life_of_internal_transfer(book: Book, source: int, target: int, amount: int) -> Life:
    """Money between a tenant's own wallets. `source`, `target`: their W; `amount`: of a close, what was in it."""
    return Life(
        LedgerLeg.INTERNAL_TRANSFER, number(book.book_id), source,
        other_wallet=target, target_ledger=_ledger(book.currency), amount=amount,
    )  # fmt: skip


def _peer(transfer: Transfer, cell_numbers: Mapping[str, int]) -> int:
    return cell_numbers[transfer.destination_cell if transfer.leg is Leg.ORIGIN else transfer.origin_cell]


def _ledger(currency: str) -> int:
    return CURRENCIES[currency].number
