"""The times of a pain.001: when it was made, and when it asks to be paid. Pure.

XML Schema allows more than Python's dates do: 24:00:00, zones of dates, years beyond 9999. All are read rightly, or refused with DT01.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from lxml import etree
from xsdata.models.datatype import XmlDate, XmlDateTime

from cells.rails.iso20022.upload_file import LineFault, fault_at
from cells.rails.iso20022.xml import plain_time
from cells.rails.rail import MessageInvalid

_OUT_OF_RANGE = "{tag} lies outside the years 1 to 9999 in UTC."


def read_time(holder: etree._Element, path: str, line: int, zone: tzinfo) -> tuple[datetime | None, list[LineFault]]:
    """An xs:dateTime in UTC; one without a zone is of `zone`."""
    found = holder.find(path)
    if found is None:
        return None, []
    try:
        return plain_time(XmlDateTime.from_string((found.text or "").strip()), datetime.now(UTC), zone), []
    except (MessageInvalid, ValueError, OverflowError):
        return None, [fault_at(found, "DT01", _OUT_OF_RANGE.format(tag=found.tag), line)]


def read_execution(block: etree._Element, line: int, zone: tzinfo) -> tuple[datetime | None, list[LineFault]]:
    """When a PmtInf asks to be paid. A day begins at midnight in the zone that it names, in `zone` where it names none."""
    if block.find("ReqdExctnDt/DtTm") is not None:
        return read_time(block, "ReqdExctnDt/DtTm", line, zone)
    found = block.find("ReqdExctnDt/Dt")
    if found is None:
        found = block.find("ReqdExctnDt")
    if found is None:
        return None, []
    try:
        day = XmlDate.from_string((found.text or "").strip())
        of_day = zone if day.offset is None else timezone(timedelta(minutes=day.offset))
        return datetime(day.year, day.month, day.day, tzinfo=of_day).astimezone(UTC), []
    except (ValueError, OverflowError):
        return None, [fault_at(found, "DT01", _OUT_OF_RANGE.format(tag=found.tag), line)]
