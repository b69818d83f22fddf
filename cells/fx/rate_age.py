"""How old a reference rate is, in the banking days of its source, and from what age no price is made of it. Pure.

The one source there is, the ECB, publishes on TARGET days at about 16:00 Central European time ("Euro foreign exchange reference rates",
ecb.europa.eu). Between publications the newest rates are a day old, over a weekend no more; older than two banking days means that some
were missed, and a price says so.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cells.fx.rates import Rate
from cells.rails.calendar import is_business_day
from cells.rails.profile import CalendarName
from residency.errors import KovraError

STALE_AFTER_DAYS: Final = 2
_CALENDAR: Final[CalendarName] = "TARGET"
_FRANKFURT: Final = ZoneInfo("Europe/Berlin")
_PUBLISHED: Final = time(16)
_A_DAY: Final = timedelta(days=1)


class RatesTooOld(KovraError):
    code = "rates-too-old"
    status = 503
    retryable = True
    title = "The reference rates are too old to price by"


def age_days(as_of: date, at: datetime) -> int:
    """Banking days since `as_of`, up to the day that it is in Frankfurt at `at`. Raises CalendarUnknown."""
    return _banking_days(as_of, at.astimezone(_FRANKFURT).date())


def is_stale(rate: Rate, at: datetime) -> bool:
    """Whether publications were missed before `at`. Within one currency nothing is exchanged, so nothing is old. Raises CalendarUnknown."""
    return rate.source != rate.target and age_days(rate.as_of, at) > STALE_AFTER_DAYS


def check_age(rate: Rate, age_max_days: int | None, at: datetime) -> None:
    """`age_max_days`: of the cell's settings; None = any age. Raises RatesTooOld, CalendarUnknown."""
    if age_max_days is None or rate.source == rate.target:
        return
    age = age_days(rate.as_of, at)
    if age > age_max_days:
        raise RatesTooOld(
            f"The newest rates are of {rate.as_of}, {age} banking days ago; prices are made of rates of at most {age_max_days}. "
            "Nothing was priced. Payments within one currency go on.",
            rate_as_of=rate.as_of.isoformat(),
            rate_age_days=age,
            retry_after_s=int((_next_publication(at) - at).total_seconds()) + 1,
        )


@lru_cache(maxsize=256)
def _banking_days(after: date, through: date) -> int:
    days = (after + timedelta(days=one) for one in range(1, (through - after).days + 1))
    return sum(is_business_day(_CALENDAR, day) for day in days)


def _next_publication(at: datetime) -> datetime:
    moment = datetime.combine(at.astimezone(_FRANKFURT).date(), _PUBLISHED, _FRANKFURT)
    while moment <= at or not is_business_day(_CALENDAR, moment.date()):
        moment += _A_DAY
    return moment.astimezone(UTC)
