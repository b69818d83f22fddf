"""The audit writer of a process: gathers what many requests have to record into one commit, while the last
one is under way.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.audit import store
from cells.audit.entry import Entry, sign_checkpoint
from cells.backends.postgres import Pool, passing, transaction
from cells.kit.batcher import Batcher

# The key to sign with at an instant, and its kid: residency.keys.CellKeys.signer with its directory bound.
SignerAt = Callable[[datetime], tuple[str, Ed25519PrivateKey]]


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
        self._batcher = Batcher("the audit writer", self._record, passing=passing, after=self._vouch)
        self._mark_passed = False

    async def append(self, entry: Entry) -> None:
        """Record a deed; returns once it is durable. Raises StoreUnavailable: then it may or may not be
        recorded.
        """
        await self._batcher.ask(entry)

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
        await self._batcher.close()
        await self.checkpoint()

    async def _record(self, entries: Sequence[Entry]) -> Sequence[None]:
        async with transaction(self._pool) as connection:
            growth = await store.append(connection, self._region, self._cell, entries)
        self._mark_passed |= growth.before.sequence // self._every < growth.after.sequence // self._every
        return [None] * len(entries)

    async def _vouch(self) -> None:
        # One that fails is made up for: the next checkpoint vouches for these entries too.
        if self._mark_passed:
            self._mark_passed = False
            await self.checkpoint()
