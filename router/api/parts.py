"""The open parts that one API process works with."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request

from actors.deployment import Deployment
from actors.on_ray import OnRay, RayConnection
from actors.runtime import ActorUnavailable, Runtime
from actors.wallets import Wallets
from actors.workers.placing import PlacementWorker
from cells.audit.refusals import Refusals
from cells.audit.writer import AuditWriter
from cells.backends.postgres import Pool, StoreUnavailable, open_pool, ping
from cells.backends.redis import Counters
from cells.cell import Institution, open_institution
from cells.fx.ecb import EcbHistory
from cells.fx.fee_book import FeeBook
from cells.fx.rates import RateSource
from cells.spec import CellSpec
from cells.tenants.tokens import TokenDesk
from residency import tasks
from residency.errors import KovraError
from router.api.auth import REMEMBERED_S, KeyRing
from router.api.call import Call
from router.api.memory import QuoteWallets
from router.api.tail import EventTail
from router.api.throttle import Throttle

# How many processes serve this cell's API, where there is more than one.
WORKERS_VARIABLE = "KOVRA_API_WORKERS"
_API_CONNECTIONS = 8
_WRITER_CONNECTIONS = 3
_PROBE_EVERY_S = 5.0
_PROBE_S = 1.0


@dataclass(slots=True)
class Health:
    """What the last look at each part found: `up`, `down`, or `unknown` before the first look."""

    postgres: str = "unknown"
    actors: str = "unknown"


@dataclass(frozen=True, slots=True)
class Parts:
    """`institution` has the API's role (one tenant per transaction). `writer` has the writer's, for what has no tenant yet: the
    inbound gateway, the audit trail, public keys; and for the one look that all tenants' streams share."""

    institution: Institution
    writer: Pool
    runtime: Runtime
    wallets: Wallets
    audit: AuditWriter
    refusals: Refusals
    tokens: TokenDesk
    throttle: Throttle
    keys: KeyRing
    quote_wallets: QuoteWallets
    rates: RateSource
    fee_book: FeeBook
    placing: PlacementWorker
    tail: EventTail
    health: Health = field(default_factory=Health)

    @property
    def spec(self) -> CellSpec:
        return self.institution.spec

    @property
    def region(self) -> str:
        return self.spec.region

    @property
    def pool(self) -> Pool:
        return self.institution.pool


def issuer_of(spec: CellSpec) -> str:
    """What the cell's tokens say they are from and for: the address at which the directory knows it."""
    listen = spec.settings.api
    return spec.entry.addresses.get("api") or f"http://{listen.host}:{listen.port}"


def parts_of(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


def assemble(
    institution: Institution,
    writer: Pool,
    runtime: Runtime,
    wallets: Wallets,
    throttle: Throttle,
    remembered_s: float = REMEMBERED_S,
) -> Parts:
    """The parts that follow from these. `remembered_s`: for how long a key that was good is not looked up again."""
    spec = institution.spec
    tokens = TokenDesk(spec.entry, issuer_of(spec))
    return Parts(
        institution=institution,
        writer=writer,
        runtime=runtime,
        wallets=wallets,
        audit=AuditWriter(writer, spec.region, spec.name, lambda at: institution.keys.signer(spec.directory, at)),
        refusals=Refusals(),
        tokens=tokens,
        throttle=throttle,
        keys=KeyRing(institution, throttle, tokens, remembered_s=remembered_s),
        quote_wallets=QuoteWallets(institution.pool, spec.entry),
        rates=EcbHistory(),
        fee_book=FeeBook(writer, spec.region),
        placing=PlacementWorker(wallets, institution.pool, spec),
        tail=EventTail(writer, spec.region),
    )


@asynccontextmanager
async def opened_parts(spec: CellSpec) -> AsyncIterator[Parts]:
    """Open what the cell's settings name, and close it in reverse. Raises KeysInvalid, StoreUnavailable."""
    processes = int(os.environ.get(WORKERS_VARIABLE, "1"))
    institution = await open_institution(spec, "api", name="kovra-api", connections_max=_API_CONNECTIONS)
    writer = await open_pool(spec.settings.postgres.writer, size_max=_WRITER_CONNECTIONS, name="kovra-api-writer")
    runtime = OnRay(RayConnection.of(spec))
    wallets = Deployment.of(spec).wallets(runtime)
    throttle = Throttle(Counters(spec.settings.redis), share=1 / processes)
    parts = assemble(institution, writer, runtime, wallets, throttle)
    # The first payment shall not wait for the rates to be read; nor for Ray, which the probe connects to.
    await asyncio.to_thread(parts.rates.latest)
    probing = tasks.keep(lambda: probe(parts), "the probe of the parts")
    try:
        yield parts
    finally:
        probing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await probing
        await parts.tail.close()
        await wallets.close()
        await record_refusals(parts, ending=True)
        with contextlib.suppress(KovraError):
            await parts.audit.close()
        await throttle.close()
        await runtime.close()
        await writer.close()
        await institution.close()


async def probe(parts: Parts) -> None:
    """Look at the parts every few seconds, for ever."""
    while True:
        await look(parts)
        await record_refusals(parts)
        await asyncio.sleep(_PROBE_EVERY_S)


def count_refusal(parts: Parts, call: Call, status: int) -> None:
    """A request that was denied, for the trail: of its caller, or of whoever it comes from."""
    now, caller = datetime.now(UTC), call.caller
    if caller is None:
        parts.refusals.count(status, now, address=call.origin.address)
    else:
        parts.refusals.count(status, now, key_id=caller.key_id, tenant_id=caller.tenant.tenant_id)


async def record_refusals(parts: Parts, *, ending: bool = False) -> None:
    """Put what was denied on the trail. What cannot be recorded now is tried again."""
    entries = parts.refusals.due(datetime.now(UTC), ending=ending)
    done = await asyncio.gather(*(parts.audit.append(one) for one in entries), return_exceptions=True)
    parts.refusals.again([one for one, failure in zip(entries, done, strict=True) if failure is not None])


async def look(parts: Parts) -> None:
    """Look at each part once."""
    try:
        async with asyncio.timeout(_PROBE_S):
            await ping(parts.pool)
            await parts.placing.look()
            await parts.keys.note_used(parts.writer)
        parts.health.postgres = "up"
    except (StoreUnavailable, TimeoutError):
        parts.health.postgres = "down"
    try:
        await parts.runtime.names()
        parts.health.actors = "up"
    except ActorUnavailable:
        parts.health.actors = "down"
