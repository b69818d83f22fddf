"""Answers to recalls: the senders of credits ask for them back, and are told no, since the money is the tenant's.

From the record, and again until the scheme has taken it: the same recalls under the same ids, so a repetition says nothing new.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from actors.workers.worker import sleep_unless
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.rails import registry, store_recalls
from cells.rails.iso20022.connector import Iso20022Rail
from residency.errors import KovraError

_log = logging.getLogger("kovra.recalls")
_EVERY_S = 2.0
_BATCH = 50


class RecallAnswers:
    """One per cell. Twice would say the same."""

    name = "recalls"

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        self._answered = 0

    def health(self) -> Mapping[str, Any]:
        return {"answered": self._answered}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for rail in self._institution.spec.settings.schemes:
                try:
                    await self.round(rail)
                except KovraError as error:
                    _log.warning("recalls over %s wait for their answer: %s", rail, error.code)
            await sleep_unless(stop, _EVERY_S)

    async def round(self, rail: str) -> None:
        """Answer what waits on one rail. Raises RailUnavailable, StoreUnavailable: then it comes again."""
        spec, pool = self._institution.spec, self._institution.pool
        async with transaction(pool) as connection:
            kept = await store_recalls.unanswered(connection, spec.region, rail, _BATCH)
        if not kept:
            return
        settings = spec.settings.schemes[rail]
        opened = registry.open_rail(
            rail, registry.connection_to(rail, spec.entry.number, settings.url, settings.secret)
        )
        try:
            if not isinstance(opened, Iso20022Rail):
                return
            await opened.keep(kept)
        finally:
            await opened.close()
        async with transaction(pool) as connection:
            await store_recalls.answered(connection, spec.region, rail, kept)
        self._answered += len(kept)
