"""A payment as the ledger's table needs it: which facts, which accounts, and which chains are due. Pure.

The postings of each follow from `postings_of` (cells/ledger/postings.py): nothing else makes any.
"""

from collections.abc import Mapping

from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Leg as LedgerLeg
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.payments.machine import Effect, Leg
from cells.payments.transfer import Transfer
from cells.tenants.tenant import Wallet
from residency.ids import number

_LEGS = {Leg.ORIGIN: LedgerLeg.ORIGIN, Leg.DESTINATION: LedgerLeg.DESTINATION, Leg.IN_REGION: LedgerLeg.IN_REGION}


def account_of(wallet: Wallet) -> int:
    """W of a wallet."""
    return chart.wallet(wallet.owner_number, ledger_of(wallet.currency), wallet.qualifier)


def life_of(transfer: Transfer, wallet_account: int, cell_numbers: Mapping[str, int]) -> Life:
    """A leg of a payment. `wallet_account`: W, also of a batch's line; at a destination it is not looked at."""
    return Life(
        leg=_LEGS[transfer.leg],
        payment=number(transfer.transfer_id),
        wallet=wallet_account,
        drawn_on=AccountType.TENANT_WALLET if transfer.batch_id is None else AccountType.BATCH_RESERVE,
        peer=peer_of(transfer, cell_numbers),
        rail=transfer.rail,
        source_ledger=ledger_of(transfer.source_currency),
        target_ledger=ledger_of(transfer.target_currency),
        principal=transfer.principal,
        margin=transfer.margin,
        fee=transfer.fee,
        amount=transfer.target_amount,
        recipient_fee=transfer.recipient_fee,
    )


def chain_of(transfer: Transfer, effect: Effect, wallet_account: int, cell_numbers: Mapping[str, int]) -> Chain:
    """The postings that `effect` means for a leg of a payment, under its current attempt."""
    return postings_of(life_of(transfer, wallet_account, cell_numbers), action_of(effect), transfer.attempt)


def action_of(effect: Effect) -> Action:
    """What the ledger's table calls an effect of the lifecycle."""
    return Action.WRITE_OFF if effect is Effect.LOSE else Action(effect)


def peer_of(transfer: Transfer, cell_numbers: Mapping[str, int]) -> int:
    """The number of the other cell of a leg."""
    return cell_numbers[transfer.destination_cell if transfer.leg is Leg.ORIGIN else transfer.origin_cell]


def ledger_of(currency: str) -> int:
    """The ledger that holds `currency`."""
    return CURRENCIES[currency].number
