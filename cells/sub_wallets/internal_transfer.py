"""Money between a tenant's own wallets of one currency, its sub-wallets among them: what is asked, and why it may be refused.

All of it is written by one actor, that of the main wallet (qualifier 0): so nothing else takes money out of a sub-wallet, and closing one
takes exactly what is there. Pure data.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from cells.journal.life import Life
from cells.payments.origin import WalletNotOpen
from cells.payments.transfer import InsufficientFunds
from residency.classes import Confidential, Public
from residency.errors import KovraError

BookKind = Literal["transfer", "close"]
BookState = Literal["asked", "planned", "applied", "refused"]
SubWalletState = Literal["asked", "open", "closed"]


class WalletLocked(KovraError):
    """`extra["locked_until"]`, where it is known, says until when."""

    code = "wallet-locked"
    status = 409
    title = "The sub-wallet is locked"


@dataclass(frozen=True, slots=True)
class Book:
    """A row of `book_transfers`. `amount` in minor units; that of a close is 0 until it is planned. `reason`: a code of REFUSALS.
    `missing_minor`: what the wallet lacked when the ledger refused, where that is known."""

    book_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    writer_wallet_id: Annotated[str, Public]
    kind: Annotated[BookKind, Public]
    from_wallet_id: Annotated[str, Public]
    to_wallet_id: Annotated[str, Public]
    currency: Annotated[str, Confidential]
    amount: Annotated[int, Confidential]
    state: Annotated[BookState, Public] = "asked"
    reason: Annotated[str | None, Public] = None
    missing_minor: Annotated[int | None, Confidential] = None
    version: Annotated[int, Public] = 1
    created_at: Annotated[datetime | None, Public] = None
    updated_at: Annotated[datetime | None, Public] = None

    @property
    def over(self) -> bool:
        return self.state in ("applied", "refused")


@dataclass(frozen=True, slots=True)
class SubWallet:
    """A row of `sub_wallets`. `target_minor` is a wish, shown and nothing more; until `locked_until` nothing is taken out."""

    wallet_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    parent_wallet_id: Annotated[str, Public]
    currency: Annotated[str, Confidential]
    label: Annotated[str, Confidential]
    target_minor: Annotated[int | None, Confidential] = None
    locked_until: Annotated[datetime | None, Confidential] = None
    state: Annotated[SubWalletState, Public] = "asked"
    version: Annotated[int, Public] = 1
    created_at: Annotated[datetime | None, Public] = None
    updated_at: Annotated[datetime | None, Public] = None

    @property
    def closed_at(self) -> datetime | None:
        """When it was closed: the last thing that happens to it."""
        return self.updated_at if self.state == "closed" else None


INTERNAL_TRANSFER: Final = Life(
    "internal_transfer", "book_transfers", "book_id", Book, money=dict.fromkeys(("amount", "missing_minor"), "currency")
)
SUB_WALLET: Final = Life(
    "sub_wallet", "sub_wallets", "wallet_id", SubWallet, unrecorded=frozenset({"label"}), money={"target_minor": "currency"},
    may_exist=True,
)  # fmt: skip


REFUSALS: Final[dict[str, type[KovraError]]] = {
    one.code: one for one in (InsufficientFunds, WalletLocked, WalletNotOpen)
}
