"""The vault's keeper: erases what the law no longer makes us keep, and moves data keys off an old region key, wherever they lie."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from actors.workers.aside import AsideRegister, apart
from actors.workers.worker import sleep_unless
from cells.backends.postgres import transaction
from cells.backends.store_wrapped import WrappedRow, WrappedTable, rewrap, rows_to_rewrap
from cells.cell import Institution
from cells.parties import store_subjects
from cells.rails import store_messages
from cells.tenants import store_keys
from cells.webhooks import store_secrets

_log = logging.getLogger("kovra.keeper")
_EVERY_S = 60.0
# Every table that holds wrapped keys; tests/architecture/test_wrapped_keys.py walks the schema for others.
WRAPPED: tuple[WrappedTable, ...] = (
    store_subjects.WRAPPED,
    store_messages.WRAPPED,
    store_keys.WRAPPED,
    store_secrets.WRAPPED_SECRETS,
    store_secrets.WRAPPED_SIGNERS,
)


class Keeper:
    """One per cell; twice would do no harm."""

    name = "keeper"

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        self._erased = self._erased_messages = self._rewrapped = 0
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"erased": self._erased, "erased_messages": self._erased_messages, "rewrapped": self._rewrapped}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            while await self.work() and not stop.is_set():
                pass
            await sleep_unless(stop, _EVERY_S)

    async def _rewrap(self, held: WrappedTable) -> int:
        """One page of one table. A key that does not open stays under the old region key, set aside; the others move."""
        vault = self._institution.vault

        async def move(rows: Sequence[WrappedRow]) -> int:
            async with transaction(self._institution.pool) as connection:
                return await rewrap(connection, vault, held, rows)

        async with transaction(self._institution.pool) as connection:
            rows = await rows_to_rewrap(connection, vault, held, self._aside.held)
        done, culprits = await apart(rows, move)
        await self._aside.put({one.name: error for one, error in culprits})
        return sum(done) + len(culprits)

    async def work(self) -> bool:
        """One page of each, in a transaction of its own; whether there may be more. Raises StoreUnavailable."""
        institution = self._institution
        await self._aside.look()
        region = institution.spec.region
        async with transaction(institution.pool) as connection:
            subjects = len(await store_subjects.erase_due(connection, region))
        async with transaction(institution.pool) as connection:
            messages = await store_messages.erase_due(connection, region)
        rewrapped = 0
        for held in WRAPPED:
            rewrapped += await self._rewrap(held)
        await self._aside.close()
        self._erased += subjects
        self._erased_messages += messages
        self._rewrapped += rewrapped
        if subjects or messages:
            _log.info("erased %d subjects and %d messages whose retention has ended", subjects, messages)
        return bool(subjects or messages or rewrapped)
