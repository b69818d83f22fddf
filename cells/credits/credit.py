"""A deposit: what a wallet is asked to book, for money that a rail brought in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deposit:
    """The body of the command `deposit`. `amount` in minor units of `currency`. A deposit of the house's own tenant rests in suspense."""

    collection_id: str
    tenant_id: str
    wallet_id: str
    rail: str
    amount: int
    currency: str
