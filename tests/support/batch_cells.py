"""Two hand-driven cells in which batches are submitted as the door does, and driven by the batches' own worker."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from asyncpg import DeadlockDetectedError

from actors.runtime import ActorUnavailable
from actors.workers.batches import Batches
from cells.backends.postgres import tenant_transaction, transaction
from cells.batches import store, store_status
from cells.batches.batch import Batch, Line, LineState
from cells.batches.store_status import LineStanding
from cells.fx.ecb import EcbHistory
from cells.journal.entry import component
from cells.kit.command import Command, Reply
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.payments.machine import Event, Leg
from cells.payments.transfer import Transfer
from residency.ids import mint
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell


class Asked(NamedTuple):
    """One line that is wished for."""

    recipient_id: str
    amount_minor: int
    target_currency: str
    payer_id: str


@dataclass
class BatchCells:
    """EUR 5,000.00 in the wallet; two recipients."""

    reconciled: Reconciled
    worker: Batches = field(init=False)

    @property
    def eu(self) -> HandCell:
        return self.reconciled.eu

    def at_home(self, amount_minor: int) -> Asked:
        return Asked(self.reconciled.weiss, amount_minor, "EUR", self.reconciled.payer)

    def abroad(self, amount_minor: int) -> Asked:
        return Asked(self.reconciled.budi, amount_minor, "IDR", self.reconciled.payer)

    async def submit(
        self, asked: Sequence[Asked], *, scheduled_for: datetime | None = None, all_or_nothing: bool = False
    ) -> str:
        """A batch on record, as the door writes it."""
        wallet = self.reconciled.wallet
        batch = Batch(
            mint("bat", "eu-1"), wallet.tenant_id, wallet.wallet_id, "EUR", "json", all_or_nothing, len(asked),
            scheduled_for,
        )  # fmt: skip
        lines = [
            Line(
                number, LineState.RECEIVED, mint("tr", "eu-1"), one.recipient_id, one.payer_id, "source", one.amount_minor,
                one.target_currency,
            )
            for number, one in enumerate(asked, start=1)
        ]  # fmt: skip
        async with tenant_transaction(self.eu.api, wallet.tenant_id) as connection:
            await store.insert(connection, "EU", batch, lines, component("test"))
        return batch.batch_id

    def restart(self) -> None:
        """A new worker, which knows nothing of the one before."""

        async def ask(commands: Sequence[Command]) -> Sequence[Reply]:
            try:
                return await self.eu.ask(*commands)
            except DeadlockDetectedError:  # as a wallet's actor answers it: unknown, and asked again
                return [ActorUnavailable()] * len(commands)

        self.worker = Batches(self.eu.institution, ask, EcbHistory())

    async def resume(self, batch_id: str) -> None:
        """What the sweep asks for payments that stand still."""
        for one in await self.payments(batch_id):
            await self.eu.ask(Command(mint("req", "eu-1"), one.wallet_id, "resume", one.transfer_id))

    async def drive(self) -> None:
        """Until nothing more can be done without the rails."""
        while await self.worker.round():
            pass

    async def batch(self, batch_id: str) -> Batch:
        async with transaction(self.eu.institution.pool) as connection:
            return (await store.find(connection, "EU", [batch_id]))[batch_id]

    async def lines(self, batch_id: str) -> list[LineStanding]:
        async with transaction(self.eu.institution.pool) as connection:
            return await store_status.lines_page(connection, "EU", batch_id, 0, 100, None)

    async def payments(self, batch_id: str) -> list[Transfer]:
        ids = [one.transfer_id for one in await self.lines(batch_id)]
        return [await self.eu.transfer(one) for one in ids if one is not None]

    async def tell(self, transfer: Transfer, event: Event, **facts: Any) -> None:
        reply = await self.eu.tell(transfer, event, **facts)
        assert reply is None, reply

    async def settle_all(self, batch_id: str) -> None:
        """The rails say yes to every payment of a batch."""
        for one in await self.payments(batch_id):
            if one.leg is Leg.IN_REGION:
                await self.tell(one, Event.RAIL_SETTLED, scheme_reference="SCT-1")
            else:
                await self.reconciled.complete(one)

    async def balance(self) -> int:
        found = await self.eu.balance(self.reconciled.wallet)
        assert found["held_minor"] == 0, "a line holds from the reserve, never from the wallet"
        return found["available_minor"]

    async def reserve(self) -> tuple[int, int]:
        """The reserve's posted balance, and what of it is held."""
        wallet = chart.wallet(self.reconciled.cells.tenant.owner_number, CURRENCIES["EUR"].number)
        found = (await self.eu.ledger.lookup_accounts([chart.reserve(wallet)]))[chart.reserve(wallet)]
        return found.credits_posted - found.debits_posted, found.debits_pending

    async def events(self) -> list[str]:
        async with transaction(self.eu.institution.pool) as connection:
            rows = await connection.fetch(
                "select kind from journal where is_public(kind, facts, tenant_id) and kind like 'batch.%' order by at"
            )
        return [row["kind"].removesuffix(".1") for row in rows]


@asynccontextmanager
async def open_batch_cells(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[BatchCells]:
    async with open_reconciled(cell_database) as reconciled:
        cells = BatchCells(reconciled)
        cells.restart()
        yield cells
