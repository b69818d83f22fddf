"""When a rail works: its business days, its hours, and the day on which a payment settles. Pure.

Whose holidays they are comes from the `holidays` library, at the version that is locked: TARGET closing days, bank holidays in
England, and Indonesia's national holidays and joint leave (cuti bersama, which it calls "government"). Days and times of day are the
scheme's own, summer time included; every instant returned is in UTC.

Invariant: no day is guessed. A year beyond what a calendar knows is CalendarUnknown, and no opening.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from cells.rails.profile import CalendarName, RailProfile
from residency.errors import KovraError

# The last year that each calendar knows. TARGET's days follow a rule of 2000 "until further notice"; England's follow the law, and
# one-off days are proclaimed months ahead; Indonesia's are decreed by three ministers each autumn for the year that follows.
KNOWN_THROUGH: Final = MappingProxyType({"TARGET": 2030, "GB": 2028, "ID": 2027})
_SATURDAY = 5
_LOOK_AHEAD_DAYS = 60
_A_DAY = timedelta(days=1)
# What settles further away than this, either way, is a mistake.
_SETTLEMENT_DATE_WITHIN = timedelta(days=366)


class CalendarUnknown(KovraError):
    """The calendar does not reach that far: update the `holidays` library and KNOWN_THROUGH with it."""

    code = "calendar-unknown"
    status = 503
    title = "The rail's calendar is not known that far ahead"


def _target(year: int) -> Mapping[date, str]:
    return holidays.financial_holidays("ECB", years=year)


def _england(year: int) -> Mapping[date, str]:
    return holidays.country_holidays("GB", subdiv="ENG", years=year)


def _indonesia(year: int) -> Mapping[date, str]:
    return holidays.country_holidays("ID", years=year, categories=("public", "government"))


_READERS: Mapping[CalendarName, Callable[[int], Mapping[date, str]]] = {
    "TARGET": _target,
    "GB": _england,
    "ID": _indonesia,
}


@cache
def holidays_of(calendar: CalendarName, year: int) -> frozenset[date]:
    """The days of that year, weekends aside, on which the calendar rests. Raises CalendarUnknown."""
    if year > KNOWN_THROUGH[calendar]:
        raise CalendarUnknown(f"{calendar} is known through {KNOWN_THROUGH[calendar]}.")
    return frozenset(day for day in _READERS[calendar](year) if day.year == year)


def is_business_day(calendar: CalendarName, day: date) -> bool:
    """Raises CalendarUnknown."""
    return day.weekday() < _SATURDAY and day not in holidays_of(calendar, day.year)


def is_open(profile: RailProfile, at: datetime) -> bool:
    """Whether the scheme takes a payment at that moment: from its opening to the minute before its cut-off. Raises CalendarUnknown."""
    hours, calendar = profile.hours, profile.calendar
    if hours is None:
        return True
    assert calendar is not None
    there = at.astimezone(zone_of(profile))
    return hours.opens <= there.time() < hours.cut_off and is_business_day(calendar, there.date())


def next_opening(profile: RailProfile, at: datetime) -> datetime:
    """From when the scheme takes a payment that is ready at `at`: then, or as soon as it opens. Raises CalendarUnknown."""
    hours, calendar = profile.hours, profile.calendar
    if hours is None or is_open(profile, at):
        return at.astimezone(UTC)
    assert calendar is not None
    there = at.astimezone(zone_of(profile))
    first = there.date() if there.time() < hours.opens else there.date() + _A_DAY
    return _moment(profile, _business_day_from(calendar, first), hours.opens)


def settlement_date(profile: RailProfile, at: datetime) -> date:
    """The day, where the scheme is, on which the payee has a payment that is ready at `at`: what its messages name as
    IntrBkSttlmDt. A scheme that a sandbox keeps open settles on business days all the same. Raises CalendarUnknown.
    """
    day = local_date(profile, next_opening(profile, at))
    if profile.calendar is None:
        return day
    day = _business_day_from(profile.calendar, day)
    for _ in range(profile.settlement_days):
        day = _business_day_from(profile.calendar, day + _A_DAY)
    return day


def settled_by(profile: RailProfile, at: datetime) -> datetime:
    """When a payment that is ready at `at` is settled at the latest, if all goes as it should. Raises CalendarUnknown."""
    taken = next_opening(profile, at)
    if profile.hours is None or not profile.settlement_days:
        return taken + timedelta(seconds=profile.answer_time_s)
    return _moment(profile, settlement_date(profile, at), profile.hours.closes)


def is_settlement_date(profile: RailProfile, day: date, now: datetime) -> bool:
    """Whether money can be said to settle on that day: within a year of today, and, while it lies ahead, on a business day where the
    scheme keeps some. What has settled on a day off by the scheme's own word is there.
    """
    today = local_date(profile, now)
    if abs(day - today) > _SETTLEMENT_DATE_WITHIN:
        return False
    if day <= today or profile.hours is None or profile.calendar is None:
        return True
    try:
        return is_business_day(profile.calendar, day)
    except CalendarUnknown:
        return False


def day_starts(profile: RailProfile, day: date) -> datetime:
    """The instant at which that day begins where the scheme is."""
    return _moment(profile, day, time())


def local_date(profile: RailProfile, at: datetime) -> date:
    """The day that it is where the scheme is."""
    return at.astimezone(zone_of(profile)).date()


def zone_of(profile: RailProfile) -> ZoneInfo:
    return ZoneInfo(profile.zone)  # which keeps each zone after its first use


def _business_day_from(calendar: CalendarName, first: date) -> date:
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        if is_business_day(calendar, day):
            return day
    raise AssertionError(f"{calendar} has no business day in {_LOOK_AHEAD_DAYS} days from {first}")


def _moment(profile: RailProfile, day: date, at: time) -> datetime:
    return datetime.combine(day, at, zone_of(profile)).astimezone(UTC)
