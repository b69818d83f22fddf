"""One look at the record for all live streams of a process: who waits for a transfer's events is told of them as they are recorded.

While streams are open, one statement every `EVERY_S` seconds asks for what all of them watch, by the ids of their transfers; while
none is, nothing is asked. Not NOTIFY: it makes commits queue, and every payment would pay for the streams of a few.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import Gauge

from actors.workers.aside import AsideRegister, apart
from cells.backends.postgres import Pool, passing, transaction
from cells.events.feed import read_recent, read_resources
from cells.journal.store_public import BEGINNING
from cells.tenants.keys import in_use
from cells.tenants.store_keys import find_keys
from cells.webhooks.event import Event
from residency import tasks
from residency.errors import KovraError, place_of

EVERY_S = 0.1
# How long a stream may outlive its key, beside what the keys themselves are remembered for (auth.REMEMBERED_S).
KEYS_EVERY_S = 2.0
PER_TENANT_MAX = 50
STREAMS_MAX = 1_000

_log = logging.getLogger("kovra.api.tail")
_OPEN = Gauge("kovra_api_streams_open", "Live streams that this process serves")


class TooManyStreams(KovraError):
    """Close one that you no longer read; a webhook or the feed of events reports all transfers at once."""

    code = "too-many-streams"
    status = 429
    retryable = True
    title = "Too many live streams are open"


class Watched:
    """What was told of one transfer, as it grows: oldest first, in the feed's order. `fresh` until it has been read from its beginning;
    `closed` once its reader's key opens nothing more."""

    def __init__(self, transfer_id: str, key_id: str) -> None:
        self.transfer_id = transfer_id
        self.key_id = key_id
        self.closed = False
        self.events: list[Event] = []
        self.fresh = True
        self._grown = asyncio.Event()

    def show(self, events: Iterable[Event]) -> None:
        """What it has already is passed over."""
        known = {one.event_id for one in self.events}
        if new := [one for one in events if one.event_id not in known]:
            self.events += new
            self._grown.set()

    def close(self) -> None:
        self.closed = True
        self._grown.set()

    async def more_than(self, count: int) -> Sequence[Event]:
        """All events, once they are more than `count`; none once it is closed."""
        while len(self.events) <= count or self.closed:
            if self.closed:
                return ()
            self._grown.clear()
            await self._grown.wait()
        return tuple(self.events)


class EventTail:
    """The streams of one API process. `pool` is the writer's role, which sees all tenants at once: whoever opens a stream has found
    its transfer under its tenant's own eyes first."""

    def __init__(self, pool: Pool, region: str, *, every_s: float = EVERY_S) -> None:
        self._pool = pool
        self._region = region
        self._every_s = every_s
        self._open: dict[Watched, str] = {}
        self._looking: asyncio.Task[None] | None = None
        self._keys_checked_at = 0.0
        self._since = BEGINNING.recorded_in
        self._aside = AsideRegister(pool, region, "tail")

    @asynccontextmanager
    async def watching(self, tenant_id: str, transfer_id: str, key_id: str) -> AsyncIterator[Watched]:
        """A transfer's events, for as long as the block lasts and that key is in use (of a token: its client). Raises TooManyStreams."""
        self.check(tenant_id)
        watched = Watched(transfer_id, key_id)
        self._open[watched] = tenant_id
        _OPEN.set(len(self._open))
        if self._looking is None:
            self._looking = tasks.start(self._look(), "the tail of events")
        try:
            yield watched
        finally:
            del self._open[watched]
            _OPEN.set(len(self._open))

    def check(self, tenant_id: str) -> None:
        """Raises TooManyStreams when a tenant can have no other."""
        if len(self._open) >= STREAMS_MAX or Counter(self._open.values())[tenant_id] >= PER_TENANT_MAX:
            raise TooManyStreams(f"There can be {PER_TENANT_MAX} at a time.")

    async def _look(self) -> None:
        """Until nobody watches. An outage is waited out: streams are silent meanwhile, and go on where they were."""
        try:
            while self._open:
                try:
                    await self._close_unkeyed()
                    await self._show()
                except Exception as error:  # noqa: BLE001 - streams are silent meanwhile, and go on where they were
                    if not passing(error):
                        # Which transfer's it was is known by now, unless all were; the next look is for all of them again.
                        _log.critical("live streams stand still: %s", place_of(error))
                await asyncio.sleep(self._every_s)
        finally:
            self._looking = None

    async def _close_unkeyed(self) -> None:
        """End the streams whose keys were revoked or have expired. One statement for all; nothing is shown while it cannot be asked."""
        now = asyncio.get_running_loop().time()
        if now - self._keys_checked_at < KEYS_EVERY_S:
            return
        wanted = sorted({one.key_id for one in self._open})
        async with transaction(self._pool) as connection:
            found = await find_keys(connection, self._region, wanted)
        good = {key_id for key_id, holder in found.items() if in_use(holder.key, holder.checked_at)}
        for one in self._open:
            if one.key_id in wanted and one.key_id not in good:
                one.close()
        self._keys_checked_at = now

    async def _show(self) -> None:
        """Tell all of what is new; those who came since the last look, of everything."""
        await self._aside.look()
        watching = [one for one in self._open if one.transfer_id not in self._aside.held]
        fresh = [one for one in watching if one.fresh]
        others = [one for one in watching if not one.fresh]
        since: list[int] = []

        async def read_new(ids: Sequence[str]) -> list[Event]:
            async with transaction(self._pool) as connection:
                recent, bound = await read_recent(connection, self._region, ids, self._since)
            since.append(bound)
            return recent

        async def read_whole(ids: Sequence[str]) -> list[Event]:
            async with transaction(self._pool) as connection:
                return await read_resources(connection, self._region, ids)

        # Fresh ones last: what falls between the two looks is told to them again next time, and passed over.
        for watched, read in ((others, read_new), (fresh, read_whole)):
            found, culprits = await apart(_ids(watched), read)
            unreadable = dict(culprits)
            await self._aside.put(unreadable)
            by_transfer: dict[str, list[Event]] = {}
            for event in (event for some in found for event in some):
                by_transfer.setdefault(event.resource_id, []).append(event)
            for one in watched:
                one.fresh = one.transfer_id in unreadable
                one.show(by_transfer.get(one.transfer_id, ()))
        # From the earliest bound on, whatever was read in parts.
        self._since = min(since, default=self._since)
        await self._aside.close()

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking


def _ids(watched: Iterable[Watched]) -> list[str]:
    return sorted({one.transfer_id for one in watched})
