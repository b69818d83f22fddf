"""Dates and times of messages: the scheme's own. Pure.

A date is a day where the scheme is (profile.zone), whatever the day is in UTC; a time without a zone is the scheme's.
"""

from datetime import UTC, date, datetime

from xsdata.models.datatype import XmlDate, XmlDateTime

from cells.rails.calendar import day_starts, is_settlement_date, local_date, settlement_date, zone_of
from cells.rails.iso20022.xml import plain_time, written_day
from cells.rails.profile import RailProfile
from cells.rails.rail import AT_ONCE, MessageInvalid, Settlement

# ISO 20022 ExternalStatusReason1Code: invalid date.
_INVALID_DATE = "DT01"
_NEVER = datetime.min.replace(tzinfo=UTC)


def date_to_settle(profile: RailProfile, now: datetime) -> XmlDate:
    """The IntrBkSttlmDt of what is handed over now. Raises CalendarUnknown."""
    return XmlDate.from_date(settlement_date(profile, now))


def settlement_of(
    profile: RailProfile, in_header: XmlDate | None, of_transaction: XmlDate | None, now: datetime
) -> Settlement:
    """When a transaction settles by its IntrBkSttlmDt, which ISO 20022 has in the header or in each transaction; without one, at once.
    Raises MessageInvalid where both are there and differ.
    """
    stated = of_transaction or in_header
    if stated is None:
        return AT_ONCE
    if in_header is not None and _ymd(stated) != _ymd(in_header):
        raise MessageInvalid("The header and a transaction name different settlement dates.")
    try:
        day = stated.to_date()
    except ValueError:  # XML knows years that no calendar of ours does
        return Settlement(reason_code=_INVALID_DATE)
    if not is_settlement_date(profile, day, now):
        return Settlement(day, reason_code=_INVALID_DATE)
    begins = day_starts(profile, day)
    return Settlement(day, begins if begins > now else None)


def instant_of(profile: RailProfile, at: XmlDateTime | None, otherwise: datetime) -> datetime:
    """An aware datetime in UTC; `otherwise` where the message has none. Raises MessageInvalid outside the years 1 to 9999."""
    return plain_time(at, otherwise, zone_of(profile))


def day_of(profile: RailProfile, at: XmlDate | XmlDateTime) -> date:
    """The day of the scheme: a date's own, or the day that it is there at that moment; as it is written where that moment lies outside
    the years 1 to 9999 in UTC. Raises MessageInvalid where the written day does.
    """
    written = written_day(at)
    if isinstance(at, XmlDate):
        return written
    try:
        return local_date(profile, plain_time(at, _NEVER, zone_of(profile)))
    except (MessageInvalid, OverflowError):
        return written


def _ymd(stated: XmlDate) -> tuple[int, int, int]:
    return stated.year, stated.month, stated.day
