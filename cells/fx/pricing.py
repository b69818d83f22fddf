"""The arithmetic of a quote. Pure: integers and one decimal rate in, integers out.

A rate turns *minor* units of the source into minor units of the target as the exact ratio `n/d` (mid ×
10^(exponent of the target − exponent of the source)); `b` is the margin in basis points; `u` the target's
smallest payable amount. Rounding never favours the wallet's owner by creating money, and never costs it more
than one unit of the step:

    fixed source S   fee = PRE rules of S      converted = S − fee          margin = ⌈converted·b/10⁴⌉
                     principal = converted − margin                       M = ⌊principal·n/d⌋ down to u
                     what arrives = M − POST rules of M, each down to u
    fixed target P   M = the sum whose POST fee leaves P
                     principal = ⌈M·d/n⌉      margin = ⌈principal·b/(10⁴ − b)⌉
                     S = the sum whose PRE fee leaves principal + margin; fee = S − principal − margin

Both ways `S = principal + margin + fee`, and `M = P + what the recipient pays`. Two roundings of one price agree: pricing the S of a
fixed target as a fixed source pays at least P. A payment in one currency has mid 1, no margin, and its principal is M to the
minor unit: what no rail can pay is refused, because there is no dealing position to take up the dust.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cells.fx.fees import FeeItem, Tariff, total
from cells.fx.rates import Rate
from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES, amount_text
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
    """What an exchange costs and brings, in minor units. `target_minor` is M, in the target currency, as is `recipient_fee_minor`,
    which the recipient pays of it; the rest in the source. `fees` says which rules took what.
    """

    rate: Annotated[Rate, Public]
    side: Annotated[Side, Public]
    margin_bps: Annotated[int, Confidential]
    principal_minor: Annotated[int, Confidential]
    margin_minor: Annotated[int, Confidential]
    fee_minor: Annotated[int, Confidential]
    target_minor: Annotated[int, Confidential]
    recipient_fee_minor: Annotated[int, Confidential] = 0
    fees: Annotated[tuple[FeeItem, ...], Confidential] = ()

    @property
    def payout_minor(self) -> int:
        """What arrives: M, less what the recipient pays."""
        return self.target_minor - self.recipient_fee_minor

    @property
    def source_minor(self) -> int:
        """All that leaves the wallet: principal, margin and fee."""
        return self.principal_minor + self.margin_minor + self.fee_minor


def price(rate: Rate, side: Side, amount_minor: int, margin_bps: int, tariff: Tariff) -> Price:
    """Price `amount_minor` of the side that is fixed: all that leaves the wallet, or what arrives. Raises AmountTooSmall,
    AmountTooLarge, AmountNotPayable, FeesUnavailable.
    """
    assert amount_minor > 0
    assert 0 <= margin_bps < BPS
    if amount_minor > AMOUNT_MAX_MINOR:
        raise AmountTooLarge(pointer="/amount/value")
    bps = margin_bps if rate.source != rate.target else 0
    if side == "source":
        priced = _fixed_source(rate, amount_minor, bps, tariff)
    else:
        priced = _fixed_target(rate, amount_minor, bps, tariff)
    if max(priced.source_minor, priced.target_minor) > AMOUNT_MAX_MINOR:
        raise AmountTooLarge(pointer="/amount/value")
    return priced


def _fixed_source(rate: Rate, source_minor: int, bps: int, tariff: Tariff) -> Price:
    pre = tariff.of("PRE", source_minor)
    fee_minor = total(pre)
    converted = source_minor - fee_minor
    if converted <= 0:
        raise _fee_takes_all(fee_minor, rate.source)
    margin = _ceil(converted * bps, BPS)
    principal = converted - margin
    numerator, denominator = _minor_ratio(rate)
    unit = CURRENCIES[rate.target].payable_unit_minor
    target = principal * numerator // (denominator * unit) * unit
    if rate.source == rate.target and target != principal:
        raise _not_payable(rate.target)
    if target == 0:
        least = amount_text(unit, rate.target)
        raise AmountTooSmall(f"It would arrive as less than {least}.", pointer="/amount/value")
    if target > AMOUNT_MAX_MINOR:
        raise AmountTooLarge(pointer="/amount/value")
    post = tariff.of("POST", target, unit)
    if total(post) >= target:
        raise _fee_takes_all(total(post), rate.target)
    return Price(rate, "source", bps, principal, margin, fee_minor, target, total(post), (*pre, *post))


def _fixed_target(rate: Rate, payout_minor: int, bps: int, tariff: Tariff) -> Price:
    unit = CURRENCIES[rate.target].payable_unit_minor
    if payout_minor % unit:
        raise _not_payable(rate.target)
    post = tariff.upon("POST", payout_minor, unit)
    target_minor = payout_minor + total(post)
    numerator, denominator = _minor_ratio(rate)
    principal = _ceil(target_minor * denominator, numerator)
    margin = _ceil(principal * bps, BPS - bps)
    if principal + margin > AMOUNT_MAX_MINOR:
        raise AmountTooLarge(pointer="/amount/value")
    pre = tariff.upon("PRE", principal + margin)
    return Price(rate, "target", bps, principal, margin, total(pre), target_minor, total(post), (*pre, *post))


def _fee_takes_all(fee_minor: int, currency: str) -> AmountTooSmall:
    paid = amount_text(fee_minor, currency)
    return AmountTooSmall(f"The fee alone is {paid}.", pointer="/amount/value")


def _not_payable(currency: str) -> AmountNotPayable:
    unit = amount_text(CURRENCIES[currency].payable_unit_minor, currency)
    return AmountNotPayable(f"What is paid out must be a multiple of {unit}.", pointer="/amount/value")


def _minor_ratio(rate: Rate) -> tuple[int, int]:
    """Target minor units per source minor unit, as a ratio of whole numbers."""
    numerator, denominator = rate.mid.as_integer_ratio()
    return (
        numerator * CURRENCIES[rate.target].minor_per_major,
        denominator * CURRENCIES[rate.source].minor_per_major,
    )


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
