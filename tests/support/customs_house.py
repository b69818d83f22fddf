"""The customs of cells on their own real databases, without the rest of the cells: what the gates' tests drive."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cells.backends.postgres import Pool, open_pool, transaction
from cells.customs import store, store_outbox
from cells.customs.admit import Admission, Refused, admit
from cells.customs.chain import CustomsEntry, verify_chain
from cells.customs.export import Exported, Outbound, export
from cells.customs.receipts import Closed, close_through, make_receipts
from cells.spec import CellSpec
from residency.directory import Directory
from residency.envelope import seal_and_sign
from residency.keys import CellKeys
from residency.messages import Instructed
from residency.travel_rule import demand, select
from tests.support.border import NOW, World, instructed, make_world, parties
from tests.support.servers import CellDatabase

Databases = Callable[[str], CellDatabase]


@dataclass(frozen=True)
class Customs:
    """The customs of one cell on its own database."""

    world: World
    cell: str
    pool: Pool

    @property
    def tools(self) -> tuple[CellSpec, CellKeys, Directory]:
        """What every gate is given beside the connection."""
        return self.world.spec(self.cell), self.world.keys[self.cell], self.world.directory

    async def export(self, *outbound: Outbound) -> list[Exported]:
        async with transaction(self.pool) as connection:
            return await export(connection, *self.tools, outbound, at=NOW)

    async def admit(self, *envelopes: bytes) -> list[Admission]:
        async with transaction(self.pool) as connection:
            return await admit(connection, *self.tools, envelopes, at=NOW)

    async def publish(self) -> list[bytes]:
        async with transaction(self.pool) as connection:
            waiting = await store_outbox.unpublished(connection, 1_000)
            await store_outbox.mark_published(connection, waiting)
        return [one.envelope for one in waiting]

    async def receipts(self) -> list[bytes]:
        async with transaction(self.pool) as connection:
            made = await make_receipts(connection, *self.tools, at=NOW)
        return [one.envelope for one in made]

    async def close(self, receipt: bytes) -> Closed | Refused:
        async with transaction(self.pool) as connection:
            return await close_through(connection, self.world.spec(self.cell), self.world.directory, receipt, at=NOW)

    async def log(self) -> list[CustomsEntry]:
        async with transaction(self.pool) as connection:
            entries = await store.read_log(connection, self.world.spec(self.cell))
            head = await store.read_head(connection, self.world.spec(self.cell))
        assert verify_chain(entries, self.cell, head) is None
        return entries


@asynccontextmanager
async def open_customs(databases: Databases, *cells: str) -> AsyncIterator[list[Customs]]:
    world = make_world()
    pools = [
        await open_pool(databases(world.directory.cell(cell).region).writer, size_max=4, name="test") for cell in cells
    ]
    try:
        yield [Customs(world, cell, pool) for cell, pool in zip(cells, pools, strict=True)]
    finally:
        for pool in pools:
            await pool.close()


def outbound(message: Instructed | None = None) -> Outbound:
    return Outbound("id-1", message or instructed(), parties())


def forge(customs: Customs, sequence: int, message: Instructed | None = None) -> bytes:
    """Bytes properly signed by that cell beside its own customs: what a stolen key or a bug could send."""
    least = select(parties(), demand("EU", "ID", "IDR", 20_000_000_000))
    world = customs.world
    return seal_and_sign(
        message or instructed(),
        least,
        sequence,
        world.keys[customs.cell],
        world.directory,
        to_cell="id-1",
        at=NOW,
    ).data
