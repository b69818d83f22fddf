"""The worker that vouches for the audit trail: a signed checkpoint each minute, while there is something new."""

import asyncio
from collections.abc import Mapping
from typing import Any

from actors.workers.worker import sleep_unless
from cells.audit.writer import AuditWriter
from cells.cell import Institution

_EVERY_S = 60.0


class Checkpoints:
    """A Worker (actors/workers/worker.py); one per cell. Twice would sign the same head once."""

    name = "checkpoints"

    def __init__(self, institution: Institution, *, every_s: float = _EVERY_S) -> None:
        spec = institution.spec
        self._writer = AuditWriter(
            institution.pool, spec.region, spec.name, lambda at: institution.keys.signer(spec.directory, at)
        )
        self._every_s = every_s
        self._signed_through = 0

    def health(self) -> Mapping[str, Any]:
        return {"signed_through": self._signed_through}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._signed_through = await self._writer.checkpoint()
            await sleep_unless(stop, self._every_s)
