"""Money is a whole number of minor units of a currency (ISO 4217). A float never touches it."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from residency.errors import KovraError

# Amounts are bigint in the journal; far above any scheme's ceiling, far below 2^63 so that sums cannot wrap.
AMOUNT_MAX_MINOR = 10**16
_WHOLE_DIGITS_MAX = 17
_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")


@dataclass(frozen=True, slots=True)
class Currency:
    """One ISO 4217 entry. `payable_unit_minor`: the smallest amount its rails move (whole rupiah for IDR)."""

    code: str
    number: int
    exponent: int
    payable_unit_minor: int

    @property
    def minor_per_major(self) -> int:
        return int(10**self.exponent)


# What is written here is known, not offered: a cell offers the currencies that it declares, which its rails move (cells/preflight.py).
# Source: ISO 4217 list one (SIX). Bank Indonesia's rails carry whole rupiah although ISO gives IDR two decimals.
CURRENCIES: MappingProxyType[str, Currency] = MappingProxyType(
    {
        currency.code: currency
        for currency in (
            Currency("EUR", 978, 2, 1),
            Currency("GBP", 826, 2, 1),
            Currency("IDR", 360, 2, 100),
            Currency("USD", 840, 2, 1),
            Currency("SEK", 752, 2, 1),
            Currency("DKK", 208, 2, 1),
        )
    }
)


class UnknownCurrency(KovraError):
    code = "unknown-currency"
    status = 422
    title = "That currency is not supported"


class InvalidAmount(KovraError):
    code = "invalid-amount"
    status = 422
    title = "That amount cannot be used"


def currency_of(code: str, pointer: str | None = None) -> Currency:
    """Raises UnknownCurrency."""
    try:
        return CURRENCIES[code]
    except KeyError:
        raise UnknownCurrency(
            "`GET /v1/regions` lists the currencies that are held and paid.", pointer=pointer
        ) from None


def parse_amount(value: str, code: str, pointer: str | None = None) -> int:
    """`("1250.00", "EUR")` → 125000 minor units. Positive only. Raises UnknownCurrency, InvalidAmount."""
    currency = currency_of(code, pointer)
    if not _DECIMAL.fullmatch(value):
        raise InvalidAmount('Write the amount as a plain decimal string, such as "1250.00".', pointer=pointer)
    whole, _, fraction = value.partition(".")
    if len(fraction) > currency.exponent:
        raise InvalidAmount(f"{code} has {currency.exponent} decimals; the amount has more.", pointer=pointer)
    if len(whole) > _WHOLE_DIGITS_MAX:
        raise InvalidAmount("The amount is larger than any payment can be.", pointer=pointer)
    minor = int(whole + fraction.ljust(currency.exponent, "0"))
    if minor == 0 or value.startswith("-"):
        raise InvalidAmount("The amount must be more than zero.", pointer=pointer)
    if minor > AMOUNT_MAX_MINOR:
        raise InvalidAmount("The amount is larger than any payment can be.", pointer=pointer)
    return minor


def money(minor: int, code: str) -> dict[str, str]:
    """4000, "EUR" → {"value": "40.00", "currency": "EUR"}: an amount in all JSON that a person or a partner reads."""
    return {"value": format_amount(minor, code), "currency": code}


def amount_text(minor: int, code: str) -> str:
    """4000, "EUR" → "40.00 EUR": an amount in all text that a person or a partner reads."""
    return f"{format_amount(minor, code)} {code}"


def format_amount(minor: int, code: str) -> str:
    """125000, "EUR" → "1250.00"; the sign is kept."""
    exponent = CURRENCIES[code].exponent
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    sign, cut = "-" if minor < 0 else "", len(digits) - exponent
    return f"{sign}{digits[:cut]}.{digits[cut:]}" if exponent else f"{sign}{digits}"
