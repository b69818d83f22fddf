"""The sweep: whatever has stood still for a while is handed to its wallet's actor again, which knows what it needs.

The last line of "never lost": every other way of moving a payment on may fail, this one starts from the record. It runs at start,
and then at a steady pace; it tells nothing but "take this up again", so it may run twice, or beside whatever is under way.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from actors.runtime import ActorFailed
from actors.wallets import Wallets
from actors.workers.aside import AsideRegister
from actors.workers.worker import sleep_unless
from cells.backends.postgres import passing, transaction
from cells.cell import Institution
from cells.credits.credit import Deposit
from cells.kit.command import Command
from cells.payments import doubts, store
from cells.payments.recovery import Need, need_of
from cells.rails import registry, store_collections
from cells.rails.store_collections import CollectionRow
from cells.resolutions import store as store_orders
from cells.returns import store as store_returns
from cells.returns.book import return_command
from cells.sub_wallets import store as store_books
from cells.sub_wallets import store_sub_wallets
from residency.errors import KovraError, UnexpectedAnswer, needed, place_of

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
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"rounds": self._rounds, "standing_still": self._standing, "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        parts = (
            lambda: self._transfers(stop), self._collections, self._returns, self._doubts, self._orders, self._books,
        )  # fmt: skip
        while not stop.is_set():
            await self._aside.look()
            standing = [await self._guarded(part) for part in parts]
            if None not in standing:
                await self._aside.close()
            self._standing = sum(one or 0 for one in standing)
            self._rounds += 1
            _ROUNDS.labels(self._institution.spec.name).inc()
            _STANDING.labels(self._institution.spec.name).set(self._standing)
            await sleep_unless(stop, _EVERY_S)

    async def _guarded(self, part: Callable[[], Awaitable[int]]) -> int | None:
        """What is wrong with all of one kind holds up no other kind; None: it failed."""
        try:
            return await part()
        except Exception as error:
            if passing(error):
                raise
            _log.critical("a part of the sweep fails: %s", place_of(error))
            return None

    async def _transfers(self, stop: asyncio.Event) -> int:
        after, count = "", 0
        while not stop.is_set():
            async with transaction(self._institution.pool) as connection:
                page, unreadable = await store.moving(
                    connection, self._institution.spec.region, older_than=_STILL_FOR, after=after, limit=_PAGE,
                    aside=self._aside.held,
                )  # fmt: skip
            await self._aside.put(unreadable)
            if not page and not unreadable:
                break
            after, count = max([*(one.transfer_id for one in page[-1:]), *unreadable]), count + len(page)
            # A new id each round: what was answered "nothing to do" a moment ago may have something to do now. Who waits for
            # somebody outside is left alone: in an outage of a peer that is every payment to it, every second.
            now = datetime.now(UTC)
            commands: dict[str, Command] = {}
            faults: dict[str, Exception] = {}
            for one in page:
                try:
                    if need_of(one, now) != Need():
                        name = f"{one.transfer_id}:resume:{now:%H%M%S%f}"
                        commands[one.transfer_id] = Command(name, one.wallet_id, "resume", one.transfer_id)
                except Exception as error:  # noqa: BLE001 - what one row says that nobody understands is said of that row
                    faults[one.transfer_id] = error
            await self._aside.put(faults)
            await self._ask(commands)
        return count

    async def _collections(self) -> int:
        before = datetime.now(UTC) - _STILL_FOR
        async with transaction(self._institution.pool) as connection:
            rows, unreadable = await store_collections.stuck(
                connection, self._institution.spec.region, before, _PAGE, self._aside.held
            )
        await self._aside.put(unreadable)
        commands: dict[str, Command] = {}
        faults: dict[str, Exception] = {}
        for one in rows:
            if one.wallet_id is None:
                continue
            try:
                commands[one.collection_id] = deposit_command(one)
            except UnexpectedAnswer as error:
                faults[one.collection_id] = error
        await self._aside.put(faults)
        await self._ask(commands)
        return len(rows)

    async def _returns(self) -> int:
        async with transaction(self._institution.pool) as connection:
            rows, unreadable = await store_returns.standing(
                connection, self._institution.spec.region, _STILL_FOR, _PAGE, self._aside.held
            )
        await self._aside.put(unreadable)
        await self._ask({one.return_id: return_command(one, f"{datetime.now(UTC):%H%M%S%f}") for one in rows})
        return len(rows)

    async def _orders(self) -> int:
        """What an operator has just ordered of money that came in, and what a scheme has said of it."""
        async with transaction(self._institution.pool) as connection:
            rows, unreadable = await store_orders.owing(
                connection, self._institution.spec.region, _PAGE, self._aside.held
            )
        await self._aside.put(unreadable)
        await self._ask({one.order_id: one.command(f"{datetime.now(UTC):%H%M%S%f}") for one in rows})
        return len(rows)

    async def _doubts(self) -> int:
        """What a scheme has been silent about for too long, what it has paid although it was given back, and answers that have reached no
        wallet."""
        spec = self._institution.spec
        async with transaction(self._institution.pool) as connection:
            commands = await doubts.restorable(connection, spec.region, registry.profiles_of(spec))
            commands += await doubts.contradicted(connection, spec.region)
            commands += await doubts.untold(connection, spec.region, _STILL_FOR)
        asked = {one.body.transfer_id: one for one in commands}
        await self._ask({name: one for name, one in asked.items() if name not in self._aside.held})
        return len(commands)

    async def _books(self) -> int:
        """What a tenant moves between its own wallets, and sub-wallets that nobody has opened yet."""
        region, word = self._institution.spec.region, f"{datetime.now(UTC):%H%M%S%f}"
        async with transaction(self._institution.pool) as connection:
            held = self._aside.held
            books, unreadable = await store_books.standing(connection, region, _STILL_FOR, _PAGE, held)
            asked, unopened = await store_sub_wallets.standing(connection, region, _STILL_FOR, _PAGE, held)
        await self._aside.put({**unreadable, **unopened})
        await self._ask({
            **{one.book_id: Command(f"{one.book_id}:book:{word}", one.writer_wallet_id, "book", one.book_id) for one in books},
            **{
                one.wallet_id: Command(f"{one.wallet_id}:open:{word}", one.parent_wallet_id, "open_sub_wallet", one.wallet_id)
                for one in asked
            },
        })  # fmt: skip
        return len(books) + len(asked)

    async def _ask(self, commands: Mapping[str, Command]) -> None:
        """Ask the wallets, each command under the id of what it is about; one that trips its wallet's actor is set aside."""
        faults: dict[str, Exception] = {}
        replies = await self._wallets.ask_many(list(commands.values()))
        for item_id, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ActorFailed):
                faults[item_id] = reply
            elif isinstance(reply, KovraError):
                _log.warning("a wallet did not take up what stood still: %s", reply.code)
        await self._aside.put(faults)


def deposit_command(row: CollectionRow) -> Command:
    """What the wallet is asked for a collection on record; the same id however often it is asked. Raises UnexpectedAnswer."""
    tenant_id = needed(row.tenant_id, "a credit that waits to be booked has a tenant")
    wallet_id = needed(row.wallet_id, "a credit that waits to be booked has a wallet")
    deposit = Deposit(row.collection_id, tenant_id, wallet_id, row.rail, row.amount, row.currency)
    return Command(f"{row.collection_id}:deposit", wallet_id, "deposit", deposit)
