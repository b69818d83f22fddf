"""Setting aside: one row that a worker cannot read or process stops nothing but itself.

It is named in the log, in the metrics and by `kovra doctor`, with the kind and place of the error and never its words; the worker leaves
it alone and tries it again by itself, later each time, or at once on `kovra doctor release`. An outage sets nothing aside, and nor does
what fails with all of a page: that is no row's fault, and the worker is started again instead.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import Counter

from cells.backends import store_aside
from cells.backends.postgres import Connection, Pool, passing, transaction
from cells.kit.batcher import halved
from residency.errors import place_of

_log = logging.getLogger("kovra.aside")
# How soon a release by hand is seen.
_LOOK_EVERY_S = 1.0
# So many that fail with none that goes through are not at fault themselves.
_ALL_AT_FAULT = 8

_PUT = Counter("kovra_set_aside", "Items that a worker could not read or process, each time it tried", ["worker"])
Item = TypeVar("Item")
Done = TypeVar("Done")


class AsideRegister:
    """What one worker has set aside. The rows are the truth; the register remembers them for a second."""

    def __init__(self, pool: Pool, region: str, worker: str) -> None:
        self._pool = pool
        self._region = region
        self._worker = worker
        self._held: frozenset[str] = frozenset()
        self._trying: frozenset[str] = frozenset()
        self._looked_at = -_LOOK_EVERY_S

    @property
    def held(self) -> frozenset[str]:
        """The ids to be left alone for now."""
        return self._held

    async def look(self) -> list[str]:
        """Learn what is to be left alone; the ids whose turn has come again. Raises StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= _LOOK_EVERY_S:
            async with transaction(self._pool) as connection:
                held, due = await store_aside.now_due(connection, self._region, self._worker)
            self._held, self._trying, self._looked_at = frozenset(held), frozenset(due), now
        return sorted(self._trying)

    async def put(self, faults: Mapping[str, Exception]) -> None:
        """Set items aside, by id with what went wrong. Raises StoreUnavailable."""
        if faults:
            async with transaction(self._pool) as connection:
                await self.put_with(connection, faults)

    async def put_with(
        self, connection: Connection, faults: Mapping[str, Exception], envelopes: Mapping[str, bytes] | None = None
    ) -> None:
        """The same in the caller's transaction, with messages to be kept, by the same ids."""
        reasons = {one: place_of(error) for one, error in faults.items()}
        await store_aside.put(connection, self._region, self._worker, reasons, envelopes)
        self._held |= reasons.keys()
        self._trying -= reasons.keys()
        _PUT.labels(self._worker).inc(len(reasons))
        for item_id, reason in reasons.items():
            _log.critical("%s sets %s aside: %s", self._worker, item_id, reason)

    async def close(self) -> None:
        """After a whole round: what was tried again and is not aside once more is well. Raises StoreUnavailable."""
        if self._trying:
            async with transaction(self._pool) as connection:
                await store_aside.close(connection, self._region, self._worker, sorted(self._trying))
            _log.warning("%s takes %s up again", self._worker, ", ".join(sorted(self._trying)))
            self._trying = frozenset()


async def apart(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Awaitable[Done]]
) -> tuple[list[Done], list[tuple[Item, Exception]]]:
    """Do `work` on all items at once; where that fails, on halves, until the culprit stands alone. What was done, and the culprits.

    Raises what `work` raised in an outage, and when more than a few fail and none goes through. `work` leaves nothing half done.
    """
    done: list[Done] = []
    culprits: list[tuple[Item, Exception]] = []
    async for part, outcome in halved(items, work, passing=passing):
        if not isinstance(outcome, Exception):
            done.append(outcome)
            continue
        culprits.append((part[0], outcome))
        if not done and len(culprits) >= _ALL_AT_FAULT:
            raise outcome
    return done, culprits
