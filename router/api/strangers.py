"""What anybody may ask, without a key: counted by the address that it comes from, in this process alone and without the database.

These routes answer from memory, or read public keys over the API's own role. What an operator or a scheme asks has listeners of its own.
"""

import time

from cells.kit.gcra import Meter, allowances
from residency.errors import KovraError
from router.api.metrics import TURNED_AWAY

# Of one process. An office behind one address reads its documentation; a client caches keys for minutes.
OPEN_PER_MINUTE = 600
_PAGES = frozenset({"docs", "openapi.json", "problems", "reasons", ".well-known"})
_TOKEN = "/v1/oauth/"  # noqa: S105 - an address


class TooManyFromAddress(KovraError):
    """Open routes are counted by address. Keep what they answer for as long as Cache-Control says."""

    code = "too-many-from-address"
    status = 429
    retryable = True
    title = "Too many requests without a key from this address"


def is_open(path: str) -> bool:
    """Whether anybody may ask that (decoded) path of the partners' listener."""
    return path[1:].partition("/")[0] in _PAGES or path.startswith(_TOKEN)


class Strangers:
    """How often each address may ask. Who is forgotten begins anew."""

    def __init__(self, per_minute: int = OPEN_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._meter = Meter()

    def admit(self, address: str) -> None:
        """Count one request. Raises TooManyFromAddress."""
        granted = self._meter.take(address, self._per_minute, time.monotonic() * 1e6)
        [found] = allowances(granted, self._per_minute, 1)
        if not found.allowed:
            TURNED_AWAY.labels("address").inc()
            raise TooManyFromAddress(retry_after_s=found.wait_s)
