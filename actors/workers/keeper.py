"""The record's keeper: erases what the law no longer makes us keep, moves data keys off an old region key, wherever they lie, and makes the
journal's months before they come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from actors.workers.aside import AsideRegister, apart
from actors.workers.worker import sleep_unless
from cells.backends.postgres import Connection, passing, transaction
from cells.backends.store_wrapped import WrappedRow, WrappedTable, rewrap, rows_to_rewrap
from cells.cell import Institution
from cells.journal import store as journal
from cells.parties import store_subjects
from cells.rails import store_messages
from cells.tenants import store_keys
from cells.webhooks import store_secrets

_log = logging.getLogger("kovra.keeper")
_EVERY_S = 60.0
# A month that comes without a partition is written to the rest of them, so this may fail for weeks.
_MONTHS_AHEAD = 3
# Every table that holds wrapped keys; tests/architecture/test_wrapped_keys.py walks the schema for others.
WRAPPED: tuple[WrappedTable, ...] = (
    store_subjects.WRAPPED,
    store_messages.WRAPPED,
    store_keys.WRAPPED,
    store_secrets.WRAPPED_SECRETS,
    store_secrets.WRAPPED_SIGNERS,
)


class ErasedTable(NamedTuple):
    """A table whose rows have an `erase_after`: which are due (`aside`: without those), and how they are made unreadable."""

    table: str
    due: Callable[[Connection, str, Collection[str]], Awaitable[list[str]]]
    erase: Callable[[Connection, str, Sequence[str]], Awaitable[list[str]]]


# Every table with an `erase_after`; tests/architecture/test_used.py walks the schema for others.
ERASED: tuple[ErasedTable, ErasedTable] = (
    ErasedTable("subjects", store_subjects.due_for_erasure, store_subjects.erase),
    ErasedTable("rail_messages", store_messages.due_for_erasure, store_messages.erase),
)


class Keeper:
    """One per cell; twice would do no harm."""

    name = "keeper"

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        self._erased = self._erased_messages = self._rewrapped = 0
        self._made_for: tuple[int, int] = (0, 0)
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

    async def _erase(self, one: ErasedTable) -> int:
        """One page of one table. A row that cannot be erased is set aside; the others are erased, and so are those that cannot be moved."""
        pool, region, mark = self._institution.pool, self._institution.spec.region, f"erase:{one.table}:"

        async def erase(ids: Sequence[str]) -> int:
            async with transaction(pool) as connection:
                return len(await one.erase(connection, region, ids))

        aside = [held.removeprefix(mark) for held in self._aside.held if held.startswith(mark)]
        async with transaction(pool) as connection:
            due = await one.due(connection, region, aside)
        done, culprits = await apart(due, erase)
        await self._aside.put({mark + name: error for name, error in culprits})
        return sum(done)

    async def _make_months(self) -> None:
        """Once a month, and whenever this process begins. Whoever reads the journal meanwhile may hold it up: then it is tried again."""
        now = datetime.now(UTC)
        if (now.year, now.month) == self._made_for:
            return
        try:
            async with transaction(self._institution.pool) as connection:
                made = await journal.make_months(connection, _MONTHS_AHEAD)
        except Exception as error:
            if not passing(error):
                raise
            _log.warning("the journal's months are not made yet")
            return
        self._made_for = (now.year, now.month)
        if made:
            _log.info("made %d partitions of the journal", made)

    async def work(self) -> bool:
        """One page of each, in a transaction of its own; whether there may be more. Raises StoreUnavailable."""
        await self._aside.look()
        await self._make_months()
        subjects, messages = [await self._erase(one) for one in ERASED]
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
