"""The root of every expected failure.

The tree: each room derives its own failures from KovraError, in the module that raises them.

    KovraError
    ├── residency   malformed ids, unknown cells, refused crossings
    ├── cells       money, ledger, rails, parties, quotes, limits, transfers
    ├── actors      full mailboxes, unreachable actors, stale epochs
    └── router      authentication, idempotency, routing

A bug is an assertion, never a KovraError; and an assertion is about what this process made itself. What another process, a table or
a file says is checked with UnexpectedAnswer, which `python -O` leaves in. The edge turns a KovraError into an RFC 9457 problem document,
and anything else into a bare 500 that says nothing.
"""

import traceback
from pathlib import Path
from typing import Any, ClassVar, TypeVar

Value = TypeVar("Value")


class KovraError(Exception):
    """An expected failure: says what happened, whether trying again may help, and what to do about it.

    `code` is the stable last path segment of the problem's `type`; `pointer` an RFC 6901 JSON pointer to the
    offending field of the request; `extra` becomes extension members of the problem document, so it holds nothing personal.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "", *, pointer: str | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.pointer = pointer
        self.extra = extra

    def __reduce__(self) -> tuple[Any, ...]:
        # Actors answer with failures as values, so they must survive pickling with their keyword fields.
        return _rebuild, (type(self), self.detail, self.pointer, self.extra)


def _rebuild(kind: type[KovraError], detail: str, pointer: str | None, extra: dict[str, Any]) -> KovraError:
    error = kind.__new__(kind)
    KovraError.__init__(error, detail, pointer=pointer, **extra)
    return error


class UnexpectedAnswer(Exception):
    """Another process, a table or a file said what it never says. Nothing is known of what it was about: that is in doubt, and never done.

    It is no expected failure: whatever works on items stops this one item, logs it, and goes on with the others. The text is fixed, and
    holds nothing of the answer.
    """


def needed(value: Value | None, what: str) -> Value:
    """`value`, which an answer or a row always has. Raises UnexpectedAnswer with `what`, a fixed text, where it has none."""
    if value is None:
        raise UnexpectedAnswer(what)
    return value


def place_of(error: BaseException) -> str:
    """Which error and where, without its message, which might name a person."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename != __file__]
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    code = f" ({error.code})" if isinstance(error, KovraError) else ""
    return f"{type(error).__name__}{code}{at}"
