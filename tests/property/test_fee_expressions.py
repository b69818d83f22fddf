"""Whatever text is given as a rule: it is refused, or it gives a whole number, or it says that it has none; in no time, and never anything
else."""

import time

from hypothesis import given
from hypothesis import strategies as st

from cells.fx.expressions import VARIABLES, EvaluationFailed, Expression, InvalidExpression
from cells.fx.fees import FeesUnavailable, total
from tests.support.tariffs import circumstances, made, rule

_WORDS = [
    *VARIABLES, "bps", "least", "most", "has", "true", "false", "null", "in", "double", "int", "size", "map", "exists", "matches",
    "'EUR'", '"IDR"', "1.5", "2u", "1e9", "0", "1", "7", "9223372036854775807", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}",
    "?", ":", "&&", "||", "!", "==", "!=", "<", ">=", ",", ".", " ", "\\", "'", "r'", "b'", "//", "\n",
]  # fmt: skip
_FACTS = made().facts(125_001)
texts = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join))


@given(texts)
def test_any_text_is_refused_or_gives_a_whole_number_or_says_that_it_has_none(text: str) -> None:
    began = time.perf_counter()
    try:
        found = Expression(text, "amount").of(_FACTS)
    except (InvalidExpression, EvaluationFailed):
        found = 0
    assert type(found) is int
    assert -(2**63) <= found < 2**63
    assert time.perf_counter() - began < 0.5


numbers = st.integers(-(10**6), 10**6).map(lambda number: f"({number})")
sums = st.recursive(
    st.one_of(numbers, st.just("amount_minor")),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(" ".join).map("({})".format),
        st.tuples(inner, inner).map(lambda pair: f"least({pair[0]}, {pair[1]})"),
    ),
    max_leaves=6,
)


@given(sums, st.integers(1, 10**16))
def test_a_sum_is_exact_or_refused(text: str, amount: int) -> None:
    expected = eval(text, {"__builtins__": {}}, {"amount_minor": amount, "least": min})
    try:
        found = Expression(text, "amount").of({**_FACTS, "amount_minor": amount})
    except EvaluationFailed:
        return
    assert found == expected


@given(
    pre=st.integers(0, 10**6), points=st.integers(0, 3_000), step=st.integers(1, 10**7), below=st.integers(0, 10**5), left=st.integers(1, 10**12)
)  # fmt: skip
def test_the_sum_upon_never_leaves_less_than_was_asked(pre: int, points: int, step: int, below: int, left: int) -> None:
    # A schedule with a step, up or down, on top of a share: there may be no sum that leaves exactly so much.
    tariff = made(
        rule(f"{pre} + bps(amount_minor, {points})", name="share"),
        rule(f"amount_minor < {step} ? {below} : 3", name="step"),
        here=circumstances(),
    )
    try:
        items = tariff.upon("PRE", left)
    except FeesUnavailable:
        return
    whole = left + total(items)
    assert whole - total(tariff.of("PRE", whole)) >= left
    assert 0 <= total(items) < whole
    assert all(type(one.amount_minor) is int and one.amount_minor > 0 for one in items)
