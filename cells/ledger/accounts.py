"""What a chain is built from: a payment's integers, and the accounts it touches, gathered from the chart by
`of`.
"""

from dataclasses import dataclass

from cells.ledger import chart
from cells.ledger.chart import AccountType


@dataclass(frozen=True, slots=True)
class CrossBorderTerms:
    """A cross-border quote's integers. The first three in the source currency, `target_amount` in the
    target's.
    """

    principal: int
    margin: int
    fee: int
    target_amount: int
    source_ledger: int
    target_ledger: int

    @property
    def source_total(self) -> int:
        """What leaves the wallet."""
        return self.principal + self.margin + self.fee


@dataclass(frozen=True, slots=True)
class InRegionTerms:
    """The integers of a payment in one region and currency: what arrives, what the payer pays for it, and what the recipient paid."""

    net: int
    fee: int
    recipient_fee: int
    ledger: int

    @property
    def source_total(self) -> int:
        """What leaves the wallet."""
        return self.net + self.fee + self.recipient_fee


@dataclass(frozen=True, slots=True)
class OriginAccounts:
    """The accounts of S1 to S4, in the paying cell. `settlement` is REG of the peer, in the target
    currency.
    """

    wallet: int
    fx_source: int
    margin: int
    fee: int
    fx_target: int
    settlement: int
    blocked: int

    @classmethod
    def of(cls, wallet: int, peer_number: int, terms: CrossBorderTerms) -> "OriginAccounts":
        """The chart's accounts for a payment from `wallet` to the peer cell `peer_number`."""
        return cls(
            wallet=wallet,
            fx_source=chart.platform(AccountType.FX_POSITION, terms.source_ledger),
            margin=chart.platform(AccountType.FX_MARGIN, terms.source_ledger),
            fee=chart.platform(AccountType.FEE_REVENUE, terms.source_ledger),
            fx_target=chart.platform(AccountType.FX_POSITION, terms.target_ledger),
            settlement=chart.settlement(peer_number, terms.target_ledger),
            blocked=chart.platform(AccountType.BLOCKED_FUNDS, terms.source_ledger),
        )


@dataclass(frozen=True, slots=True)
class DestinationAccounts:
    """The accounts of D1 to D3, in the cell that pays out; all in the target currency."""

    settlement: int
    outbound: int
    rail: int
    fee: int

    @classmethod
    def of(cls, peer_number: int, rail: str, ledger: int) -> "DestinationAccounts":
        """The chart's accounts for a payout over `rail` on behalf of the peer cell `peer_number`."""
        return cls(
            settlement=chart.settlement(peer_number, ledger),
            outbound=chart.platform(AccountType.PENDING_OUTBOUND, ledger),
            rail=chart.rail(rail, ledger),
            fee=chart.platform(AccountType.FEE_REVENUE, ledger),
        )


@dataclass(frozen=True, slots=True)
class InRegionAccounts:
    """The accounts of I1 to I4; all in one currency."""

    wallet: int
    outbound: int
    fee: int
    rail: int
    blocked: int

    @classmethod
    def of(cls, wallet: int, rail: str, ledger: int) -> "InRegionAccounts":
        """The chart's accounts for a payment from `wallet` over `rail`."""
        return cls(
            wallet=wallet,
            outbound=chart.platform(AccountType.PENDING_OUTBOUND, ledger),
            fee=chart.platform(AccountType.FEE_REVENUE, ledger),
            rail=chart.rail(rail, ledger),
            blocked=chart.platform(AccountType.BLOCKED_FUNDS, ledger),
        )


@dataclass(frozen=True, slots=True)
class CollectionAccounts:
    """The accounts of an inbound payment. The wallet is known only once it is matched: C2 takes it."""

    rail: int
    inbound: int
    suspense: int

    @classmethod
    def of(cls, rail: str, ledger: int) -> "CollectionAccounts":
        """The chart's accounts for money that arrives over `rail`."""
        return cls(
            rail=chart.rail(rail, ledger),
            inbound=chart.platform(AccountType.PENDING_INBOUND, ledger),
            suspense=chart.platform(AccountType.SUSPENSE, ledger),
        )
