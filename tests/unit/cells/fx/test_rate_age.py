"""The age of a rate: banking days of the ECB's calendar, never days of the week."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from cells.fx.rate_age import RatesTooOld, age_days, check_age, is_stale
from cells.fx.rates import Rate
from cells.spec import RATE_AGE_MAX_DAYS, PrivateSettings
from infra.local.errors import LocalError
from infra.local.layout import _rate_age_max_days

FRIDAY = date(2026, 11, 27)


def rate(as_of: date, target: str = "IDR") -> Rate:
    return Rate("EUR", target, Decimal(1), as_of, "ECB")


@pytest.mark.parametrize(
    ("as_of", "at", "age"),
    [
        (FRIDAY, datetime(2026, 11, 27, 20, tzinfo=UTC), 0),
        (FRIDAY, datetime(2026, 11, 29, 12, tzinfo=UTC), 0),  # a Sunday: nothing was missed
        (FRIDAY, datetime(2026, 11, 30, 12, tzinfo=UTC), 1),
        (FRIDAY, datetime(2026, 11, 30, 23, 30, tzinfo=UTC), 2),  # Tuesday in Frankfurt
        (FRIDAY, datetime(2026, 12, 4, 12, tzinfo=UTC), 5),
        (date(2026, 12, 24), datetime(2026, 12, 28, 12, tzinfo=UTC), 1),  # the 25th and 26th are closing days
        (date(2027, 3, 25), datetime(2027, 3, 30, 12, tzinfo=UTC), 1),  # Good Friday and Easter Monday, too
        (date(2026, 10, 30), datetime(2026, 11, 29, 12, tzinfo=UTC), 20),
        (FRIDAY, datetime(2026, 11, 20, 12, tzinfo=UTC), 0),  # a rate of tomorrow is not old
    ],
)
def test_an_age_is_counted_in_banking_days(as_of: date, at: datetime, age: int) -> None:
    assert age_days(as_of, at) == age
    assert is_stale(rate(as_of), at) == (age > 2)
    assert not is_stale(rate(as_of, "EUR"), at)


def test_what_is_older_than_the_limit_makes_no_price_and_says_when_to_ask_again() -> None:
    at = datetime(2026, 12, 4, 12, tzinfo=UTC)
    check_age(rate(FRIDAY), 5, at)
    check_age(rate(FRIDAY), None, at)
    check_age(rate(date(2020, 1, 2), "EUR"), 1, at)
    with pytest.raises(RatesTooOld) as refused:
        check_age(rate(FRIDAY), 4, at)
    # Friday noon in UTC; the next rates are due at 16:00 in Frankfurt, 15:00 UTC.
    assert refused.value.extra == {"rate_as_of": "2026-11-27", "rate_age_days": 5, "retry_after_s": 3 * 3600 + 1}
    with pytest.raises(RatesTooOld) as refused:
        check_age(rate(FRIDAY), 1, datetime(2026, 12, 4, 15, tzinfo=UTC))
    assert refused.value.extra["retry_after_s"] == 3 * 86_400 + 1, "that of today is out: Monday's"


@pytest.mark.parametrize(("sandbox", "given", "limit"), [(True, None, None), (True, 3, 3), (False, 9, 9), (False, None, RATE_AGE_MAX_DAYS)])  # fmt: skip
def test_only_a_sandbox_prices_by_rates_of_any_age(sandbox: bool, given: int | None, limit: int | None) -> None:
    settings = PrivateSettings.model_construct(sandbox=sandbox, rate_age_max_days=given)
    assert settings.rate_age_limit == limit


@pytest.mark.parametrize(("text", "limit"), [("", None), ("3", 3)])
def test_a_sandboxs_limit_is_the_operators(monkeypatch: pytest.MonkeyPatch, text: str, limit: int | None) -> None:
    monkeypatch.setenv("KOVRA_SANDBOX_RATE_AGE_MAX_DAYS", text)
    assert _rate_age_max_days() == limit


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "３"])
def test_a_limit_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KOVRA_SANDBOX_RATE_AGE_MAX_DAYS", text)
    with pytest.raises(LocalError, match="KOVRA_SANDBOX_RATE_AGE_MAX_DAYS"):
        _rate_age_max_days()
