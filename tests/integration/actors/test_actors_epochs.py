"""Two live copies of one wallet over one journal: the later fences the earlier, and nothing is written twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.wallet import WalletActor
from cells.backends.postgres import Pool, open_pool, transaction
from cells.kit.command import Command, Journaled, RailDoor, Reply, StaleEpoch
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet
from tests.support.eu_cell import CELL, open_eu_cell
from tests.support.servers import CellDatabase


@dataclass
class Journal:
    """A WalletHandler that fences as the saga does, and journals into a table of the test's own."""

    pool: Pool
    name: str
    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    about_to_write: asyncio.Event = field(default_factory=asyncio.Event)

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        async with transaction(self.pool) as connection:
            return await tenants.bump_epoch(connection, CELL.region, wallet_ids, self.name)

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        self.about_to_write.set()
        await self.may_write.wait()
        async with transaction(self.pool) as connection:
            live = await tenants.lock_epochs(connection, CELL.region, sorted(epochs))
            fresh = [one for one in batch if live[one.wallet_id] == epochs[one.wallet_id]]
            await connection.executemany(
                "insert into test_journal (command_id, epoch, copy) values ($1, $2, $3) on conflict do nothing",
                [(one.command_id, epochs[one.wallet_id], self.name) for one in fresh],
            )
        return [f"by {self.name}" if one in fresh else StaleEpoch() for one in batch]

    def counts(self) -> Mapping[str, int]:
        return {}

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        return

    async def close(self) -> None:
        await self.pool.close()


_COPIES: dict[str, Journal] = {}


async def open_journal(cell: str, rails: RailDoor) -> Journal:
    return _COPIES[cell]


@dataclass
class Scene:
    wallet_id: str
    database: CellDatabase

    async def copy(self, name: str, *, paused: bool = False) -> tuple[WalletActor, Journal]:
        journal = Journal(await open_pool(self.database.writer, size_max=2, name=name), name)
        if not paused:
            journal.may_write.set()
        _COPIES[name] = journal
        actor = WalletActor(Deployment(name, handler=f"{__name__}:open_journal"))
        await actor.start(InProcess())
        return actor, journal

    async def written(self) -> list[tuple[str, int, str]]:
        connection = await asyncpg.connect(self.database.superuser)
        try:
            rows = await connection.fetch("select command_id, epoch, copy from test_journal order by place")
        finally:
            await connection.close()
        return [(row["command_id"], row["epoch"], row["copy"]) for row in rows]


@pytest.fixture
async def scene(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[Scene]:
    database = cell_database("EU")
    admin = await asyncpg.connect(database.superuser)
    await admin.execute(
        "create table test_journal (place bigserial, command_id text primary key, epoch bigint, copy text);"
        " grant all on test_journal, test_journal_place_seq to kovra_writer"
    )
    await admin.close()
    async with open_eu_cell(database) as cell:
        async with transaction(cell.writer) as connection:
            (wallet,) = await tenants.open_wallets(connection, CELL, [NewWallet(cell.tenant.tenant_id, "EUR")])
        yield Scene(wallet.wallet_id, database)


async def test_a_copy_that_was_overtaken_while_it_slept_cannot_journal_under_its_old_epoch(
    scene: Scene,
) -> None:
    early, early_journal = await scene.copy("early", paused=True)
    late, _ = await scene.copy("late")
    slept = asyncio.create_task(early.ask_many([Command("slept", scene.wallet_id, "pay")]))
    await early_journal.about_to_write.wait()
    assert await late.ask_many([Command("took over", scene.wallet_id, "pay")]) == ["by late"]
    early_journal.may_write.set()
    # It was refused under epoch 1, took the wallet back properly, and only then wrote.
    assert await slept == ["by early"]
    assert await scene.written() == [("took over", 2, "late"), ("slept", 3, "early")]
    assert early.describe()["stale"] == 1
    await early.stop()
    await late.stop()


async def test_copies_that_fight_over_a_wallet_write_every_command_once_in_the_order_of_epochs(
    scene: Scene,
) -> None:
    copies = [(await scene.copy(name))[0] for name in ("one", "two")]

    async def drive(copy: WalletActor, command: Command) -> None:
        while True:
            (reply,) = await copy.ask_many([command])
            if not isinstance(reply, StaleEpoch):
                return

    # Wave after wave, each command is asked of both copies, as after a lost answer.
    async with asyncio.timeout(60):
        for wave in range(15):
            commands = [Command(f"c{wave}-{number}", scene.wallet_id, "pay") for number in range(3)]
            await asyncio.gather(*(drive(copy, command) for command in commands for copy in copies))
    written = await scene.written()
    assert len(written) == len({command_id for command_id, _, _ in written}) == 45
    epochs = [epoch for _, epoch, _ in written]
    assert epochs == sorted(epochs)
    assert all(copy.describe()["stale"] > 0 for copy in copies)
    for copy in copies:
        await copy.stop()
