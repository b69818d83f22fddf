"""Which workers a cell runs. Each is a line in opened_workers, built from what the host hands over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from actors.rails import Rails
from actors.runtime import Runtime
from actors.wallets import Wallets
from actors.workers.border import Admitter, Exporter
from actors.workers.keeper import Keeper
from actors.workers.placing import PlacementWorker
from actors.workers.reconcile import Reconciler
from actors.workers.sweep import Sweep
from actors.workers.webhooks import opened_webhooks
from actors.workers.worker import Worker
from cells.backends.nats import open_bus
from cells.cell import found_cell, open_institution
from cells.spec import CellSpec


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
    await found_cell(spec)
    institution = await open_institution(spec, "writer", name="kovra-host", connections_max=8)
    bus = await open_bus(spec.settings.nats.url, seed=spec.settings.nats.seed, name=f"{spec.name}-host")
    exporter = Exporter(institution, bus)
    admitters = [
        Admitter(institution, bus, peer.name, parts.wallets, exporter)
        for peer in spec.directory.peers_of(spec.name)
    ]
    try:
        async with opened_webhooks(institution.pool, institution.vault, sandbox=spec.settings.sandbox) as webhooks:
            yield (
                exporter,
                *admitters,
                Sweep(institution, parts.wallets),
                Keeper(institution),
                PlacementWorker(parts.wallets, institution.pool, spec),
                Reconciler(spec),
                webhooks,
            )
    finally:
        await bus.close()
        await institution.close()
