"""The root of every expected failure.

The tree: each room derives its own failures from KovraError, in the module that raises them.

    KovraError
    ├── residency   malformed ids, unknown cells, refused crossings
    ├── cells       money, ledger, rails, parties, quotes, limits, transfers
    ├── actors      full mailboxes, unreachable actors, stale epochs
    └── router      authentication, idempotency, routing

A bug is an assertion, never a KovraError. The edge turns a KovraError into an RFC 9457 problem document, and
anything else into a bare 500 that says nothing.
"""

import traceback
from pathlib import Path
from typing import Any, ClassVar


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


def place_of(error: BaseException) -> str:
    """Which error and where, without its message, which might name a person."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    code = f" ({error.code})" if isinstance(error, KovraError) else ""
    return f"{type(error).__name__}{code}{at}"
