"""The arithmetic of a quote, worked by hand."""

from datetime import date
from decimal import Decimal

import pytest

from cells.fx.fees import Tariff, total
from cells.fx.pricing import AmountNotPayable, AmountTooLarge, AmountTooSmall, price
from cells.fx.rates import Rate
from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES
from residency.directory import load_directory
from tests.support.tariffs import founded, linear

FREE = linear()


def _rate(source: str, target: str, mid: str) -> Rate:
    return Rate(source, target, Decimal(mid), date(2026, 10, 30), "test")


def test_a_fixed_source_by_hand() -> None:
    priced = price(_rate("EUR", "IDR", "20275.17"), "source", 125_000, 150, linear(100, 20))
    # fee = 1.00 + 2.50; converted = 1246.50; margin = ⌈18.6975⌉ cents; M = ⌊1227.80 × 20275.17⌋ whole rupiah
    assert (priced.fee_minor, priced.margin_minor, priced.principal_minor) == (350, 1_870, 122_780)
    assert priced.target_minor == 24_893_853 * 100
    assert priced.source_minor == 125_000


def test_a_fixed_target_by_hand() -> None:
    priced = price(_rate("EUR", "IDR", "20275.17"), "target", 20_000_000 * 100, 150, FREE)
    # principal = ⌈20,000,000 / 20275.17⌉ cents; margin = ⌈98643 × 150 / 9850⌉
    assert (priced.principal_minor, priced.margin_minor, priced.fee_minor) == (98_643, 1_503, 0)
    assert priced.target_minor == 20_000_000 * 100


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(1, linear(100)), (100, linear(100)), (1, FREE)],
    ids=["less than the fee", "only the fee", "worth less than a penny"],
)
def test_what_would_arrive_as_nothing_is_refused(amount: int, fee: Tariff) -> None:
    with pytest.raises(AmountTooSmall):
        price(_rate("IDR", "GBP", "0.00004112"), "source", amount, 150, fee)


@pytest.mark.parametrize("side", ["source", "target"])
def test_what_no_payment_can_be_is_refused_on_either_side(side: str) -> None:
    with pytest.raises(AmountTooLarge):
        price(_rate("EUR", "IDR", "20275.17"), "source", AMOUNT_MAX_MINOR, 150, FREE)
    with pytest.raises(AmountTooLarge):
        price(_rate("IDR", "EUR", "0.00004932"), "target", AMOUNT_MAX_MINOR, 150, FREE)


@pytest.mark.parametrize("side", ["source", "target"])
def test_part_of_a_rupiah_cannot_be_paid(side: str) -> None:
    source = "IDR" if side == "source" else "EUR"
    mid = "1" if side == "source" else "20275.17"
    with pytest.raises(AmountNotPayable):
        price(_rate(source, "IDR", mid), side, 100_050, 0, FREE)  # type: ignore[arg-type]


def test_a_payment_in_one_currency_has_no_margin() -> None:
    priced = price(_rate("EUR", "EUR", "1"), "source", 10_000, 150, linear(20))
    assert (priced.principal_minor, priced.margin_minor, priced.target_minor) == (9_980, 0, 9_980)


def test_the_rules_that_a_cell_begins_with_charge_every_pair_once() -> None:
    for source in load_directory().region_of_currency:
        for target in CURRENCIES:
            assert len(founded(source, target, "any_rail").of("PRE", 100_000)) == 1
    assert total(founded("EUR", "IDR", "bi_fast").of("PRE", 125_000)) == 100 + 250
    assert total(founded("EUR", "GBP", "faster_payments").of("PRE", 125_001)) == 50 + 126, (
        "a part of a cent is rounded up"
    )
