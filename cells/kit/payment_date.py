"""When a payment may be asked for: a date more than a year ahead is a slip of whoever wrote it."""

from datetime import UTC, datetime, timedelta
from typing import Final

AHEAD_MAX: Final = timedelta(days=366)


def payment_date(at: datetime) -> datetime:
    """`at`, of a payment's deadline or of the time for it. Raises ValueError when it is more than a year from now."""
    if at - datetime.now(UTC) > AHEAD_MAX:
        raise ValueError("the date of a payment is at most a year ahead: check the year")
    return at
