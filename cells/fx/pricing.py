"""The arithmetic of a quote. Pure: integers and one decimal rate in, integers out.

A rate turns *minor* units of the source into minor units of the target as the exact ratio `n/d` (mid ×
10^(exponent of the target − exponent of the source)); `b` is the margin in basis points; `u` the target's
smallest payable amount. Rounding never favours the wallet's owner by creating money, and never costs it more
than one unit of the step:

    fixed source S   fee = flat + ⌈S·f/10⁴⌉   converted = S − fee          margin = ⌈converted·b/10⁴⌉
                     principal = converted − margin                       M = ⌊principal·n/d⌋ down to u
    fixed target M   principal = ⌈M·d/n⌉      margin = ⌈principal·b/(10⁴ − b)⌉
                     S = the least sum whose fee leaves principal + margin; fee = S − principal − margin

Both ways `S = principal + margin + fee`. Two roundings of one price agree: pricing the S of a fixed target as
a fixed source pays at least M. A payment in one currency has mid 1, no margin, and its principal is M to the
minor unit: what no rail can pay is refused, because there is no dealing position to take up the dust.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cells.fx.fees import Fee
from cells.fx.rates import Rate
from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES, format_amount
from residency.classes import Confidential, Public
from residency.errors import KovraError

Side = Literal["source", "target"]

BPS = 10_000


class AmountTooSmall(KovraError):
    code = "amount-too-small"
    status = 422
    title = "The amount is too small to arrive"


class AmountTooLarge(KovraError):
    code = "amount-too-large"
    status = 422
    title = "The amount is larger than any payment can be"


class AmountNotPayable(KovraError):
    code = "amount-not-payable"
    status = 422
    title = "No rail can pay that exact amount"


@dataclass(frozen=True, slots=True)
class Price:
    """What an exchange costs and brings, in minor units. `target_minor` is M, in the target currency; the
    rest in the source.
    """

    rate: Annotated[Rate, Public]
    side: Annotated[Side, Public]
    margin_bps: Annotated[int, Confidential]
    principal_minor: Annotated[int, Confidential]
    margin_minor: Annotated[int, Confidential]
    fee_minor: Annotated[int, Confidential]
    target_minor: Annotated[int, Confidential]

    @property
    def source_minor(self) -> int:
        """All that leaves the wallet: principal, margin and fee."""
        return self.principal_minor + self.margin_minor + self.fee_minor


def price(rate: Rate, side: Side, amount_minor: int, margin_bps: int, fee: Fee) -> Price:
    """Price `amount_minor` of the side that is fixed. Raises AmountTooSmall, AmountTooLarge,
    AmountNotPayable.
    """
    assert amount_minor > 0
    assert 0 <= margin_bps < BPS
    bps = margin_bps if rate.source != rate.target else 0
    if side == "source":
        priced = _fixed_source(rate, amount_minor, bps, fee)
    else:
        priced = _fixed_target(rate, amount_minor, bps, fee)
    if max(priced.source_minor, priced.target_minor) > AMOUNT_MAX_MINOR:
        raise AmountTooLarge(pointer="/amount/value")
    return priced


def _fixed_source(rate: Rate, source_minor: int, bps: int, fee: Fee) -> Price:
    fee_minor = fee.of(source_minor)
    converted = source_minor - fee_minor
    if converted <= 0:
        paid = format_amount(fee_minor, rate.source)
        raise AmountTooSmall(f"The fee alone is {paid} {rate.source}.", pointer="/amount/value")
    margin = _ceil(converted * bps, BPS)
    principal = converted - margin
    numerator, denominator = _minor_ratio(rate)
    unit = CURRENCIES[rate.target].payable_unit_minor
    target = principal * numerator // (denominator * unit) * unit
    if rate.source == rate.target and target != principal:
        raise _not_payable(rate.target)
    if target == 0:
        least = format_amount(unit, rate.target)
        raise AmountTooSmall(f"It would arrive as less than {least} {rate.target}.", pointer="/amount/value")
    return Price(rate, "source", bps, principal, margin, fee_minor, target)


def _fixed_target(rate: Rate, target_minor: int, bps: int, fee: Fee) -> Price:
    unit = CURRENCIES[rate.target].payable_unit_minor
    if target_minor % unit:
        raise _not_payable(rate.target)
    numerator, denominator = _minor_ratio(rate)
    principal = _ceil(target_minor * denominator, numerator)
    margin = _ceil(principal * bps, BPS - bps)
    fee_minor = fee.upon(principal + margin)
    return Price(rate, "target", bps, principal, margin, fee_minor, target_minor)


def _not_payable(currency: str) -> AmountNotPayable:
    unit = format_amount(CURRENCIES[currency].payable_unit_minor, currency)
    return AmountNotPayable(f"What is paid out must be a multiple of {unit} {currency}.", pointer="/amount/value")


def _minor_ratio(rate: Rate) -> tuple[int, int]:
    """Target minor units per source minor unit, as a ratio of whole numbers."""
    numerator, denominator = rate.mid.as_integer_ratio()
    return (
        numerator * CURRENCIES[rate.target].minor_per_major,
        denominator * CURRENCIES[rate.source].minor_per_major,
    )


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
