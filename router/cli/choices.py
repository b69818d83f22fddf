"""What arguments may be: one of a few words, a moment."""

from collections.abc import Collection
from datetime import datetime

from residency.errors import KovraError
from residency.instants import in_utc


class UnknownChoice(KovraError):
    code = "unknown-choice"
    status = 422
    title = "That is not one of the choices"


class NoMoment(KovraError):
    code = "no-moment"
    status = 422
    title = "That is no moment"


def one_of(value: str, known: Collection[str], what: str) -> None:
    """Raises UnknownChoice."""
    if value not in known:
        raise UnknownChoice(f"There is no {what} {value!r}; use one of {', '.join(sorted(known))}.")


def moment(text: str) -> datetime:
    """A moment by RFC 3339, in UTC where it names no zone. Raises NoMoment."""
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise NoMoment(f"Write {text!r} as 2026-12-01T00:00:00Z, in the years 1 to 9999.") from None
