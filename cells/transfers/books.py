"""Which ledger accounts a payment touches, and the chain of postings that each effect means for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from cells.kit.money import CURRENCIES
from cells.ledger import chains, chart, release_chains
from cells.ledger.chains import (
    Chain,
    DestinationAccounts,
    InRegionAccounts,
    InRegionTerms,
    OriginAccounts,
)
from cells.ledger.loss_chains import in_doubt_loss
from cells.tenants.tenant import Wallet
from cells.transfers.machine import Effect, Leg
from cells.transfers.transfer import Transfer
from residency.ids import number


@dataclass(frozen=True, slots=True)
class Books:
    """Which ledger accounts a transfer touches: the wallet's own (of a batch's line, its reserve), and the numbers of the cells at
    both ends."""

    wallet_account: int
    cell_numbers: Mapping[str, int]

    @classmethod
    def of(cls, wallet: Wallet, transfer: Transfer, cell_numbers: Mapping[str, int]) -> "Books":
        """Those of a transfer that is paid out of `wallet`."""
        account = account_of(wallet)
        in_batch = transfer.batch_id is not None and not transfer.released
        return cls(chart.reserve(account) if in_batch else account, cell_numbers)

    def chain(self, transfer: Transfer, effect: Effect) -> Chain:
        """The chain of postings that `effect` means for `transfer`, with the ids of its current attempt."""
        payment = number(transfer.transfer_id)
        match transfer.leg:
            case Leg.ORIGIN:
                return self._origin(payment, transfer, effect)
            case Leg.DESTINATION:
                return self._destination(payment, transfer, effect)
            case Leg.IN_REGION:
                return self._in_region(payment, transfer, effect)

    def _origin(self, payment: int, transfer: Transfer, effect: Effect) -> Chain:
        terms = transfer.terms
        accounts = OriginAccounts.of(self.wallet_account, self.cell_numbers[transfer.destination_cell], terms)
        attempt = transfer.attempt
        match effect:
            case Effect.HOLD:
                return chains.cross_border_hold(payment, accounts, terms, attempt=attempt)
            case Effect.POST:
                return chains.cross_border_post(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.VOID:
                return chains.cross_border_void(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.FREEZE:
                return chains.cross_border_freeze(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.UNFREEZE:
                return release_chains.cross_border_unfreeze(payment, accounts, terms, attempt=attempt)
            case Effect.RESUME:
                return release_chains.cross_border_resume(payment, accounts, terms, attempt=attempt)
        raise AssertionError(effect)

    def _destination(self, payment: int, transfer: Transfer, effect: Effect) -> Chain:
        ledger = CURRENCIES[transfer.target_currency].number
        accounts = DestinationAccounts.of(self.cell_numbers[transfer.origin_cell], transfer.rail, ledger)
        amount, fee, attempt = transfer.target_amount, transfer.recipient_fee, transfer.attempt
        match effect:
            case Effect.HOLD:
                return chains.destination_hold(payment, accounts, amount, ledger, recipient_fee=fee, attempt=attempt)
            case Effect.POST:
                return chains.destination_post(
                    payment, accounts, amount, ledger, recipient_fee=fee, hold_attempt=attempt
                )
            case Effect.VOID:
                return chains.destination_void(
                    payment, accounts, amount, ledger, recipient_fee=fee, hold_attempt=attempt
                )
            case Effect.LOSE:
                return in_doubt_loss(payment, accounts.rail, ledger, transfer.payout_amount)
        raise AssertionError(effect)

    def _in_region(self, payment: int, transfer: Transfer, effect: Effect) -> Chain:
        ledger = CURRENCIES[transfer.source_currency].number
        accounts = InRegionAccounts.of(self.wallet_account, transfer.rail, ledger)
        terms, attempt = (
            InRegionTerms(transfer.payout_amount, transfer.fee, transfer.recipient_fee, ledger),
            transfer.attempt,
        )
        match effect:
            case Effect.HOLD:
                return chains.in_region_hold(payment, accounts, terms, attempt=attempt)
            case Effect.POST:
                return chains.in_region_post(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.VOID:
                return chains.in_region_void(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.FREEZE:
                return chains.in_region_freeze(payment, accounts, terms, hold_attempt=attempt, attempt=attempt)
            case Effect.UNFREEZE:
                return release_chains.in_region_unfreeze(payment, accounts, terms, attempt=attempt)
            case Effect.RESUME:
                return release_chains.in_region_resume(payment, accounts, terms, attempt=attempt)
            case Effect.LOSE:
                return in_doubt_loss(payment, accounts.rail, ledger, transfer.payout_amount)
        raise AssertionError(effect)


def account_of(wallet: Wallet) -> int:
    """W of a wallet."""
    return chart.wallet(wallet.owner_number, CURRENCIES[wallet.currency].number, wallet.qualifier)
