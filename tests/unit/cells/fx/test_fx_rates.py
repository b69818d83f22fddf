"""Rates: the published text, exactly, and cross rates by the stated rule."""

from datetime import date
from decimal import Decimal

import pytest

from cells.fx.ecb import EcbHistory
from cells.fx.rates import SIGNIFICANT_DIGITS, RateMissing, RateTable
from cells.kit.money import CURRENCIES

TABLE = RateTable("EUR", {"GBP": Decimal("0.8338"), "IDR": Decimal("20275.17")}, date(2026, 10, 30), "test")


def test_a_rate_against_the_base_is_the_published_text() -> None:
    assert TABLE.rate("EUR", "IDR").text == "20275.17"
    assert TABLE.rate("EUR", "EUR").text == "1"


def test_a_cross_rate_is_the_exact_ratio_rounded_half_even_to_the_stated_digits() -> None:
    assert TABLE.rate("GBP", "IDR").text == "24316.58671"
    assert TABLE.rate("IDR", "GBP").text == "0.00004112419279"
    assert SIGNIFICANT_DIGITS == 10


def test_a_rate_never_shows_an_exponent() -> None:
    assert "E" not in RateTable("EUR", {"IDR": Decimal("2E+4")}, TABLE.as_of, "test").rate("IDR", "EUR").text


def test_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(RateMissing, match="USD"):
        TABLE.rate("EUR", "USD")


def test_the_bundled_history_prices_every_supported_pair() -> None:
    latest = EcbHistory().latest()
    for source in CURRENCIES:
        for target in CURRENCIES:
            assert latest.rate(source, target).mid > 0
