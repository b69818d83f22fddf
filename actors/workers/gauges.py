"""The worker that shows what stands open in the cell's record: payments under way, the outbox, the rails' doubts, webhooks, the disk.

At a steady pace and not at each scrape, so that nobody who scrapes can load the database. A round that fails leaves the figures as
they are and their age growing, which is what an alert watches.
"""

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Gauge

from actors.workers.worker import sleep_unless
from cells.backends import store_aside
from cells.backends.postgres import transaction
from cells.backends.store_aside import SetAside
from cells.cell import Institution
from cells.reconciliation import store_gauges as store
from residency.errors import KovraError

_log = logging.getLogger("kovra.gauges")
_EVERY_S = 10.0

_READ = Gauge("kovra_gauges_timestamp_seconds", "When the record was last read for these gauges", ["cell"])
_MOVING = Gauge("kovra_legs_moving", "Legs that are not at rest", ["cell", "leg", "state"])
_STANDING = Gauge(
    "kovra_legs_oldest_seconds", "Since anything touched the leg that stands longest", ["cell", "leg", "state"]
)
_DOUBTED = Gauge("kovra_legs_in_doubt", "Legs whose rail has not answered", ["cell"])
_OPEN = Gauge("kovra_outbox_unreceipted_envelopes", "Envelopes without the peer's receipt", ["cell", "peer"])
_UNPUBLISHED = Gauge(
    "kovra_outbox_unpublished_envelopes", "Envelopes that the broker has yet to take", ["cell", "peer"]
)
_AGE = Gauge("kovra_outbox_oldest_seconds", "Age of the oldest envelope without a receipt", ["cell", "peer"])
_UNPUBLISHED_AGE = Gauge(
    "kovra_outbox_unpublished_oldest_seconds", "Age of the oldest unpublished envelope", ["cell", "peer"]
)
_SUBMITTED = Gauge("kovra_submissions_open", "Payments with a rail, not acknowledged", ["cell", "rail"])
_DOUBTS = Gauge(
    "kovra_submissions_in_doubt", "Payments that the scheme has been asked for and is silent on", ["cell", "rail"]
)
_DOUBT_AGE = Gauge(
    "kovra_submissions_in_doubt_oldest_seconds", "How long it has been silent on the oldest", ["cell", "rail"]
)
_DELIVERIES = Gauge("kovra_webhooks_pending", "Webhook deliveries not yet settled", ["cell"])
_DELIVERIES_AGE = Gauge("kovra_webhooks_overdue_seconds", "How long the first of them has been due", ["cell"])
_COLLECTIONS = Gauge("kovra_collections_uncredited", "Money that came in and is not credited", ["cell"])
_COLLECTIONS_AGE = Gauge("kovra_collections_oldest_seconds", "How long the first of it has waited", ["cell"])
_CONTRADICTED = Gauge(
    "kovra_payments_contradicted",
    "Payments of which the scheme has said what cannot both be true",
    ["cell", "rail", "kind"],
)
_ASIDE = Gauge("kovra_set_aside_items", "What a worker cannot read or process and leaves alone", ["cell", "worker"])
_ASIDE_AGE = Gauge("kovra_set_aside_oldest_seconds", "Since when the first of it stands aside", ["cell", "worker"])
_DISK_FREE = Gauge("kovra_disk_free_bytes", "Free where the cell's files lie", ["cell"])
_DISK_SIZE = Gauge("kovra_disk_size_bytes", "Size of the volume where the cell's files lie", ["cell"])


class GaugeWorker:
    """A Worker (actors/workers/worker.py); one per cell. Twice would show the same."""

    name = "gauges"

    def __init__(self, institution: Institution, *, every_s: float = _EVERY_S) -> None:
        self._institution = institution
        self._spec = institution.spec
        self._every_s = every_s
        self._rounds = 0
        self._failure = ""
        self._moving: set[tuple[str, str]] = set()
        self._aside: set[str] = set()

    def health(self) -> Mapping[str, Any]:
        return {"rounds": self._rounds, "last_failure_to_read": self._failure}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.round()
                self._failure = ""
            except KovraError as error:
                self._failure = error.code
                _log.warning("the record of %s could not be read for its gauges: %s", self._spec.name, error.code)
            await sleep_unless(stop, self._every_s)

    async def round(self) -> None:
        """Read everything once. Raises StoreUnavailable."""
        cell, region = self._spec.name, self._spec.region
        async with transaction(self._institution.pool) as connection:
            legs = await store.moving_legs(connection, region)
            envelopes = await store.open_envelopes(connection, region)
            submissions = await store.open_submissions(connection, region)
            deliveries = await store.pending_deliveries(connection, region)
            collections = await store.open_collections(connection, region)
            contradicted = await store.contradictions(connection, region)
            aside = await store_aside.aside(connection, region)
        self._show_legs(legs)
        self._show_envelopes(envelopes)
        self._show_submissions(submissions)
        _DELIVERIES.labels(cell).set(deliveries.count)
        _DELIVERIES_AGE.labels(cell).set(deliveries.oldest_s)
        _COLLECTIONS.labels(cell).set(collections.count)
        _COLLECTIONS_AGE.labels(cell).set(collections.oldest_s)
        for (rail, kind), count in contradicted.items():
            _CONTRADICTED.labels(cell, rail, kind).set(count)
        self._show_aside(aside)
        self._show_disk()
        self._rounds += 1
        _READ.labels(cell).set_to_current_time()

    def _show_legs(self, legs: list[store.MovingLegs]) -> None:
        cell, found = self._spec.name, {(one.leg, one.state): one for one in legs}
        self._moving |= found.keys()
        for key in self._moving:
            one = found.get(key)
            _MOVING.labels(cell, *key).set(one.count if one else 0)
            _STANDING.labels(cell, *key).set(one.oldest_s if one else 0)
        _DOUBTED.labels(cell).set(sum(one.in_doubt for one in legs))

    def _show_envelopes(self, envelopes: list[store.OpenEnvelopes]) -> None:
        cell, found = self._spec.name, {one.peer: one for one in envelopes}
        for peer in {*(one.name for one in self._spec.directory.peers_of(cell)), *found}:
            one = found.get(peer, store.OpenEnvelopes(peer, 0, 0, 0, 0))
            _OPEN.labels(cell, peer).set(one.count)
            _UNPUBLISHED.labels(cell, peer).set(one.unpublished)
            _AGE.labels(cell, peer).set(one.oldest_s)
            _UNPUBLISHED_AGE.labels(cell, peer).set(one.oldest_unpublished_s)

    def _show_submissions(self, submissions: list[store.OpenSubmissions]) -> None:
        cell, found = self._spec.name, {one.rail: one for one in submissions}
        for rail in {*self._spec.entry.rails, *found}:
            one = found.get(rail, store.OpenSubmissions(rail, 0, 0, 0))
            _SUBMITTED.labels(cell, rail).set(one.count)
            _DOUBTS.labels(cell, rail).set(one.in_doubt)
            _DOUBT_AGE.labels(cell, rail).set(one.in_doubt_s)

    def _show_aside(self, aside: list[SetAside]) -> None:
        cell, now = self._spec.name, datetime.now(UTC)
        oldest: dict[str, datetime] = {}
        for one in aside:
            oldest[one.worker] = min(one.since, oldest.get(one.worker, now))
        counts = Counter(one.worker for one in aside)
        self._aside |= counts.keys()
        for worker in self._aside:
            _ASIDE.labels(cell, worker).set(counts[worker])
            _ASIDE_AGE.labels(cell, worker).set((now - oldest.get(worker, now)).total_seconds())

    def _show_disk(self) -> None:
        try:
            usage = shutil.disk_usage(self._spec.home)
        except OSError as error:
            _log.warning("the disk under the home of %s cannot be looked at: %s", self._spec.name, type(error).__name__)
            return
        _DISK_FREE.labels(self._spec.name).set(usage.free)
        _DISK_SIZE.labels(self._spec.name).set(usage.total)
