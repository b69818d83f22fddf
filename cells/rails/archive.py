"""The archive of a rail's messages: kept, sealed, before what they cause.

Invariants: a message is durable before it is sent, and an answer before its outcome is recorded; what several requests have to keep
goes into one statement, gathered while the last one is under way.
"""

from collections.abc import Sequence
from typing import Protocol

from cells.backends.postgres import Pool, passing, transaction
from cells.backends.vault import Vault
from cells.kit.batcher import Batcher
from cells.rails.store_messages import WireMessage, keep


class MessageArchive(Protocol):
    async def keep(self, messages: Sequence[WireMessage]) -> None:
        """Returns once they are durable. Raises StoreUnavailable."""
        ...


class VaultArchive:
    """The archive of one cell, on its journal and vault. Safe for concurrent use on one event loop."""

    def __init__(self, pool: Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._batcher = Batcher("the rails' archive", self._keep, passing=passing)

    async def keep(self, messages: Sequence[WireMessage]) -> None:
        """See MessageArchive."""
        await self._batcher.ask(messages)

    async def _keep(self, batch: Sequence[Sequence[WireMessage]]) -> Sequence[None]:
        async with transaction(self._pool) as connection:
            await keep(connection, self._vault, [one for messages in batch for one in messages])
        return [None] * len(batch)
