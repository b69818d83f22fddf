"""The audit writer of a process: gathers what many requests have to record into one commit, while the last
one is under way.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.audit import store
from cells.audit.entry import Entry, sign_checkpoint
from cells.backends.postgres import Pool, transaction
from residency import tasks
from residency.errors import KovraError

_BATCH_MAX = 1_000

# The key to sign with at an instant, and its kid: residency.keys.CellKeys.signer with its directory bound.
SignerAt = Callable[[datetime], tuple[str, Ed25519PrivateKey]]

_Waiting = tuple[Entry, asyncio.Future[None]]
_log = logging.getLogger("kovra.audit")


class AuditWriter:
    """Appends to a cell's trail over a pool of the writer's role; several processes may each have one.

    A checkpoint is signed whenever the chain passes a multiple of `checkpoint_every` entries, and at close.
    """

    def __init__(
        self, pool: Pool, region: str, cell: str, signer_at: SignerAt, *, checkpoint_every: int = 1_000
    ) -> None:
        self._pool = pool
        self._region = region
        self._cell = cell
        self._signer_at = signer_at
        self._every = checkpoint_every
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def append(self, entry: Entry) -> None:
        """Record a deed; returns once it is durable. Raises StoreUnavailable: then it may or may not be
        recorded.
        """
        recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, recorded))
        if self._flushing is None:
            self._flushing = tasks.start(self._flush(), "the audit writer")
        await recorded

    async def checkpoint(self) -> int:
        """Vouch for all that is recorded; the number of the last entry. Raises StoreUnavailable, KeysInvalid."""
        async with transaction(self._pool) as connection:
            head = await store.head(connection, self._region, self._cell)
            if head.sequence and not await store.has_checkpoint(connection, self._region, self._cell, head.sequence):
                at = datetime.now(UTC)
                signed = sign_checkpoint(self._cell, head, at, *self._signer_at(at))
                await store.add_checkpoint(connection, self._region, self._cell, signed)
        return head.sequence

    async def close(self) -> None:
        """Record what is waiting and sign the end."""
        if self._flushing is not None:
            await self._flushing
        await self.checkpoint()

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH_MAX], self._waiting[_BATCH_MAX:]
                await self._settle(batch)
        finally:
            self._flushing = None

    async def _settle(self, batch: list[_Waiting]) -> None:
        failure: Exception | None = None
        passed = False
        try:
            passed = await self._record([entry for entry, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer to each who waits
            failure = error
        for _, recorded in batch:
            if recorded.cancelled():
                continue
            if failure is None:
                recorded.set_result(None)
            else:
                recorded.set_exception(failure)
        if passed:
            try:
                await self.checkpoint()
            except KovraError:
                # The next checkpoint vouches for these entries too.
                _log.warning("no checkpoint could be signed now")

    async def _record(self, entries: list[Entry]) -> bool:
        async with transaction(self._pool) as connection:
            growth = await store.append(connection, self._region, self._cell, entries)
        return growth.before.sequence // self._every < growth.after.sequence // self._every
