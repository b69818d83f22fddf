"""Amounts between our integers and a message's decimals. Pure.

Invariant: an amount read is exactly payable in the rail's currency, above zero and bounded; nothing is ever rounded.
"""

from decimal import Decimal

from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES
from cells.rails.profile import RailProfile
from cells.rails.rail import MessageInvalid

_DIGITS_MAX = 20


def decimal_of(amount_minor: int, currency: str) -> Decimal:
    """As it stands in a message: 125000 EUR → 1250.00."""
    return Decimal(amount_minor).scaleb(-CURRENCIES[currency].exponent)


def minor_of(value: Decimal, currency: str, profile: RailProfile) -> int:
    """The minor units of an amount that money moves by. Raises MessageInvalid."""
    minor = minor_or_zero_of(value, currency, profile)
    if minor == 0:
        raise MessageInvalid("The amount is not a number that a payment can have.")
    return minor


def minor_or_zero_of(value: Decimal, currency: str, profile: RailProfile) -> int:
    """As `minor_of`, and nothing too, which a balance may be. Raises MessageInvalid."""
    if currency != profile.currency:
        raise MessageInvalid(f"{profile.title} moves {profile.currency} only.")
    if not value.is_finite() or value.adjusted() > _DIGITS_MAX:
        raise MessageInvalid("The amount is not a number that a payment can have.")
    minor = value.scaleb(CURRENCIES[currency].exponent)
    if minor != minor.to_integral_value() or not 0 <= minor <= AMOUNT_MAX_MINOR:
        raise MessageInvalid("The amount is not a number that a payment can have.")
    return int(minor)
