"""Dates are the scheme's: what our messages say, and from when what comes may be spent."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from xsdata.models.datatype import XmlDate, XmlDateTime

from cells.rails.calendar import day_starts, local_date, settlement_date
from cells.rails.connection import SchemeConnection
from cells.rails.inbound import read_inbound
from cells.rails.iso20022 import payments, returns
from cells.rails.iso20022.dates import day_of, instant_of, settlement_of
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import AT_ONCE, MessageInvalid, RailUnavailable, ReturnOut, Settlement, utc_now
from cells.rails.registry import open_rail
from infra.schemes.credits import SimulatedCredit, credit_message
from infra.schemes.rules import SCHEMES
from tests.support.schemes import payout


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# At each rail: the edges of its midnight in UTC, its weekend, its holidays, its cut-off.
MOMENTS = [
    ("bi_fast", "2026-11-28T17:30:00", "2026-11-29"),  # half past midnight in Jakarta
    ("bi_fast", "2026-11-28T16:59:59", "2026-11-28"),
    ("bi_fast", "2026-12-31T17:00:00", "2027-01-01"),
    ("sepa_instant", "2026-11-28T23:00:00", "2026-11-29"),  # a Sunday, midnight in Frankfurt
    ("sepa_instant", "2026-07-01T21:59:59", "2026-07-01"),
    ("sepa_instant", "2026-07-01T22:00:00", "2026-07-02"),  # summer time
    ("faster_payments", "2026-11-28T23:59:59", "2026-11-28"),
    ("faster_payments", "2026-07-01T23:00:00", "2026-07-02"),
    ("chaps", "2026-11-27T17:39:59", "2026-11-27"),  # a Friday, before the cut-off
    ("chaps", "2026-11-27T17:40:00", "2026-11-30"),
    ("chaps", "2026-12-25T10:00:00", "2026-12-29"),
    ("bi_rtgs", "2026-11-26T23:00:00", "2026-11-27"),  # 06:00 in Jakarta, and open at 06:30
    ("bi_rtgs", "2026-11-27T09:30:00", "2026-11-30"),
    (
        "sepa_credit_transfer",
        "2026-11-28T10:00:00",
        "2026-12-01",
    ),  # a Saturday: taken on Monday, with the payee the next day
    ("sepa_credit_transfer", "2026-11-27T14:59:59", "2026-11-30"),
    ("sepa_credit_transfer", "2026-11-27T15:00:00", "2026-12-01"),
]


@pytest.mark.parametrize(("rail", "at", "day"), MOMENTS)
def test_a_payment_and_a_return_name_the_schemes_settlement_date(rail: str, at: str, day: str) -> None:
    profile = rail_profiles()[rail]
    assert settlement_date(profile, utc(at)) == date.fromisoformat(day)
    paid = payments.build(profile, profile.participant_of(1), [payout(profile)], utc(at))
    back = returns.build_return(
        profile, profile.participant_of(1), [ReturnOut("R1", "T1", "E1", 12_300, profile.currency, "AC04")], utc(at)
    )
    for body in (paid, back):
        assert etree.fromstring(body).findtext(".//{*}IntrBkSttlmDt") == day


@pytest.mark.parametrize("rail", ["sepa_credit_transfer", "chaps", "bi_rtgs"])
def test_a_sandbox_that_never_closes_dates_by_business_days_all_the_same(rail: str) -> None:
    open_always = rail_profiles()[rail].model_copy(update={"hours": None})
    for day in ("2026-11-28", "2026-11-29"):
        assert settlement_date(open_always, utc(f"{day}T12:00:00")).weekday() < 5


async def test_a_day_that_no_calendar_knows_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = rail_profiles()["bi_rtgs"]
    monkeypatch.setattr("cells.rails.iso20022.connector.utc_now", lambda: utc("2031-03-03T03:00:00"))
    rail = open_rail("bi_rtgs", SchemeConnection("http://127.0.0.1:9", "KOVRIDJ1", b"x", keeps_hours=False))
    with pytest.raises(RailUnavailable, match="cannot be dated"):
        await rail.submit([payout(profile, amount_minor=150_000_000_00)])
    await rail.close()


NOW = utc("2026-11-29T10:00:00")  # a Sunday


@pytest.mark.parametrize(
    ("rail", "stated", "expected"),
    [
        ("sepa_instant", "2026-11-29", Settlement(date(2026, 11, 29))),
        ("sepa_instant", "2026-12-09", Settlement(date(2026, 12, 9), utc("2026-12-08T23:00:00"))),
        ("sepa_instant", "2026-12-09+14:00", Settlement(date(2026, 12, 9), utc("2026-12-08T23:00:00"))),
        ("bi_fast", "2026-11-30", Settlement(date(2026, 11, 30), utc("2026-11-29T17:00:00"))),
        ("faster_payments", "2026-11-30", Settlement(date(2026, 11, 30), utc("2026-11-30T00:00:00"))),
        ("sepa_credit_transfer", "2026-11-27", Settlement(date(2026, 11, 27))),
        ("sepa_credit_transfer", "2026-11-29", Settlement(date(2026, 11, 29))),
        ("sepa_credit_transfer", "2026-12-05", Settlement(date(2026, 12, 5), reason_code="DT01")),  # a Saturday
        ("chaps", "2026-12-28", Settlement(date(2026, 12, 28), reason_code="DT01")),  # Boxing Day, kept on Monday
        ("bi_rtgs", "2026-12-24", Settlement(date(2026, 12, 24), reason_code="DT01")),  # joint leave
        ("sepa_instant", "2027-12-01", Settlement(date(2027, 12, 1), reason_code="DT01")),
        ("sepa_instant", "2025-11-27", Settlement(date(2025, 11, 27), reason_code="DT01")),
        ("sepa_instant", "9999-12-31", Settlement(date(9999, 12, 31), reason_code="DT01")),
        ("sepa_instant", "0001-01-01", Settlement(date(1, 1, 1), reason_code="DT01")),
        ("sepa_instant", "12026-12-09", Settlement(reason_code="DT01")),
        ("sepa_instant", "-0044-03-15", Settlement(reason_code="DT01")),
    ],
)
def test_what_comes_is_available_on_its_settlement_date(rail: str, stated: str, expected: Settlement) -> None:
    assert settlement_of(rail_profiles()[rail], None, XmlDate.from_string(stated), NOW) == expected
    assert settlement_of(rail_profiles()[rail], XmlDate.from_string(stated), None, NOW) == expected


def test_a_date_in_the_header_counts_and_two_that_differ_are_refused() -> None:
    profile, first, second = rail_profiles()["chaps"], XmlDate(2026, 12, 9), XmlDate(2026, 12, 10)
    assert settlement_of(profile, None, None, NOW) == AT_ONCE
    assert settlement_of(profile, first, first, NOW).day == date(2026, 12, 9)
    with pytest.raises(MessageInvalid):
        settlement_of(profile, first, second, NOW)


def test_the_date_is_read_from_the_message() -> None:
    later = local_date(rail_profiles()["sepa_instant"], utc_now()).replace(day=1)
    later = later.replace(year=later.year + (later.month == 12), month=later.month % 12 + 1)
    asked = SimulatedCredit(
        amount_minor=1_000, currency="EUR", creditor_account={"iban": "DE89370400440532013000"}, settlement_date=later
    )
    [came] = read_inbound("sepa_instant", credit_message(asked)).credits
    assert came.settlement == Settlement(later, day_starts(rail_profiles()["sepa_instant"], later))


@pytest.mark.parametrize(
    ("rail", "stated", "expected"),
    [
        ("bi_fast", "2026-11-29T00:30:00", "2026-11-28T17:30:00"),
        ("sepa_instant", "2026-07-01T00:30:00", "2026-06-30T22:30:00"),
        ("faster_payments", "2026-07-01T00:30:00", "2026-06-30T23:30:00"),
        ("bi_fast", "2026-11-29T00:30:00Z", "2026-11-29T00:30:00"),
        ("bi_fast", "2026-11-29T00:30:00-02:00", "2026-11-29T02:30:00"),
    ],
)
def test_a_time_without_a_zone_is_the_schemes(rail: str, stated: str, expected: str) -> None:
    assert instant_of(rail_profiles()[rail], XmlDateTime.from_string(stated), NOW) == utc(expected)


@pytest.mark.parametrize("rail", sorted(rail_profiles()))
def test_the_simulator_counts_days_where_the_scheme_is(rail: str) -> None:
    assert SCHEMES[rail].zone == ZoneInfo(rail_profiles()[rail].zone)
    for hour in range(24):
        at = utc(f"2026-11-29T{hour:02}:30:00")
        assert SCHEMES[rail].day(at) == local_date(rail_profiles()[rail], at)


@pytest.mark.parametrize(
    ("rail", "stated", "expected"),
    [
        ("bi_fast", "2026-11-28T17:30:00Z", date(2026, 11, 29)),
        ("bi_fast", "2026-11-28T23:30:00", date(2026, 11, 28)),
        ("sepa_instant", "2026-11-28T24:00:00", date(2026, 11, 29)),
        ("chaps", "2026-07-01T23:00:00Z", date(2026, 7, 2)),
        ("bi_fast", "9999-12-31T23:00:00Z", date(9999, 12, 31)),
    ],
)
def test_a_movement_is_booked_on_the_schemes_day(rail: str, stated: str, expected: date) -> None:
    assert day_of(rail_profiles()[rail], XmlDateTime.from_string(stated)) == expected
    assert day_of(rail_profiles()[rail], XmlDate.from_date(expected)) == expected
