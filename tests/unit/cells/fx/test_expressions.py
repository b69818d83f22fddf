"""The language of fee rules: what it computes, and everything that it will not."""

import time

import pytest

from cells.fx.expressions import LENGTH_MAX, TOKENS_MAX, EvaluationFailed, Expression, InvalidExpression, compiled

FACTS = {
    "amount_minor": 125_001,
    "currency": "EUR",
    "target_currency": "IDR",
    "corridor": "EU-ID",
    "rail": "bi_fast",
    "tier": "growth",
    "metadata.tags": ["payroll", "q4"],
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250", 250),
        ("100 + bps(amount_minor, 20)", 100 + 251),  # 250.002 is rounded up
        ("amount_minor * 20 / 10000", 250),  # CEL's own division goes towards zero
        ("least(bps(amount_minor, 100), 500)", 500),
        ("most(bps(amount_minor, 1), 50)", 50),
        ("'payroll' in metadata.tags ? 0 : 90", 0),
        ("corridor == 'EU-ID' && tier != 'starter' && rail in ['bi_fast', 'bi_rtgs'] ? 7 : 8", 7),
        ("amount_minor >= 100000 ? 1 : amount_minor > 50000 ? 2 : 3", 1),
        ("-(-5) % 3", 2),
        ("bps(10000000000000000, 9999)", 9_999 * 10**12),  # a product beyond 64 bits, exact all the same
        ('"12.5" == currency ? 1 : 2', 2),  # a text may look like anything
    ],
)
def test_what_it_computes(text: str, value: int) -> None:
    found = compiled(text, "amount").of(FACTS)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize(
    "text",
    [
        "1.5", ".5", "1.", "1e3", "2.5E-1", "amount_minor * 0.002", "1.5 == 1.5 ? 1 : 2", "[1.5] == [] ? 1 : 2",
        "double(amount_minor)", "int(1.0)", "amount_minor / double('3')", "int('5')", "uint(amount_minor)", "1u + 1u", "dyn(1) + 1",
    ],
)  # fmt: skip
def test_nothing_that_is_not_a_whole_number(text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expression(text, "amount")


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 3].map(x, x * 2)[0]",
        "metadata.tags.exists(t, t == 'a') ? 1 : 2",
        "metadata.tags.all(t, metadata.tags.all(u, metadata.tags.all(v, v == t))) ? 1 : 2",
        "[1].filter(x, true) == [1] ? 1 : 2",
        "size(metadata.tags)",
        "currency.matches('(a+)+$') ? 1 : 2",
        "'a' + 'b' == currency ? 1 : 2",
        "[1] + [2] == [] ? 1 : 2",
        "timestamp('2026-01-01T00:00:00Z') == timestamp('2026-01-01T00:00:00Z') ? 1 : 2",
        "google.protobuf.Int64Value{value: 1}",
        "{'a': 1}['a']",
        "type(1) == int ? 1 : 2",
        "optional.of(1).value()",
        "cel.bind(x, 1, x)",
    ],
)
def test_nothing_that_loops_builds_or_calls_out(text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expression(text, "amount")


@pytest.mark.parametrize(
    "text",
    [
        "amount",
        "payer.name",
        "metadata.secret",
        "metadata",
        "amount_minor.value",
        "tenant == 'x' ? 1 : 2",
        "__import__('os')",
    ],
)
def test_nothing_that_it_was_not_given(text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expression(text, "amount")


@pytest.mark.parametrize(
    "text",
    [
        "1" + " + 1" * TOKENS_MAX,
        "(" * 60 + "1" + ")" * 60,
        "!" * 250 + "true",
        "-" * 900 + "1",
        "'" + "a" * LENGTH_MAX + "' == currency ? 1 : 2",
        "true ? 1 : " * 40 + "1",
        "[" * 100 + "]" * 100,
        "", "   ", "1 +", "1 1", "// nothing", "'open", "\x00", "1 == 1", "'text'", "'\\u0031' == currency ? 1 : 2", "`a`",
    ],
)  # fmt: skip
def test_nothing_too_long_too_deep_or_broken(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InvalidExpression) as refused:
        Expression(text, "amount")
    assert time.perf_counter() - began < 0.5
    assert refused.value.detail


def test_a_condition_is_true_or_false_and_an_amount_a_number() -> None:
    assert compiled("amount_minor > 5", "condition").of(FACTS) is True
    with pytest.raises(InvalidExpression, match="true or false"):
        Expression("amount_minor", "condition")
    with pytest.raises(InvalidExpression, match="whole number"):
        Expression("amount_minor > 5", "amount")


@pytest.mark.parametrize(
    "text",
    ["1 / (amount_minor - 125001)", "9223372036854775807 + amount_minor", "amount_minor * 9223372036854775807", "5 % 0",
     "bps(9223372036854775807, 9223372036854775807)", "-(-9223372036854775807 - 1)"],
)  # fmt: skip
def test_what_has_no_whole_answer_is_a_refusal_and_no_wrong_number(text: str) -> None:
    with pytest.raises(EvaluationFailed):
        compiled(text, "amount").of(FACTS)


def test_an_expression_is_compiled_once() -> None:
    assert compiled("100 + 1", "amount") is compiled("100 + 1", "amount")


def test_the_longest_rule_that_is_let_in_takes_no_time() -> None:
    text = " + ".join(["bps(amount_minor, 3)"] * 28)
    assert len(text) < LENGTH_MAX
    expression = Expression(text, "amount")
    began = time.perf_counter()
    for _ in range(100):
        expression.of(FACTS)
    assert (time.perf_counter() - began) / 100 < 0.002
