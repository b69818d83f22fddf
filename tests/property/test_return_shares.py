"""Whatever the integers of a payment, and however its returns are cut, what goes back adds up to the cent."""

from hypothesis import given
from hypothesis import strategies as st

from cells.kit.money import AMOUNT_MAX_MINOR
from cells.returns.returned import share

MONEY = st.integers(0, AMOUNT_MAX_MINOR)


@st.composite
def cut(draw: st.DrawFn) -> tuple[int, list[int]]:
    """What was paid, and returns of it that do not exceed it, none of them zero."""
    paid = draw(st.integers(1, AMOUNT_MAX_MINOR))
    marks = sorted(draw(st.sets(st.integers(1, paid), min_size=1, max_size=12)))
    return paid, [mark - before for before, mark in zip([0, *marks], marks, strict=False)]


@given(whole=MONEY, cut=cut())
def test_shares_are_the_cumulative_floor(whole: int, cut: tuple[int, list[int]]) -> None:
    paid, parts = cut
    before, given_back = 0, 0
    for part in parts:
        one = share(whole, before, part, paid)
        assert one >= 0
        # Never off by more than the one cent that rounding down may owe, whatever came before.
        assert whole * part // paid <= one <= whole * part // paid + 1
        before, given_back = before + part, given_back + one
        assert given_back == whole * before // paid
    assert given_back <= whole
    assert (given_back == whole) or before < paid


@given(whole=MONEY, cut=cut())
def test_the_last_return_completes_the_whole(whole: int, cut: tuple[int, list[int]]) -> None:
    paid, parts = cut
    rest = paid - sum(parts)
    parts = [*parts, rest] if rest else parts
    shares = [share(whole, sum(parts[:place]), part, paid) for place, part in enumerate(parts)]
    assert sum(shares) == whole
