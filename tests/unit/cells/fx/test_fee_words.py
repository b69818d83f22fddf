"""Fee rules in words: what the expressions compute, and nothing that they do not."""

import pytest

from cells.fx.fee_words import amount_in_words, condition_in_words
from cells.fx.fees import FeeRule, Kind, seeds
from cells.kit.money import CURRENCIES

EUR = "currency == 'EUR'"


def rule(applies: str, amount: str, kind: Kind = "PRE") -> FeeRule:
    made = FeeRule("r", 1, "", kind, applies, amount)
    made.check()
    return made


@pytest.mark.parametrize(
    ("applies", "amount", "takes"),
    [
        (EUR, "20", "0.20 EUR"),
        (EUR, "100 + bps(amount_minor, 20)", "1.00 EUR plus 0.20 % of the amount"),
        (EUR, "least(500, bps(amount_minor, 105))", "the least of 5.00 EUR and 1.05 % of the amount"),
        (EUR, "most(0, amount_minor / 200 - 50)", "the most of 0.00 EUR and the amount divided by 200 minus 0.50 EUR"),
        (EUR, "3 * (amount_minor - 100)", "3 times (the amount minus 1.00 EUR)"),
        (EUR, "amount_minor > 100000 ? 0 : 150", "0.00 EUR if the amount is more than 1000.00 EUR, else 1.50 EUR"),
        ("true", "20", "0.20 of the wallet's currency"),
        (f"{EUR} || currency == 'GBP'", "20", "0.20 of the wallet's currency"),
        ("!(currency == 'EUR')", "20", "0.20 of the wallet's currency"),
        ("!((currency == 'EUR'))", "20", "0.20 of the wallet's currency"),
        ("target_currency == 'EUR'", "20", "0.20 of the wallet's currency"),
    ],
)
def test_what_a_rule_takes(applies: str, amount: str, takes: str) -> None:
    assert amount_in_words(rule(applies, amount)) == takes


@pytest.mark.parametrize(
    ("applies", "said"),
    [
        ("true", "every payment"),
        (EUR, "the wallet's currency is EUR"),
        (f"{EUR} && !(target_currency in ['EUR', 'IDR'])",
         "the wallet's currency is EUR and not (the currency paid out is one of EUR or IDR)"),
        ("tier != 'starter' || rail == 'chaps'", "your tier is not starter or the rail is chaps"),
        (f"{EUR} && 'payroll' in metadata.tags", "the wallet's currency is EUR and metadata.tags has payroll"),
        (f"{EUR} && amount_minor >= 5000", "the wallet's currency is EUR and the amount is at least 50.00 EUR"),
        ("tier in []", "your tier is one of nothing"),
    ],
)  # fmt: skip
def test_when_a_rule_applies(applies: str, said: str) -> None:
    assert condition_in_words(rule(applies, "1")) == said


def test_what_the_recipient_pays_is_in_the_currency_paid_out() -> None:
    assert amount_in_words(rule("target_currency == 'IDR'", "650000", "POST")) == "6500.00 IDR"


def test_every_founding_rule_reads_whole() -> None:
    for one in seeds(CURRENCIES):
        for said in (amount_in_words(one), condition_in_words(one)):
            assert not set(said) & set('[]{}"_&|='), said


def test_every_currency_has_the_two_decimals_that_words_are_written_with() -> None:
    assert {one.exponent for one in CURRENCIES.values()} == {2}
