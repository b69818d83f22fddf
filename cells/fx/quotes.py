"""The quote: a price locked for ten minutes, for one use by one transfer."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple

from cells.fx.fees import FeeItem
from cells.fx.pricing import Price, Side
from cells.fx.rates import Rate
from residency.classes import Confidential, Public
from residency.errors import KovraError

QUOTE_LIFETIME_S = 600


class QuoteExpired(KovraError):
    code = "quote-expired"
    status = 409
    title = "The quote has expired; ask for a new one"


class QuoteUsed(KovraError):
    code = "quote-used"
    status = 409
    title = "The quote has been used by another transfer; ask for a new one"


class UnknownQuote(KovraError):
    """Also the answer for another tenant's quote: its existence is not given away."""

    code = "unknown-quote"
    status = 404
    title = "There is no such quote"


class NewQuote(NamedTuple):
    """A price to lock. `rail` names the rail that will pay out: the fee depends on it, as it may on the caller's `tags`."""

    quote_id: str
    tenant_id: str
    rail: str
    price: Price
    tags: tuple[str, ...] = ()


class QuoteUse(NamedTuple):
    """A transfer that wants to use a quote."""

    transfer_id: str
    tenant_id: str
    quote_id: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as stored. Amounts in minor units: `target_minor`, and `recipient_fee_minor` that is taken off it, in the target
    currency, the others in the source.
    """

    quote_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    source_currency: Annotated[str, Public]
    target_currency: Annotated[str, Public]
    side: Annotated[Side, Public]
    rail: Annotated[str, Public]
    principal_minor: Annotated[int, Confidential]
    margin_minor: Annotated[int, Confidential]
    fee_minor: Annotated[int, Confidential]
    source_minor: Annotated[int, Confidential]
    target_minor: Annotated[int, Confidential]
    recipient_fee_minor: Annotated[int, Confidential]
    fees: Annotated[tuple[FeeItem, ...], Confidential]
    margin_bps: Annotated[int, Confidential]
    rate: Annotated[str, Public]
    rate_as_of: Annotated[date, Public]
    rate_origin: Annotated[str, Public]
    created_at: Annotated[datetime, Public]
    expires_at: Annotated[datetime, Public]
    transfer_id: Annotated[str | None, Public]

    @property
    def payout_minor(self) -> int:
        """What arrives: M, less what the recipient pays."""
        return self.target_minor - self.recipient_fee_minor

    @property
    def price(self) -> Price:
        """The price that was locked."""
        mid = Rate(self.source_currency, self.target_currency, Decimal(self.rate), self.rate_as_of, self.rate_origin)
        return Price(
            mid,
            self.side,
            self.margin_bps,
            self.principal_minor,
            self.margin_minor,
            self.fee_minor,
            self.target_minor,
            self.recipient_fee_minor,
            self.fees,
        )
