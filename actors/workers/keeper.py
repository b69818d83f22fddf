"""The vault's keeper: erases what the law no longer makes us keep, and moves data keys off an old region key."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from actors.workers.worker import sleep_unless
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.parties.store_subjects import erase_due, rewrap_batch
from cells.tenants import store_keys

_log = logging.getLogger("kovra.keeper")
_EVERY_S = 60.0


class Keeper:
    """One per cell; twice would do no harm."""

    name = "keeper"

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        self._erased = self._rewrapped = 0

    def health(self) -> Mapping[str, Any]:
        return {"erased": self._erased, "rewrapped": self._rewrapped}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            while await self._round() and not stop.is_set():
                pass
            await sleep_unless(stop, _EVERY_S)

    async def _round(self) -> bool:
        """One page of each; whether there may be more."""
        institution = self._institution
        async with transaction(institution.pool) as connection:
            erased = await erase_due(connection, institution.spec.region)
            rewrapped = await rewrap_batch(connection, institution.vault)
            rewrapped += await store_keys.rewrap_batch(connection, institution.vault)
        self._erased += len(erased)
        self._rewrapped += rewrapped
        if erased:
            _log.info("erased %d subjects whose retention has ended", len(erased))
        return bool(erased or rewrapped)
