"""When rails work, at the edges: the minute of the cut-off, holidays, joint leave, the year's end, and both changes of the clock."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from cells.rails.calendar import (
    KNOWN_THROUGH,
    CalendarUnknown,
    holidays_of,
    is_open,
    next_opening,
    settled_by,
    settlement_date,
)
from cells.rails.profile_files import rail_profiles

LONDON, BERLIN, JAKARTA = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Jakarta")
CHAPS, SEPA, RTGS = rail_profiles()["chaps"], rail_profiles()["sepa_credit_transfer"], rail_profiles()["bi_rtgs"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rail", "zone", "before", "first", "last", "after"),
    [
        ("chaps", LONDON, "05:59:59", "06:00:00", "17:39:59", "17:40:00"),
        ("sepa_credit_transfer", BERLIN, "06:59:59", "07:00:00", "15:59:59", "16:00:00"),
        ("bi_rtgs", JAKARTA, "06:29:59", "06:30:00", "16:29:59", "16:30:00"),
    ],
)
def test_the_cut_off_is_exact(rail: str, zone: ZoneInfo, before: str, first: str, last: str, after: str) -> None:
    profile = rail_profiles()[rail]
    found = [
        is_open(profile, datetime.fromisoformat(f"2026-11-18T{at}").replace(tzinfo=zone))
        for at in (before, first, last, after)
    ]
    assert found == [False, True, True, False]


@pytest.mark.parametrize("rail", ["sepa_instant", "faster_payments", "bi_fast"])
def test_an_instant_rail_never_closes(rail: str) -> None:
    christmas = utc("2026-12-25T23:59:59")
    assert is_open(rail_profiles()[rail], christmas)
    assert next_opening(rail_profiles()[rail], christmas) == christmas
    assert (settled_by(rail_profiles()[rail], christmas) - christmas).total_seconds() == rail_profiles()[
        rail
    ].answer_time_s


def test_chaps_on_a_friday_evening_waits_for_monday() -> None:
    friday = datetime(2026, 11, 20, 17, 40, tzinfo=LONDON)
    assert not is_open(CHAPS, friday)
    assert next_opening(CHAPS, friday) == utc("2026-11-23T06:00:00")
    assert settlement_date(CHAPS, friday) == date(2026, 11, 23)


def test_chaps_rests_on_a_bank_holiday_that_is_kept_later() -> None:
    # Boxing Day 2026 is a Saturday: England keeps it on Monday the 28th.
    christmas_eve = datetime(2026, 12, 24, 18, 0, tzinfo=LONDON)
    assert next_opening(CHAPS, christmas_eve) == utc("2026-12-29T06:00:00")


def test_bi_rtgs_rests_on_joint_leave_and_bi_fast_does_not() -> None:
    joint_leave = datetime(2026, 12, 24, 10, 0, tzinfo=JAKARTA)  # a Thursday, and no national holiday
    assert not is_open(RTGS, joint_leave)
    assert is_open(rail_profiles()["bi_fast"], joint_leave)
    assert next_opening(RTGS, joint_leave) == utc("2026-12-27T23:30:00")  # Monday the 28th, 06:30 in Jakarta
    assert settlement_date(RTGS, joint_leave) == date(2026, 12, 28)


def test_idul_fitri_closes_bi_rtgs_for_a_week() -> None:
    eve = datetime(2026, 3, 17, 16, 30, tzinfo=JAKARTA)
    assert next_opening(RTGS, eve) == datetime(2026, 3, 25, 6, 30, tzinfo=JAKARTA)


@pytest.mark.parametrize(
    ("ready", "settles"),
    [
        ("2026-04-02T15:59:00", date(2026, 4, 7)),  # Maundy Thursday before the cut-off: over Easter
        ("2026-04-02T16:00:00", date(2026, 4, 8)),  # a minute later: taken on Tuesday
        ("2026-12-30T12:00:00", date(2026, 12, 31)),
        ("2026-12-31T12:00:00", date(2027, 1, 4)),  # New Year's Day is a Friday
        ("2026-12-24T16:30:00", date(2026, 12, 29)),
    ],
)
def test_sepa_settles_the_next_target_day(ready: str, settles: date) -> None:
    at = datetime.fromisoformat(ready).replace(tzinfo=BERLIN)
    assert settlement_date(SEPA, at) == settles
    assert settled_by(SEPA, at) == datetime(settles.year, settles.month, settles.day, 18, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("at", "opening"),
    [
        ("2026-03-27T18:00:00", "2026-03-30T05:00:00"),  # clocks go forward on the 29th: 06:00 BST
        ("2026-10-23T17:00:00", "2026-10-26T06:00:00"),  # and back on the 25th: 06:00 GMT
    ],
)
def test_chaps_opens_at_six_whatever_the_clocks_do(at: str, opening: str) -> None:
    assert next_opening(CHAPS, utc(at)) == utc(opening)


def test_the_cut_off_moves_with_summer_time() -> None:
    assert is_open(CHAPS, utc("2026-10-23T16:39:00"))
    assert not is_open(CHAPS, utc("2026-10-23T16:40:00"))
    assert is_open(CHAPS, utc("2026-10-26T17:39:00"))


def test_the_calendars_are_the_published_ones() -> None:
    assert sorted(holidays_of("TARGET", 2026)) == [
        date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 12, 25), date(2026, 12, 26),
    ]  # fmt: skip
    assert {date(2026, 5, 4), date(2026, 5, 25), date(2026, 8, 31), date(2026, 12, 28)} <= holidays_of("GB", 2026)
    joint_leave_2026 = {(2, 16), (3, 18), (3, 20), (3, 23), (3, 24), (5, 15), (5, 28), (12, 24)}
    assert {date(2026, *day) for day in joint_leave_2026} <= holidays_of("ID", 2026)


@pytest.mark.parametrize("calendar", KNOWN_THROUGH)
def test_no_day_is_guessed_beyond_what_is_known(calendar: str) -> None:
    with pytest.raises(CalendarUnknown, match=calendar):
        holidays_of(calendar, KNOWN_THROUGH[calendar] + 1)  # type: ignore[arg-type]
