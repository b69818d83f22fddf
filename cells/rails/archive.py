"""The archive of a rail's messages: kept, sealed, before what they cause.

Invariants: a message is durable before it is sent, and an answer before its outcome is recorded; what several requests have to keep
goes into one statement, gathered while the last one is under way.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from cells.backends.postgres import Pool, StoreUnavailable, transaction
from cells.backends.vault import Vault
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
        self._waiting: list[tuple[Sequence[WireMessage], asyncio.Future[None]]] = []
        self._turn = asyncio.Lock()

    async def keep(self, messages: Sequence[WireMessage]) -> None:
        """See MessageArchive."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, kept))
        async with self._turn:
            if not kept.done():
                await self._flush()
        await kept

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            async with transaction(self._pool) as connection:
                await keep(connection, self._vault, [one for messages, _ in batch for one in messages])
        except BaseException as error:
            failure = error if isinstance(error, Exception) else StoreUnavailable("Whoever was keeping it was stopped.")
            for _, kept in batch:
                if not kept.done():
                    kept.set_exception(failure)
            if failure is not error:
                raise
            return
        for _, kept in batch:
            if not kept.done():
                kept.set_result(None)
