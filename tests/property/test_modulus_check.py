"""What the modulus check promises whatever the weights: a mistyped digit is found; and whatever the text: it is followed or refused."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from cells.rails.modulus import Check, ModulusTableInvalid, ModulusTables, parse_substitutions, parse_weights
from tests.support.modulus_tables import SUBSTITUTIONS, WEIGHTS

SORT_CODE = "123456"
PLACES = st.integers(6, 13)
DIGITS = st.text("0123456789", min_size=14, max_size=14)
# 11 divides no product of such a weight and a difference of two digits, which is why 11 is the modulus.
WEIGHT = st.integers(-999, 999).filter(lambda weight: weight % 11)
TABLES = ModulusTables.parse(WEIGHTS, SUBSTITUTIONS)


def valid(method: str, weights: list[int], digits: str) -> bool:
    line = f"{digits[:6]} {digits[:6]} {method} {' '.join(map(str, weights))}"
    return ModulusTables(parse_weights(line), {}).check(digits[:6], digits[6:])


def with_check_digit(method: str, weights: list[int], digits: str) -> str:
    found = [digits[:-1] + last for last in "0123456789" if valid(method, weights, digits[:-1] + last)]
    assume(found)
    return found[0]


@given(
    digits=DIGITS, weights=st.lists(WEIGHT, min_size=14, max_size=14), place=PLACES, other=st.sampled_from("0123456789")
)
def test_one_mistyped_digit_never_passes_a_mod11(digits: str, weights: list[int], place: int, other: str) -> None:
    good = with_check_digit("MOD11", weights, digits)
    assume(other != good[place])
    assert not valid("MOD11", weights, good[:place] + other + good[place + 1 :])


@given(digits=DIGITS, weights=st.lists(WEIGHT, min_size=14, max_size=14), place=st.integers(6, 12))
def test_two_digits_swapped_never_pass_a_mod11_that_weighs_them_differently(
    digits: str, weights: list[int], place: int
) -> None:
    assume((weights[place] - weights[place + 1]) % 11)
    good = with_check_digit("MOD11", weights, digits)
    assume(good[place] != good[place + 1])
    assert not valid("MOD11", weights, good[:place] + good[place + 1] + good[place] + good[place + 2 :])


@given(digits=DIGITS, place=PLACES, other=st.sampled_from("0123456789"))
def test_one_mistyped_digit_never_passes_a_double_alternate(digits: str, place: int, other: str) -> None:
    weights = [2, 1] * 7
    good = with_check_digit("DBLAL", weights, digits)
    assume(other != good[place])
    assert not valid("DBLAL", weights, good[:place] + other + good[place + 1 :])


@given(sort_code=st.one_of(st.sampled_from([one.first for one in TABLES.checks]), st.from_regex(r"[0-9]{6}", fullmatch=True)), number=st.from_regex(r"[0-9]{8}", fullmatch=True))  # fmt: skip
def test_every_pair_has_an_answer(sort_code: str, number: str) -> None:
    assert TABLES.check(sort_code, number) in (True, False)
    if not any(one.first <= sort_code <= one.last for one in TABLES.checks):
        assert TABLES.check(sort_code, number)


def written(check: Check) -> str:
    """A line of the file as section 2.3.2 lays it out."""
    weights = "".join(f"{weight:5d}" for weight in check.weights)
    exception = "" if check.exception is None else f"{check.exception:4d}"
    return f"{check.first} {check.last} {check.method}{weights}{exception}"


@st.composite
def tables(draw: st.DrawFn) -> list[Check]:
    ends = sorted(draw(st.sets(st.integers(0, 999_999), min_size=2, max_size=12)))
    checks: list[Check] = []
    for first, last in zip(ends[::2], ends[1::2], strict=False):
        for _ in range(draw(st.integers(1, 2))):
            method = draw(st.sampled_from(["MOD10", "MOD11", "DBLAL"]))
            weights = draw(st.tuples(*[st.integers(0 if method == "DBLAL" else -99, 999)] * 14))
            exception = draw(st.one_of(st.none(), st.integers(1, 14)))
            checks.append(Check(f"{first:06d}", f"{last:06d}", method, weights, exception))
    return checks


@given(checks=tables())
def test_a_table_is_read_as_it_was_written(checks: list[Check]) -> None:
    assert list(parse_weights("\r\n".join(map(written, checks)))) == checks


@given(text=st.one_of(st.text(), st.text("0123456789 -\nMODBLA")))
def test_any_other_text_is_refused_with_its_line(text: str) -> None:
    for parse in (parse_weights, parse_substitutions):
        said = None
        try:
            parse(text)
        except ModulusTableInvalid as error:
            said = error.detail
        assert said is None or re.match(r"Line [0-9]+ |The \w+ table is empty", said)
