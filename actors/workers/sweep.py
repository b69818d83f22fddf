"""The sweep: whatever has stood still for a while is handed to its wallet's actor again, which knows what it needs.

The last line of "never lost": every other way of moving a payment on may fail, this one starts from the record. It runs at start,
and then at a steady pace; it tells nothing but "take this up again", so it may run twice, or beside whatever is under way.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from actors.wallets import Wallets
from actors.workers.worker import sleep_unless
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.kit.command import Command
from cells.rails import registry, store_collections
from cells.rails.store_collections import CollectionRow
from cells.transfers import doubts, store, store_books, store_orders, store_returns, store_sub_wallets
from cells.transfers.deposit import Deposit
from cells.transfers.recovery import Need, need_of
from cells.transfers.return_leg import return_command
from residency.errors import KovraError

_log = logging.getLogger("kovra.sweep")
_EVERY_S = 1.0
# Long enough that a payment under way is left alone; short enough that nobody waits for it.
_STILL_FOR = timedelta(seconds=3)
_PAGE = 500

_ROUNDS = Counter("kovra_sweep_rounds", "Rounds of the sweep", ["cell"])
_STANDING = Gauge("kovra_sweep_standing_payments", "What the last round found standing still", ["cell"])


class Sweep:
    """One per cell."""

    name = "sweep"

    def __init__(self, institution: Institution, wallets: Wallets) -> None:
        self._institution = institution
        self._wallets = wallets
        self._rounds = 0
        self._standing = 0

    def health(self) -> Mapping[str, Any]:
        return {"rounds": self._rounds, "standing_still": self._standing}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._standing = await self._transfers(stop) + await self._collections() + await self._returns()
            self._standing += await self._doubts() + await self._orders() + await self._books()
            self._rounds += 1
            _ROUNDS.labels(self._institution.spec.name).inc()
            _STANDING.labels(self._institution.spec.name).set(self._standing)
            await sleep_unless(stop, _EVERY_S)

    async def _transfers(self, stop: asyncio.Event) -> int:
        after, count = "", 0
        while not stop.is_set():
            async with transaction(self._institution.pool) as connection:
                page = await store.moving(
                    connection, self._institution.spec.region, older_than=_STILL_FOR, after=after, limit=_PAGE
                )
            if not page:
                break
            after, count = page[-1].transfer_id, count + len(page)
            # A new id each round: what was answered "nothing to do" a moment ago may have something to do now. Who waits for
            # somebody outside is left alone: in an outage of a peer that is every payment to it, every second.
            now = datetime.now(UTC)
            needy = [one for one in page if need_of(one, now) != Need()]
            await self._ask([
                Command(f"{one.transfer_id}:resume:{now:%H%M%S%f}", one.wallet_id, "resume", one.transfer_id) for one in needy
            ])  # fmt: skip
        return count

    async def _collections(self) -> int:
        before = datetime.now(UTC) - _STILL_FOR
        async with transaction(self._institution.pool) as connection:
            rows = await store_collections.stuck(connection, self._institution.spec.region, before, _PAGE)
        await self._ask([deposit_command(one) for one in rows if one.wallet_id is not None])
        return len(rows)

    async def _returns(self) -> int:
        async with transaction(self._institution.pool) as connection:
            rows = await store_returns.standing(connection, self._institution.spec.region, _STILL_FOR, _PAGE)
        await self._ask([return_command(one, f"{datetime.now(UTC):%H%M%S%f}") for one in rows])
        return len(rows)

    async def _orders(self) -> int:
        """What an operator has just ordered of money that came in, and what a scheme has said of it."""
        async with transaction(self._institution.pool) as connection:
            rows = await store_orders.owing(connection, self._institution.spec.region, _PAGE)
        await self._ask([one.command(f"{datetime.now(UTC):%H%M%S%f}") for one in rows])
        return len(rows)

    async def _doubts(self) -> int:
        """What a scheme has been silent about for too long, and what it has paid although it was given back."""
        spec = self._institution.spec
        async with transaction(self._institution.pool) as connection:
            commands = await doubts.restorable(connection, spec.region, registry.profiles_of(spec))
            commands += await doubts.contradicted(connection, spec.region)
        await self._ask(commands)
        return len(commands)

    async def _books(self) -> int:
        """What a tenant moves between its own wallets, and sub-wallets that nobody has opened yet."""
        region, word = self._institution.spec.region, f"{datetime.now(UTC):%H%M%S%f}"
        async with transaction(self._institution.pool) as connection:
            books = await store_books.standing(connection, region, _STILL_FOR, _PAGE)
            asked = await store_sub_wallets.standing(connection, region, _STILL_FOR, _PAGE)
        await self._ask(
            [
                *(Command(f"{one.book_id}:book:{word}", one.writer_wallet_id, "book", one.book_id) for one in books),
                *(
                    Command(f"{one.wallet_id}:open:{word}", one.parent_wallet_id, "open_sub_wallet", one.wallet_id)
                    for one in asked
                ),
            ]
        )
        return len(books) + len(asked)

    async def _ask(self, commands: Sequence[Command]) -> None:
        for reply in await self._wallets.ask_many(commands):
            if isinstance(reply, KovraError):
                _log.warning("a wallet did not take up what stood still: %s", reply.code)


def deposit_command(row: CollectionRow) -> Command:
    """What the wallet is asked for a collection on record; the same id however often it is asked."""
    assert row.tenant_id is not None, "only matched money is a deposit"
    assert row.wallet_id is not None, "only matched money is a deposit"
    deposit = Deposit(row.collection_id, row.tenant_id, row.wallet_id, row.rail, row.amount, row.currency)
    return Command(f"{row.collection_id}:deposit", row.wallet_id, "deposit", deposit)
