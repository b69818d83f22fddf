"""An instant that every part of a cell can hold: within the years 1 to 9999 in UTC, which is what Python and its drivers can read.

`9999-12-31T23:59:59-01:00` is a well-formed time of RFC 3339 and lies in the year 10000 of UTC: Postgres stores it, and nothing here
could read it again. So it is refused wherever a time comes in; the databases' type `instant` (migrations/cell/0001) says the same.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

# Not these two themselves: asyncpg writes them as infinity and -infinity, which are no instants.
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def in_utc(at: datetime) -> datetime:
    """The instant in UTC; a time without a zone is taken as UTC. Raises ValueError outside the years 1 to 9999."""
    try:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        at = _LAST
    if not _FIRST < at < _LAST:
        raise ValueError("a time lies within the years 1 to 9999 in UTC")
    return at


# A field of a model. In UTC once it is read, whatever its zone was.
Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]
