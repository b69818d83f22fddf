"""The pure limit check: exactly at a limit fits, one over does not, and the failure names the limit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from cells.limits.limits import FREE, NOTHING, CurrencyLimits, Usage, Window, check, window_end
from cells.limits.rules import Bounds, Sender
from cells.tenants.tiers import tiers
from residency.directory import load_directory

LIMITS = CurrencyLimits(transfer_minor=1_000, day_minor=2_000, month_minor=5_000, day_transfers=3, month_transfers=10)


@pytest.mark.parametrize(
    ("usage", "amount", "limit"),
    [
        (Usage(), 1_000, None),
        (Usage(), 1_001, "tenant-transfer-amount"),
        (Usage(day_minor=1_000, month_minor=1_000), 1_000, None),
        (Usage(day_minor=1_001, month_minor=1_001), 1_000, "tenant-day-amount"),
        (Usage(month_minor=4_000), 1_000, None),
        (Usage(month_minor=4_001), 1_000, "tenant-month-amount"),
        (Usage(day_transfers=2, month_transfers=2), 1, None),
        (Usage(day_transfers=3, month_transfers=3), 1, "tenant-day-count"),
        (Usage(month_transfers=10), 1, "tenant-month-count"),
    ],
)
def test_each_limit_holds_to_the_unit(usage: Usage, amount: int, limit: str | None) -> None:
    verdict = check(usage, amount, "EUR", LIMITS)
    assert (verdict.extra["limit"] if verdict else None) == limit


def test_a_refusal_says_what_would_still_fit() -> None:
    verdict = check(Usage(day_minor=1_550, month_minor=1_550), 900, "EUR", LIMITS)
    assert verdict is not None
    assert verdict.extra["left"] == {"value": "4.50", "currency": "EUR"}
    over = check(Usage(day_minor=9_000), 900, "EUR", replace(LIMITS, month_minor=10**6))
    assert over is not None
    assert over.extra["left"]["value"] == "0.00"


def test_a_refusal_names_the_limit_its_window_and_what_remains() -> None:
    verdict = check(Usage(day_transfers=3), 1, "EUR", LIMITS, "payer")
    assert verdict is not None
    said = dict(verdict.extra)
    assert said.pop("resets_at") > datetime.now(UTC).isoformat()
    assert said == {
        "limit": "payer-day-count",
        "scope": "payer",
        "window": "day",
        "measure": "count",
        "most": 3,
        "left": 0,
    }
    single = check(Usage(), 1_001, "EUR", LIMITS, "wallet")
    assert single is not None
    assert "resets_at" not in single.extra
    assert "This wallet sends at most 10.00 EUR per transfer" in single.detail


@pytest.mark.parametrize(
    ("window", "at", "end"),
    [
        ("transfer", datetime(2026, 12, 31, 23, tzinfo=UTC), None),
        ("day", datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("day", datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        # Ten in the evening in New York is tomorrow already.
        ("day", datetime(2026, 11, 20, 22, tzinfo=timezone(timedelta(hours=-5))), datetime(2026, 11, 22, tzinfo=UTC)),
    ],
)
def test_windows_end_at_midnight_utc(window: Window, at: datetime, end: datetime | None) -> None:
    assert window_end(window, at) == end


@pytest.mark.parametrize(
    ("zone", "window", "at", "end"),
    [
        ("Asia/Jakarta", "day", "2026-11-28T16:59:59", "2026-11-28T17:00:00"),
        ("Asia/Jakarta", "day", "2026-11-28T17:00:00", "2026-11-29T17:00:00"),
        ("Asia/Jakarta", "month", "2026-11-30T16:59:59", "2026-11-30T17:00:00"),
        ("Asia/Jakarta", "month", "2026-11-30T17:00:00", "2026-12-31T17:00:00"),
        ("Europe/Berlin", "day", "2026-03-29T00:30:00", "2026-03-29T22:00:00"),  # 23 hours long
        ("Europe/Berlin", "day", "2026-10-25T00:30:00", "2026-10-25T23:00:00"),  # 25 hours long
        ("Europe/Berlin", "month", "2026-10-31T22:59:59", "2026-10-31T23:00:00"),
        ("Europe/London", "month", "2026-03-15T00:00:00", "2026-03-31T23:00:00"),
    ],
)
def test_windows_end_at_midnight_where_the_jurisdiction_is(zone: str, window: Window, at: str, end: str) -> None:
    moment, expected = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (at, end))
    assert window_end(window, moment, ZoneInfo(zone)) == expected


def test_what_no_rule_limits_is_free_for_a_payer_and_closed_for_a_tenant() -> None:
    us = Sender("ten", "starter", "EUR", "wal", "pyr")
    none = Bounds({})
    assert none.limits(us, "payer") == none.limits(us, "wallet") == FREE
    assert none.limits(us, "tenant") == NOTHING
    assert check(Usage(), 1, "EUR", none.limits(us, "tenant")) is not None


def test_the_tiers_are_as_published() -> None:
    published = {
        name: (tier.requests_per_minute, tier.margin_floor_bps, tier.margin_bps) for name, tier in tiers().items()
    }
    assert published["starter"] == (100, 150, 150)
    assert published["growth"] == (500, 80, 80)
    assert published["enterprise"] == (2_000, 30, 50)
    assert tiers()["enterprise"].placement == "own"
    assert {"sandbox", "benchmark"} < set(published)


def test_no_batch_of_admissible_transfers_can_overflow_a_sum() -> None:
    batch_max = 8_189  # what the ledger takes at once
    for tier in tiers().values():
        for limits in tier.limits.values():
            assert limits.transfer_minor * batch_max + limits.month_minor < 2**63


def test_every_tier_that_sends_limits_every_currency_that_is_held() -> None:
    # The platform's own keys have no wallet, and what no rule allows may not be sent.
    held = load_directory().region_of_currency
    assert all(held.keys() <= tier.limits.keys() for tier in tiers().values() if tier.name != "platform")


@pytest.mark.parametrize(("agreed", "margin"), [(None, 50), (10, 30), (40, 40), (90, 50)])
def test_an_agreed_margin_stays_within_its_tier(agreed: int | None, margin: int) -> None:
    assert tiers()["enterprise"].margin_for(agreed) == margin
