"""Reference rates, exactly: decimal text in, decimals and whole-number ratios through, never a float.

The rule for a cross rate, stated once: both legs are taken against the table's base (EUR for the ECB),
divided as an exact rational, and rounded half-even to `SIGNIFICANT_DIGITS` significant digits. The rounded
figure is *the* rate: it is what a quote shows, and all arithmetic starts from it, so that anyone can repeat a
quote from the figures it carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Protocol

from residency.classes import Public
from residency.errors import KovraError

# The ECB publishes five to seven; ten keep the rounding of a cross rate below a minor unit for anything under
# 10^7 major units.
SIGNIFICANT_DIGITS = 10

_ROUNDING = Context(prec=SIGNIFICANT_DIGITS, rounding=ROUND_HALF_EVEN)


class RateMissing(KovraError):
    code = "rate-missing"
    status = 422
    title = "There is no rate for that pair of currencies"


@dataclass(frozen=True, slots=True)
class Rate:
    """`mid` major units of `target` for one major unit of `source`, published on `as_of` by `origin`."""

    source: Annotated[str, Public]
    target: Annotated[str, Public]
    mid: Annotated[Decimal, Public]
    as_of: Annotated[date, Public]
    origin: Annotated[str, Public]

    @property
    def text(self) -> str:
        """The rate in plain decimal notation, as quotes store and show it."""
        return format(self.mid, "f")


@dataclass(frozen=True, slots=True)
class RateTable:
    """One publication: `per_base` units of each currency for one of `base` (itself left out)."""

    base: str
    per_base: Mapping[str, Decimal]
    as_of: date
    origin: str

    def rate(self, source: str, target: str) -> Rate:
        """The mid rate of a pair. Raises RateMissing."""
        mid = _ROUNDING.divide(self._leg(target), self._leg(source)) if source != target else Decimal(1)
        return Rate(source, target, mid, self.as_of, self.origin)

    def _leg(self, currency: str) -> Decimal:
        if currency == self.base:
            return Decimal(1)
        try:
            return self.per_base[currency]
        except KeyError:
            raise RateMissing(f"{self.origin} of {self.as_of} has no rate for {currency}.") from None


class RateSource(Protocol):
    """Where rates come from: the ECB's history here, a market feed in production."""

    def latest(self) -> RateTable:
        """The newest table there is. Must not block: a feed keeps its last one at hand."""
        ...
