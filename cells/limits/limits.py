"""The pure check: usage and a request against a tier's limits. Amounts in minor units of the wallet's
currency.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cells.kit.money import format_amount
from residency.classes import Confidential
from residency.errors import KovraError

Which = Literal["transfer-amount", "day-amount", "day-transfers", "month-amount", "month-transfers"]


class LimitExceeded(KovraError):
    """`extra` says which limit, and what is left under it."""

    code = "limit-exceeded"
    status = 422
    title = "The transfer is over a limit of your tier"


@dataclass(frozen=True, slots=True)
class CurrencyLimits:
    """What a tier may send from its wallets of one currency. The amount is all that leaves the wallet."""

    transfer_minor: Annotated[int, Confidential]
    day_minor: Annotated[int, Confidential]
    month_minor: Annotated[int, Confidential]
    day_transfers: Annotated[int, Confidential]
    month_transfers: Annotated[int, Confidential]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant has sent from its wallets of one currency, this UTC day and month."""

    day_minor: Annotated[int, Confidential] = 0
    month_minor: Annotated[int, Confidential] = 0
    day_transfers: Annotated[int, Confidential] = 0
    month_transfers: Annotated[int, Confidential] = 0

    def plus(self, amount_minor: int) -> "Usage":
        """The usage after one more transfer."""
        return Usage(
            self.day_minor + amount_minor,
            self.month_minor + amount_minor,
            self.day_transfers + 1,
            self.month_transfers + 1,
        )


def check(usage: Usage, amount_minor: int, currency: str, limits: CurrencyLimits) -> LimitExceeded | None:
    """None if a transfer of `amount_minor` fits on top of `usage`; else the first limit it would pass."""
    after = usage.plus(amount_minor)
    # A failure is a value here: a batch goes on with its other transfers.
    if amount_minor > limits.transfer_minor:
        return _over_amount("transfer-amount", limits.transfer_minor, limits.transfer_minor, currency)
    if after.day_minor > limits.day_minor:
        return _over_amount("day-amount", limits.day_minor, limits.day_minor - usage.day_minor, currency)
    if after.month_minor > limits.month_minor:
        return _over_amount("month-amount", limits.month_minor, limits.month_minor - usage.month_minor, currency)
    if after.day_transfers > limits.day_transfers:
        return _over_count("day-transfers", limits.day_transfers)
    if after.month_transfers > limits.month_transfers:
        return _over_count("month-transfers", limits.month_transfers)
    return None


def _over_amount(which: Which, limit_minor: int, left_minor: int, currency: str) -> LimitExceeded:
    limit, left = format_amount(limit_minor, currency), format_amount(max(left_minor, 0), currency)
    span = which.removesuffix("-amount")
    return LimitExceeded(
        f"Your tier sends at most {limit} {currency} per {span}; {left} {currency} would still fit.",
        limit=which,
        left={"value": left, "currency": currency},
    )


def _over_count(which: Which, limit: int) -> LimitExceeded:
    span = which.removesuffix("-transfers")
    return LimitExceeded(f"Your tier sends at most {limit} transfers per {span} and currency.", limit=which)
