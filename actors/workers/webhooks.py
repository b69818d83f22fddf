"""The webhook worker of a cell: takes due deliveries, sends them side by side, writes down what came of them.

What is to be delivered follows from the journal: a delivery is queued for each event that an endpoint wants (cells/events/fan_out.py).

It holds no truth: a delivery is taken by lease, so when a worker dies another (or the same, restarted) takes it once the lease is out, and a
receiver may see an event twice but never not at all. It sleeps until something is due, a commit wakes it (NOTIFY) or a sending ends; at
rest it asks the database nothing but every `IDLE_CHECK_S` seconds. Replays go on when nothing is due: old news waits for new.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from prometheus_client import Counter as Metric

from actors.workers.aside import AsideRegister, apart
from actors.workers.journal_reader import JournalReader
from cells.backends.postgres import Connection, Pool, StoreUnavailable, listening, transaction
from cells.backends.vault import Vault
from cells.events import fan_out
from cells.journal.entry import component
from cells.journal.store import CHANNEL
from cells.webhooks import store, store_endpoints, store_secrets
from cells.webhooks.schedule import Schedule, published_schedule
from cells.webhooks.sender import GONE, Attempt, Fault, Sender
from cells.webhooks.store import Delivery, Settlement
from cells.webhooks.store_secrets import Target
from residency import tasks

IDLE_CHECK_S = 30.0
_BUSY_CHECK_S = 1.0
_REPLAY_PAGE = 500
_BY = component("webhooks")

_ATTEMPTS = Metric("kovra_webhook_attempts", "Attempts at webhook deliveries, by what they left", ["state"])
_log = logging.getLogger("kovra.workers.webhooks")


@dataclass(frozen=True, slots=True)
class Bounds:
    """`in_flight_max` sendings at once, `per_endpoint_max` of them to one endpoint and `per_tenant_max` to one tenant's: who is slow
    cannot take all places. Endpoints that last failed have `failing_max` of them together, and one each: whoever answers finds
    places, however many do not.

    `lease_s` must be longer than an attempt can take.
    """

    in_flight_max: int = 64
    per_endpoint_max: int = 8
    per_tenant_max: int = 16
    failing_max: int = 24
    lease_s: float = 60.0


class Places(NamedTuple):
    """What may be taken next: `limit` deliveries, none to these endpoints or tenants; where there is none, one each to `failing`,
    `failing_limit` in all."""

    limit: int
    not_endpoints: Sequence[str]
    not_tenants: Sequence[str]
    failing: Sequence[str]
    failing_limit: int


def places_of(sending: Sequence[Delivery], unwell: Set[str], bounds: Bounds) -> Places:
    """Pure: who has places left, while `sending` is under way and the endpoints of `unwell` have last failed."""
    free = bounds.in_flight_max - len(sending)
    endpoints = Counter(one.endpoint_id for one in sending)
    tenants = Counter(one.tenant_id for one in sending)
    failing = sum(one.endpoint_id in unwell for one in sending)
    full = {endpoint for endpoint, number in endpoints.items() if number >= bounds.per_endpoint_max}
    # Small enough that all of it may go to the busiest endpoint, and the busiest tenant, that still have a place.
    limit = min(
        free,
        bounds.per_endpoint_max - max((number for one, number in endpoints.items() if one not in full), default=0),
        bounds.per_tenant_max
        - max((number for number in tenants.values() if number < bounds.per_tenant_max), default=0),
    )
    return Places(
        limit,
        sorted(full | unwell),
        sorted(tenant for tenant, number in tenants.items() if number >= bounds.per_tenant_max),
        sorted(unwell - set(endpoints)) if failing < bounds.failing_max else [],
        min(free, bounds.failing_max - failing),
    )


class WebhookWorker:
    """A Worker (actors/workers/worker.py). Several, in several processes, may share a database."""

    name = "webhooks"

    def __init__(
        self, pool: Pool, region: str, sender: Sender, schedule: Schedule, bounds: Bounds | None = None
    ) -> None:
        self._pool = pool
        self._region = region
        self._sender = sender
        self._schedule = schedule
        self._bounds = bounds or Bounds()
        assert self._bounds.lease_s > schedule.total_s, "a lease must outlive the attempt it covers"
        self._aside = AsideRegister(pool, region, self.name)
        self._woken = asyncio.Event()
        self._reader = JournalReader(pool, region)
        self._sending: dict[asyncio.Task[Settlement], Delivery] = {}
        self._settled: list[Settlement] = []
        self._gone: set[str] = set()
        # Endpoints whose record says that they are failing: their next success is written down, others' need not be.
        self._unwell: set[str] = set()

    def health(self) -> Mapping[str, Any]:
        return {"in_flight": len(self._sending), "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`. What is still being sent then is given up, and taken again when its lease is
        out.

        Raises StoreUnavailable: start it again.
        """
        stopping = tasks.start(self._wake_at(stop), "the end of the webhooks")
        try:
            async with listening(self._pool, CHANNEL, self._news) as connection:
                while not stop.is_set():
                    await self._round()
                    if connection.is_closed():
                        raise StoreUnavailable
        finally:
            await _cancelled([stopping, *self._sending])
            self._sending.clear()

    def _news(self) -> None:
        self._reader.wake()
        self._woken.set()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _round(self) -> None:
        """Write down what has ended, queue what is new, take what is due, then wait for the next thing to happen."""
        self._woken.clear()
        await self._settle()
        await self._aside.close()
        await self._aside.look()
        again_s = await self._reader.read_on()
        wait_s = min(await self._take(), again_s)
        if self._aside.held:
            wait_s = min(wait_s, _BUSY_CHECK_S)
        if wait_s > 0:
            woken = tasks.asked(self._woken.wait(), "something due")
            await asyncio.wait({woken, *self._sending}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            await _cancelled([woken])
        for task in [task for task in self._sending if task.done()]:
            del self._sending[task]
            self._settled.append(task.result())

    async def _settle(self) -> None:
        if not self._settled:
            return
        settled, culprits = await apart(self._settled, self._write_down)
        await self._aside.put({_name(one): error for one, error in culprits})
        for one in (one for some in settled for one in some):
            _ATTEMPTS.labels(one.state).inc()
        # Only what is committed, or set aside, is forgotten: a failed commit is tried again with the next.
        self._settled.clear()
        self._gone.clear()

    async def _write_down(self, settled: Sequence[Settlement]) -> Sequence[Settlement]:
        # Not waited for on disk, here and below: what a crash of the server undoes is delivered once more, and settled again.
        async with transaction(self._pool, flushed=False) as connection:
            await store.settle_deliveries(connection, self._region, settled)
            await self._judge_endpoints(connection, settled)
        return settled

    async def _judge_endpoints(self, connection: Connection, settled: Sequence[Settlement]) -> None:
        """Disable those that are gone, or have failed for too long, and tell their owners."""
        well = {one.endpoint_id for one in settled if one.state == "delivered"}
        failing = {one.endpoint_id for one in settled} - well
        tired: list[str] = []
        if failing or well & self._unwell:
            tired = await store_endpoints.note_health(
                connection, self._region, well=sorted(well), failing=sorted(failing), patience=timedelta(seconds=self._schedule.patience_s)
            )  # fmt: skip
            self._unwell = (self._unwell | failing) - well
        for reason, endpoints in (("gone", self._gone & failing), ("failing", set(tired) - self._gone)):
            if endpoints:
                stopped = await store_endpoints.disable_endpoints(connection, self._region, sorted(endpoints), reason)
                facts = {"reason_code": reason}
                await store_endpoints.record(connection, self._region, stopped, "disabled", facts, _BY)

    async def _take(self) -> float:
        """Start what is due and has a place; answer how long to wait for more, in seconds (0: there may be
        more now).
        """
        places = places_of(list(self._sending.values()), self._unwell, self._bounds)
        if not places.limit:
            return IDLE_CHECK_S
        lease_s, aside = self._bounds.lease_s, self._aside.held
        async with transaction(self._pool, flushed=False) as connection:
            taken = await store.claim_deliveries(
                connection, self._region, limit=places.limit, lease_s=lease_s, busy_endpoints=places.not_endpoints,
                busy_tenants=places.not_tenants, aside=aside,
            )  # fmt: skip
            if not taken and places.failing:
                taken = await store.claim_one_each(
                    connection, self._region, places.failing, limit=places.failing_limit, lease_s=lease_s, aside=aside
                )
            if not taken:
                return await self._wait_for(connection)
            endpoints = sorted({one.endpoint_id for one in taken})
            targets = await store_secrets.targets(connection, self._region, endpoints)
        self._unwell |= {one.endpoint_id for one in targets.values() if one.failing}
        for delivery in await self._with_bodies(taken):
            attempt = self._attempt(delivery, targets.get(delivery.endpoint_id))
            self._sending[tasks.asked(attempt, "a delivery")] = delivery
        return 0

    async def _with_bodies(self, taken: Sequence[Delivery]) -> list[Delivery]:
        """What is sent, made from the journal. One that cannot be read is set aside; one that cannot be made fails as an attempt does."""
        found, culprits = await apart(taken, self._made)
        await self._aside.put({_name(one): error for one, error in culprits})
        return [one for some in found for one in some]

    async def _made(self, taken: Sequence[Delivery]) -> list[Delivery]:
        async with transaction(self._pool) as connection:
            return await fan_out.with_bodies(connection, self._region, taken)

    async def _wait_for(self, connection: Connection) -> float:
        """Nothing could be taken: how long to wait, in seconds. A replay's next page is queued first."""
        due = await store.next_due(connection, self._region)
        if due.replaying:
            looked = await fan_out.go_on_replaying(connection, self._region, limit=_REPLAY_PAGE)
            return 0 if looked else _BUSY_CHECK_S
        # Due already, yet not taken: it waits for a place at its endpoint, or another worker has it. A
        # sending's end wakes us.
        if due.in_s is None or due.in_s == 0:
            return IDLE_CHECK_S if due.in_s is None or self._sending else _BUSY_CHECK_S
        return min(due.in_s, IDLE_CHECK_S)

    async def _attempt(self, delivery: Delivery, target: Target | None) -> Settlement:
        try:
            # None: it was disabled between the claim and an append that did not know it yet.
            attempt = await self._sender.send(delivery, target) if target else Attempt(None, Fault.DISABLED)
        except Exception:  # noqa: BLE001 - a bug in one delivery must not stop the others
            # A bug in one delivery must not stop the others; it is logged whole, and this one counts as
            # failed.
            _log.exception("delivery of %s to %s failed here", delivery.event_id, delivery.endpoint_id)
            attempt = Attempt(None, Fault.OURS)
        if attempt.status == GONE:
            self._gone.add(delivery.endpoint_id)
        return self._settlement(delivery, attempt)

    def _settlement(self, delivery: Delivery, attempt: Attempt) -> Settlement:
        retry_in_s = None
        if not attempt.delivered and attempt.status != GONE and attempt.fault is not Fault.DISABLED:
            retry_in_s = self._schedule.delay_s(delivery.attempts, random.random())  # noqa: S311 - jitter guards nothing
        state = "delivered" if attempt.delivered else "dead" if retry_in_s is None else "pending"
        return Settlement(
            delivery.event_id,
            delivery.endpoint_id,
            delivery.attempts,
            state,
            retry_in_s,
            attempt.status,
            attempt.fault,
            attempt.took_ms,
        )


def _name(one: Settlement | Delivery) -> str:
    """What a delivery is called, whose key is a pair."""
    return f"{one.event_id}:{one.endpoint_id}"


@asynccontextmanager
async def opened_webhooks(pool: Pool, vault: Vault, loopback_ports: Container[int]) -> AsyncIterator[WebhookWorker]:
    """The cell's webhook worker over a pool of the writer's role, of which it keeps one connection to listen
    on. `loopback_ports`: the guard's.
    """
    schedule, bounds = published_schedule(), Bounds()
    sender = Sender(vault, schedule, loopback_ports=loopback_ports, connections_max=bounds.in_flight_max)
    try:
        yield WebhookWorker(pool, vault.region, sender, schedule, bounds)
    finally:
        await sender.close()


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and see them end."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
