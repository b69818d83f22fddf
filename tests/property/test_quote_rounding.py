"""No minor unit is created or lost in a quote: every currency pair, both sides, tiny to enormous amounts."""

from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.fx.ecb import EcbHistory
from cells.fx.fees import Tariff, total
from cells.fx.pricing import AmountNotPayable, AmountTooLarge, AmountTooSmall, Price, Side, price
from cells.fx.rates import Rate
from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES
from tests.support.tariffs import circumstances, linear

TABLE = EcbHistory().latest()
PAIRS = list(product(sorted(CURRENCIES), repeat=2))

amounts = st.one_of(
    st.integers(1, 10_000),
    st.integers(1, 10**9),
    st.integers(1, AMOUNT_MAX_MINOR),
)
margins = st.sampled_from([0, 1, 30, 50, 80, 150, 9_999])
points = st.sampled_from([0, 1, 10, 20, 333, 3_333])
fees = st.builds(
    lambda pre, post: Tariff((*pre.rules, *post.rules), circumstances()),
    st.builds(linear, st.integers(0, 2_000_000), points),
    st.builds(linear, st.sampled_from([0, 0, 1, 100, 250_000]), points, st.just("POST")),
)


def _try(rate: Rate, side: Side, amount: int, bps: int, fee: Tariff) -> Price | None:
    try:
        return price(rate, side, amount, bps, fee)
    except (AmountTooSmall, AmountTooLarge, AmountNotPayable):
        return None


def _exact_target(priced: Price) -> Fraction:
    """What the principal is worth in minor units of the target, with nothing rounded."""
    scale = Fraction(CURRENCIES[priced.rate.target].minor_per_major, CURRENCIES[priced.rate.source].minor_per_major)
    return Fraction(priced.principal_minor) * Fraction(priced.rate.mid) * scale


def _check_whole(priced: Price, bps: int, fee: Tariff) -> None:
    """What holds for every quote, whichever side is fixed."""
    unit = CURRENCIES[priced.rate.target].payable_unit_minor
    same = priced.rate.source == priced.rate.target
    converted = priced.principal_minor + priced.margin_minor
    assert priced.principal_minor > 0
    assert priced.target_minor > 0
    assert priced.target_minor % unit == 0
    assert priced.source_minor == converted + priced.fee_minor
    assert priced.fee_minor == total(fee.of("PRE", priced.source_minor))
    assert priced.recipient_fee_minor == total(fee.of("POST", priced.target_minor, unit))
    assert 0 <= priced.fee_minor < priced.source_minor
    assert 0 <= priced.recipient_fee_minor < priced.target_minor
    assert priced.payout_minor % unit == 0
    assert sum(one.amount_minor for one in priced.fees) == priced.fee_minor + priced.recipient_fee_minor
    assert all(type(one.amount_minor) is int and one.amount_minor > 0 for one in priced.fees)
    # The dealing position never pays out more than it took in, and keeps less than one unit of either
    # currency.
    worth = _exact_target(priced)
    assert priced.target_minor <= worth
    if priced.side == "source":
        assert worth - priced.target_minor < unit
    else:
        assert worth - priced.target_minor < max(Fraction(1), worth / priced.principal_minor)
    # The margin is its share, and less than one minor unit more.
    if priced.side == "source":
        share = Fraction(converted * priced.margin_bps, 10_000)
    else:
        share = Fraction(priced.principal_minor * priced.margin_bps, 10_000 - priced.margin_bps)
    assert share <= priced.margin_minor < share + 1
    assert priced.margin_bps == (0 if same else bps)
    if same:
        assert priced.principal_minor == priced.target_minor
        assert priced.margin_minor == 0


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(amount=amounts, bps=margins, fee=fees)
def test_a_fixed_source_takes_exactly_that_and_loses_nothing(
    source: str, target: str, amount: int, bps: int, fee: Tariff
) -> None:
    priced = _try(TABLE.rate(source, target), "source", amount, bps, fee)
    if priced is not None:
        assert priced.source_minor == amount
        _check_whole(priced, bps, fee)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(units=amounts, bps=margins, fee=fees)
def test_a_fixed_target_pays_exactly_that_and_its_source_would_pay_no_less(
    source: str, target: str, units: int, bps: int, fee: Tariff
) -> None:
    wanted = units * CURRENCIES[target].payable_unit_minor
    rate = TABLE.rate(source, target)
    priced = _try(rate, "target", wanted, bps, fee)
    if priced is None:
        return
    assert priced.payout_minor == wanted
    _check_whole(priced, bps, fee)
    back = _try(rate, "source", priced.source_minor, bps, fee)
    if wanted < AMOUNT_MAX_MINOR // 2:
        # Above, what comes back may itself be larger than any payment.
        assert back is not None
    assert back is None or back.payout_minor >= wanted


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(amount=amounts, more=st.integers(1, 10**6), bps=margins, fee=fees)
def test_more_money_never_brings_less(source: str, target: str, amount: int, more: int, bps: int, fee: Tariff) -> None:
    rate = TABLE.rate(source, target)
    less, greater = _try(rate, "source", amount, bps, fee), _try(rate, "source", amount + more, bps, fee)
    if less and greater:
        assert less.payout_minor <= greater.payout_minor
    unit = CURRENCIES[target].payable_unit_minor
    less, greater = (
        _try(rate, "target", amount * unit, bps, fee),
        _try(rate, "target", (amount + more) * unit, bps, fee),
    )
    if less and greater:
        assert less.source_minor <= greater.source_minor


@given(
    mid=st.decimals(Decimal("0.0000000001"), Decimal(10_000_000_000), places=10),
    amount=amounts,
    bps=margins,
    fee=fees,
    side=st.sampled_from(["source", "target"]),
)
def test_it_holds_for_any_rate_and_not_only_for_published_ones(
    mid: Decimal, amount: int, bps: int, fee: Tariff, side: Side
) -> None:
    rate = Rate("GBP", "IDR", mid, TABLE.as_of, "test")
    fixed = amount * 100 if side == "target" else amount
    priced = _try(rate, side, fixed, bps, fee)
    if priced is not None:
        _check_whole(priced, bps, fee)


@given(converted=st.integers(1, 10**16), fee=fees)
def test_the_fee_upon_an_amount_is_the_fee_of_the_whole(converted: int, fee: Tariff) -> None:
    added = fee.upon("PRE", converted)
    assert fee.of("PRE", converted + total(added)) == added
