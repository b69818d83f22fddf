"""The cell's routing table, ready for a batch: its rails as they are, and their circuits as their actors last said.

Invariant: at most one look at the record a second, however many batches there are. Old news is harmless: a payment that is sent to a
rail whose circuit has just opened waits there, and may fall back.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from cells.backends.postgres import Connection
from cells.rails import store_routing
from cells.rails.profile import RailProfile
from cells.rails.routing import Table

_FRESH_S = 1.0


class RailRouter:
    """Makes tables; one per process."""

    def __init__(self, region: str, profiles: Sequence[RailProfile]) -> None:
        self.profiles = profiles
        self._region = region
        self._breakers: Mapping[str, str] = {}
        self._fresh_until = 0.0

    async def table(
        self, connection: Connection, at: datetime, known: Mapping[str, str] = MappingProxyType({})
    ) -> Table:
        """The table of the moment `at`, for a batch in the caller's transaction. `known`: circuits that the caller knows better."""
        if time.monotonic() >= self._fresh_until:
            self._breakers = await store_routing.breakers(connection, self._region)
            self._fresh_until = time.monotonic() + _FRESH_S
        return Table.of(self.profiles, at, {**self._breakers, **known})
