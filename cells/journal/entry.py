"""An entry of the journal, and who wrote it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from residency.errors import KovraError
from residency.ids import parse

# What a partition is made for at most. An id may say a later time, and no date holds that.
_LAST_MONTH: Final = date(9999, 12, 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Overtaken(KovraError):
    """Somebody else has written that entry of the stream since it was read: load it again, and decide anew. Nothing was written."""

    code = "overtaken"
    status = 503
    retryable = True
    title = "The record has moved on; ask again"


class Author(NamedTuple):
    """Who does something. `actor`: the id of a partner's key, `operator:<name>` or `component:<name>`; `request_id`: of the call that asks
    for it, "" where no call does."""

    actor: str
    request_id: str = ""


def component(name: str) -> Author:
    """A part of the cell that acts by itself."""
    return Author(f"component:{name}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is yet to be written. `version`: which of its stream it will be; `facts`: as the body of its kind has them, in JSON."""

    stream: str
    version: int
    kind: str
    tenant_id: str
    author: Author
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands. `kind` is one of cells.journal.kinds; `recorded_in`: the transaction that wrote it."""

    stream: str
    version: int
    kind: str
    tenant_id: str
    actor: str
    request_id: str
    at: datetime
    recorded_in: int
    facts: Mapping[str, Any]

    @property
    def event(self) -> str:
        """What happened, without whose life it is of and the version of its body: `held` of `transfer.held.1`."""
        return self.kind.split(".")[1]

    @property
    def by(self) -> str:
        """Who wrote it, for people: a part of the cell by its name alone."""
        return self.actor.removeprefix("component:")


class Position(NamedTuple):
    """A place in the order of commits: behind the entry that it names."""

    recorded_in: int
    stream: str
    version: int


class Place(NamedTuple):
    """A place in the order of the key: behind the entry that it names."""

    born: date
    stream: str
    version: int


def born_of(stream: str) -> date:
    """The first day of the month that a stream's id was minted in (UTC): the partition that its entries lie in. Raises MalformedId."""
    try:
        minted = _EPOCH + timedelta(milliseconds=parse(stream).milliseconds)
    except OverflowError:
        return _LAST_MONTH
    return minted.date().replace(day=1)
