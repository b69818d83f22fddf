"""The cell's limits, ready for a batch.

Invariant: at most one look at the record in a few seconds, however many batches there are. A new version therefore counts from its
effective date, or a few seconds after it was set if that is later.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.limits import store_rules
from cells.limits.rules import Bounds, LimitRule

_FRESH_S = 2.0


class LimitBook:
    """One per process."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._bounds = Bounds({})
        self._fresh_until = 0.0

    async def bounds(self, connection: Connection) -> Bounds:
        """The limits of the moment, for a batch in the caller's transaction."""
        if time.monotonic() >= self._fresh_until:
            at = datetime.now(UTC)
            rules: Sequence[LimitRule] = await store_rules.all_rules(connection, self._region, at)
            self._bounds = Bounds.of(rules, at)
            self._fresh_until = time.monotonic() + _FRESH_S
        return self._bounds
