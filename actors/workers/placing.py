"""Keeps a process's door to the wallets in step with who has been granted an actor of its own.

The grants are rows (a tenant's placement), so every process of the cell finds the same list. One that has not looked yet sends to the
old host, which the epoch fences: slow for a moment, never wrong.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from actors.deployment import Deployment
from actors.wallets import Wallets
from actors.workers.worker import sleep_unless
from cells.backends.postgres import Pool, transaction
from cells.spec import CellSpec
from cells.tenants.store import own_wallets

_EVERY_S = 5.0


class PlacementWorker:
    """For the processes that have a door: the host, the API, the rails."""

    name = "placement"

    def __init__(self, wallets: Wallets, pool: Pool, spec: CellSpec) -> None:
        self._wallets = wallets
        self._pool = pool
        self._spec = spec
        self._own: tuple[str, ...] = ()

    def health(self) -> Mapping[str, Any]:
        return {"own": len(self._own)}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.look()
            await sleep_unless(stop, _EVERY_S)

    async def look(self) -> None:
        """Read the grants, and move the door if they have changed."""
        limit = self._spec.entry.capacity.wallet_actors_max
        async with transaction(self._pool) as connection:
            own = tuple(await own_wallets(connection, self._spec.region, limit))
        if own != self._own:
            self._own = own
            self._wallets.move(Deployment.of(self._spec, own).placement)
