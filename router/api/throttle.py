"""How often a tenant may ask, and that no signature opens twice: counted in the cell's Redis, for all processes together.

While Redis is away each process counts by itself: a tenant has its share of the rate in each, so that together they give about what
the tier says (less where its requests do not spread evenly, and once the whole share anew when the change comes). A nonce is then
remembered by the process that saw it, the last NONCES_MAX of each tenant: another process would take it again; what moves money is
protected by its Idempotency-Key, which the signature covers. The edge neither opens nor closes, its metrics say so, and it
returns to Redis by itself.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

from cells.backends.redis import CacheUnavailable, Counters, Wanted
from cells.kit.batcher import Batcher
from cells.kit.gcra import Allowance, Grant, Meter, allowances
from cells.tenants.tenant import Tenant
from cells.tenants.tiers import tier
from residency import tasks
from residency.errors import KovraError
from router.api.metrics import COUNTED_ALONE, TURNED_AWAY

NONCES_MAX = 100_000
_RETURN_EVERY_S = 0.5
# A tenant, and how many requests it may make a minute.
_Asked = tuple[str, int]
_log = logging.getLogger("kovra.api.throttle")


class TooManyRequests(KovraError):
    """The tier's rate is used up. `RateLimit-Policy` has the rate, `Retry-After` the seconds until one more request is let through."""

    code = "too-many-requests"
    status = 429
    retryable = True
    title = "Too many requests for your tier"


class Throttle:
    """The counters of one API process. `share`: the part of a rate that this process gives while it counts `alone`."""

    def __init__(self, counters: Counters | None, share: float = 1.0) -> None:
        self._counters = counters
        self._share = share
        self.alone = counters is None
        self._returning: asyncio.Task[None] | None = None
        self._meter = Meter()
        # By tenant, whoever signed last at the end: what one sends takes no other's memory.
        self._nonces: OrderedDict[str, OrderedDict[bytes, int]] = OrderedDict()
        self._rates = Batcher("rate limits", self._take)
        self._firsts = Batcher("nonces", self._first)
        COUNTED_ALONE.set(self.alone)

    async def admit(self, tenant: Tenant) -> Allowance:
        """Count one request of `tenant`. What is not `allowed` has cost nothing."""
        asked = (tenant.tenant_id, tier(tenant.tier).requests_per_minute)
        if self.alone:
            [told] = self._take_alone({asked: 1})[asked]
        else:
            told = await self._rates.ask(asked)
        if not told.allowed:
            TURNED_AWAY.labels("rate").inc()
        return told

    async def first(self, tenant_id: str, nonce: str, until: int) -> bool:
        """Whether `nonce` was not seen before of that tenant. It need not be remembered beyond the Unix second `until`."""
        # Of one length, so that a tenant's rate bounds what its nonces take.
        name = hashlib.blake2b(nonce.encode(), digest_size=16)
        if not self._first_here(tenant_id, name.digest(), until):
            return False
        return self.alone or await self._firsts.ask((name.hexdigest(), until))

    async def close(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._returning
        if self._counters is not None:
            await self._counters.close()

    async def _take(self, asked: Sequence[_Asked]) -> list[Allowance]:
        counts = Counter(asked)
        try:
            granted = await self._together([Wanted(name, quota, count) for (name, quota), count in counts.items()])
            told = {one: allowances(grant, one[1], counts[one]) for one, grant in zip(counts, granted, strict=True)}
        except CacheUnavailable as error:
            self._leave(error)
            told = self._take_alone(counts)
        queues = {one: iter(answers) for one, answers in told.items()}
        return [next(queues[one]) for one in asked]

    async def _together(self, wanted: Sequence[Wanted]) -> list[Grant]:
        if self.alone or self._counters is None:
            raise CacheUnavailable
        return await self._counters.take(wanted)

    def _take_alone(self, counts: Mapping[_Asked, int]) -> dict[_Asked, list[Allowance]]:
        told, now_us = {}, time.monotonic() * 1e6
        for (name, quota), count in counts.items():
            part = max(1, round(quota * self._share))
            told[name, quota] = allowances(self._meter.take(name, part, now_us, count), part, count)
        return told

    async def _first(self, nonces: Sequence[tuple[str, int]]) -> list[bool]:
        # This process has seen each for the first time, so they are distinct.
        try:
            if self.alone or self._counters is None:
                raise CacheUnavailable
            return await self._counters.first(nonces)
        except CacheUnavailable as error:
            self._leave(error)
            return [True] * len(nonces)

    def _first_here(self, tenant_id: str, nonce: bytes, until: int) -> bool:
        own = self._nonces.setdefault(tenant_id, OrderedDict())
        self._nonces.move_to_end(tenant_id)
        if nonce in own:
            return False
        own[nonce] = until
        now = time.time()
        while len(own) > NONCES_MAX or next(iter(own.values()), now) < now:
            own.popitem(last=False)
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        """What has run out of the tenant that has signed nothing for longest: two for each nonce that comes, so that all go in the end."""
        tenant_id, silent = next(iter(self._nonces.items()))
        for _ in range(2):
            if next(iter(silent.values()), now) < now:
                silent.popitem(last=False)
        if not silent:
            del self._nonces[tenant_id]

    def _leave(self, error: CacheUnavailable) -> None:
        if self.alone:
            return
        self.alone = True
        COUNTED_ALONE.set(1)
        _log.warning("Redis is away (%s): rates are counted by each process alone", error.detail)
        self._returning = tasks.keep(self._return, "the return to Redis")

    async def _return(self) -> None:
        """Ask in the background, so that no request waits for a Redis that is away."""
        assert self._counters is not None
        while True:
            await asyncio.sleep(_RETURN_EVERY_S)
            with contextlib.suppress(CacheUnavailable):
                await self._counters.ping()
                break
        self.alone = False
        COUNTED_ALONE.set(0)
        _log.warning("Redis is back: rates are counted together again")
