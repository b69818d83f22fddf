"""Which workers a cell runs. Each is a line in opened_workers, built from what the host hands over."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from actors.rails import Rails
from actors.runtime import Runtime
from actors.wallets import Wallets
from actors.workers.admitter import Admitter
from actors.workers.batches import Batches
from actors.workers.checkpoints import Checkpoints
from actors.workers.dead_letters import DeadLetters
from actors.workers.exporter import Exporter
from actors.workers.gauges import GaugeWorker
from actors.workers.give_backs import GiveBacks
from actors.workers.keeper import Keeper
from actors.workers.placing import PlacementWorker
from actors.workers.recalls import RecallMessages
from actors.workers.reconcile import Reconciler
from actors.workers.sweep import Sweep
from actors.workers.webhooks import opened_webhooks
from actors.workers.worker import Worker
from cells.backends.nats import open_bus
from cells.cell import found_cell, open_institution
from cells.fx.ecb import EcbHistory
from cells.spec import CellSpec
from residency.errors import KovraError
from residency.retry import Backoff, retried

_log = logging.getLogger("kovra.host")
_THERE_WITHIN_S = 40.0
_BACKOFF = Backoff(0.1, 2.0)
Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True)
class HostParts:
    """What the host process has for its workers."""

    spec: CellSpec
    runtime: Runtime
    wallets: Wallets
    rails: Rails


@asynccontextmanager
async def opened_workers(parts: HostParts) -> AsyncIterator[Sequence[Worker]]:
    """The cell's workers, and the connections they share, closed after the last of them has stopped."""
    spec = parts.spec
    # After an outage of the whole cell a host is often the first to be back.
    await once_there(lambda: found_cell(spec))
    institution = await once_there(lambda: open_institution(spec, "writer", name="kovra-host", connections_max=8))
    nats = spec.settings.nats
    bus = await once_there(lambda: open_bus(nats.url, seed=nats.seed, name=f"{spec.name}-host"))
    exporter = Exporter(institution, bus)
    admitters = [
        Admitter(institution, bus, peer.name, parts.wallets, exporter) for peer in spec.directory.peers_of(spec.name)
    ]
    try:
        async with opened_webhooks(
            institution.pool, institution.vault, spec.settings.webhook_loopback_ports
        ) as webhooks:
            yield (
                exporter,
                *admitters,
                Sweep(institution, parts.wallets),
                RecallMessages(institution),
                GiveBacks(institution, parts.wallets),
                Keeper(institution),
                Checkpoints(institution),
                PlacementWorker(parts.wallets, institution.pool, spec),
                Batches(institution, parts.wallets.ask_many, EcbHistory()),
                Reconciler(spec),
                GaugeWorker(institution),
                webhooks,
                DeadLetters(institution.pool, spec.region, bus),
            )
    finally:
        await bus.close()
        await institution.close()


async def once_there(attempt: Callable[[], Awaitable[Opened]], *, within_s: float = _THERE_WITHIN_S) -> Opened:
    """What `attempt` returns, tried again while it fails for something that is not there yet. A new process would cost seconds.

    Raises what it raised last, when that cannot be retried or the time is up.
    """
    return await retried(attempt, _BACKOFF, within_s=within_s, note=_note)


def _note(error: BaseException, pause_s: float) -> None:
    assert isinstance(error, KovraError)
    _log.warning("not there yet: %s; again in %.1f s", error.code, pause_s)
