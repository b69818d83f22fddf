"""One payment that cannot cross stops no other: on the way out and on the way in it is set aside, and goes on once it is mended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors.workers.admitter import Admitter
from actors.workers.exporter import Exporter
from cells.backends.nats import Outgoing
from cells.backends.postgres import transaction
from cells.kit.command import Command, Reply
from cells.parties.models import BankAccount
from cells.payments.machine import State
from residency.links import Corridor
from tests.integration.payments.test_set_aside import aside, holds, release
from tests.support.brokers import TRANSIT, Network
from tests.support.poison import UNREADABLE, spoil
from tests.support.servers import CellDatabase, scratch_directory
from tests.support.two_cells import HandCell, TwoCells, open_two_cells
from tests.support.waiting import until


@pytest.fixture
def databases(cell_database) -> dict[str, CellDatabase]:
    return {region: cell_database(region) for region in ("EU", "ID")}


@pytest.fixture
async def cells(databases: dict[str, CellDatabase]) -> AsyncIterator[TwoCells]:
    async with open_two_cells(databases.__getitem__) as opened:
        yield opened


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(scratch_directory(), ["eu1", "id1"])
    network.start(TRANSIT, "eu1", "id1")
    yield network
    await network.close()


class Door:
    """A door to the wallets of a cell that is moved by hand."""

    def __init__(self, cell: HandCell) -> None:
        self._cell = cell

    async def ask_many(self, commands: Sequence[Command]) -> Sequence[Reply]:
        return await self._cell.ask(*commands)


@asynccontextmanager
async def running(*workers: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one.run(stop)) for one in workers]
    yield
    assert not any(one.done() for one in tasks)
    stop.set()
    await asyncio.gather(*tasks)


async def accepted(cells: TwoCells, count: int) -> list[tuple[str, str]]:
    """Payments of EUR to Indonesia that wait for the exporter, each to a recipient of its own: (transfer, recipient)."""
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    made = []
    for number in range(count):
        account = BankAccount(bank_code="014", account_number=f"123456789{number}")
        recipient = await cells.id.recipient(cells.tenant, "IDR", account)
        payer = await cells.eu.payer(cells.tenant)
        quote = await cells.eu.quote(cells.tenant, "EUR", "IDR", 10_000, "bi_fast")
        answer = await cells.eu.accept(wallet, quote, recipient, payer)
        assert answer.body["status"] == "FUNDS_HELD", answer
        made.append((answer.body["id"], recipient.partition(".")[0]))
    return made


def leaves(cell: HandCell, *transfer_ids: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        async with transaction(cell.institution.pool) as connection:
            found = await connection.fetch("select transfer_id from customs_outbox where published_at is not null")
        return {row["transfer_id"] for row in found} == set(transfer_ids)

    return check


@pytest.mark.writes_by_hand
async def test_what_cannot_be_exported_holds_up_no_other(
    cells: TwoCells, databases: dict[str, CellDatabase], network: Network
) -> None:
    (unreadable, _), (nobodys, _), (good, _) = await accepted(cells, 3)
    await spoil(
        databases["EU"],
        f"update transfers set deadline = '{UNREADABLE}' where transfer_id = '{unreadable}'",
        f"update transfers set payer_id = 'gone.' || payer_id where transfer_id = '{nobodys}'",
    )
    pool = cells.eu.institution.pool
    async with running(Exporter(cells.eu.institution, await network.bus("eu1"))):
        await until(leaves(cells.eu, good))
        await until(holds(pool, {unreadable, nobodys}))
        assert {one.worker for one in (await aside(pool)).values()} == {"exporter"}
        await spoil(
            databases["EU"],
            f"update transfers set deadline = null where transfer_id = '{unreadable}'",
            f"update transfers set payer_id = substr(payer_id, 6) where transfer_id = '{nobodys}'",
        )
        for one in (unreadable, nobodys):
            await release(pool, one)
        await until(leaves(cells.eu, unreadable, nobodys, good))
        await until(holds(pool, set()))


async def test_what_cannot_be_acted_upon_is_admitted_and_set_aside_and_its_corridor_goes_on(
    cells: TwoCells, databases: dict[str, CellDatabase], network: Network
) -> None:
    (first, _), (bad, recipient), (last, _) = await accepted(cells, 3)
    await spoil(
        databases["ID"], f"update recipients set created_at = '{UNREADABLE}' where recipient_id = '{recipient}'"
    )
    envelopes = await cells.eu.export()
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    subject = Corridor("eu1", "id1").subject("instructed")
    institution, pool = cells.id.institution, cells.id.institution.pool
    exporter = Exporter(institution, destination)
    admitter = Admitter(institution, destination, "eu-1", Door(cells.id), exporter)  # type: ignore[arg-type]

    async def admitted(*transfer_ids: str) -> bool:
        async with transaction(pool) as connection:
            found = await connection.fetch("select transfer_id from transfers")
        return {row["transfer_id"] for row in found} == set(transfer_ids)

    async with running(admitter):
        await origin.publish_batch([Outgoing(subject, f"m{number}", one) for number, one in enumerate(envelopes)])
        await until(lambda: admitted(first, last))
        [name] = await aside(pool, "ID")
        assert name.startswith(bad)
        async with transaction(pool) as connection:
            logged = await connection.fetchval("select count(*) from customs_log where direction = 'admitted'")
        assert logged == 3, "the corridor has no hole"
        await spoil(databases["ID"], f"update recipients set created_at = now() where recipient_id = '{recipient}'")
        await release(pool, name, "ID")
        await until(lambda: admitted(first, bad, last))
        await until(holds(pool, set(), "ID"))
    assert (await cells.id.transfer(bad)).state in (State.ADMITTED, State.PENDING_RAIL)
    async with transaction(pool) as connection:
        assert await connection.fetchval("select envelope from set_aside") is None
