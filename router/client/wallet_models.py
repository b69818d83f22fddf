"""What the API answers of wallets, typed."""

from datetime import datetime
from typing import Annotated

from residency.classes import Confidential, Public
from residency.wire import Money
from router.client.models import Answer, Page


class Wallet(Answer):
    """`available` can be spent now; `held` waits on payments under way; `pending_inbound` is being credited."""

    id: Annotated[str, Public]
    currency: Annotated[str, Public]
    state: Annotated[str, Public]
    account_number: Annotated[str | None, Confidential] = None
    available: Annotated[Money, Confidential]
    held: Annotated[Money, Confidential]
    pending_inbound: Annotated[Money | None, Confidential] = None


class SubWallet(Answer):
    """A named part of the wallet `wallet_id`; until `locked_until` money goes in and not out."""

    id: Annotated[str, Public]
    wallet_id: Annotated[str, Public]
    name: Annotated[str, Confidential]
    currency: Annotated[str, Public]
    state: Annotated[str, Public]
    available: Annotated[Money, Confidential]
    target: Annotated[Money | None, Confidential] = None
    locked_until: Annotated[datetime | None, Confidential] = None
    created_at: Annotated[datetime, Public]
    closed_at: Annotated[datetime | None, Public] = None


class WalletTransfer(Answer):
    """Money moved between two of your wallets."""

    id: Annotated[str, Public]
    kind: Annotated[str, Public]
    from_wallet_id: Annotated[str, Public]
    to_wallet_id: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    status: Annotated[str, Public]
    created_at: Annotated[datetime, Public]


class Entry(Answer):
    """One line of a statement: a hold, release, debit or credit. `balance`: the booked one after it."""

    entry: Annotated[str, Public]
    code: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    balance: Annotated[Money, Confidential]
    available: Annotated[Money, Confidential]
    transfer_id: Annotated[str | None, Public] = None
    collection_id: Annotated[str | None, Public] = None
    wallet_transfer_id: Annotated[str | None, Public] = None
    at: Annotated[datetime, Public]


class Statement(Page[Entry]):
    """The balances at both ends of its time, and the entries page by page."""

    wallet_id: Annotated[str, Public]
    opening_balance: Annotated[Money, Confidential]
    closing_balance: Annotated[Money, Confidential]
