"""Credits that go back: one that cannot be read or sent holds up no other, and a rail that cannot be spoken to holds up no other rail."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import uvicorn

from actors.workers.give_backs import GiveBacks
from actors.workers.rail_rounds import go_round
from cells.backends.postgres import transaction
from cells.journal.entry import Author
from cells.rails.console import SchemeConsole
from cells.rails.rail import Party, RailUnavailable
from cells.resolutions import decide
from cells.resolutions.resolution import Order
from residency.ids import mint
from tests.integration.api.test_api_suspense import NOBODY, RAIL, host_of
from tests.integration.payments.test_set_aside import aside, holds, release, running
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.poison import UNREADABLE, spoil
from tests.support.schemes import RunningSchemes
from tests.support.servers import CellDatabase
from tests.support.waiting import until

pytestmark = pytest.mark.writes_by_hand
BY = Author("operator:ana.ops")


@pytest.fixture
def database(cell_database) -> CellDatabase:
    return cell_database("EU")


@pytest.fixture
async def cell(database: CellDatabase, schemes: RunningSchemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    """The cell where the scheme expects it."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, database, schemes) as opened:
        server = uvicorn.Server(
            uvicorn.Config(opened.app, port=schemes.gateway_port, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        yield opened
        server.should_exit = True
        await serving


async def held(cell: ApiCell, schemes: RunningSchemes, count: int) -> list[Order]:
    """Deposits to nobody that an operator gives back: the ledger holds them, and the scheme is to be asked."""
    references = [mint("req", "eu-1")[-20:] for _ in range(count)]
    async with SchemeConsole(schemes.connection(RAIL)) as console:
        for one in references:
            await console.collect(70_000, "EUR", NOBODY, Party("Müller GmbH", NOBODY), scheme_reference=one)

    async def resting() -> bool:
        async with transaction(cell.parts.writer) as connection:
            found = await connection.fetch("select collection_id from collections where state = 'suspended'")
        rows[:] = sorted(row["collection_id"] for row in found)
        return len(rows) == count

    rows: list[str] = []
    await until(resting)
    async with transaction(cell.parts.writer) as connection:
        orders = [await decide.give_back(connection, cell.spec.entry, one, "", BY, of_wallets=False) for one in rows]
    assert await cell.parts.wallets.ask_many([one.command() for one in orders]) == [None] * count
    return orders


async def states(cell: ApiCell) -> dict[str, str]:
    async with transaction(cell.parts.writer) as connection:
        return {row["order_id"]: row["state"] for row in await connection.fetch("select order_id, state from orders")}


async def test_a_return_that_cannot_be_read_or_sent_holds_up_no_other(
    cell: ApiCell, database: CellDatabase, schemes: RunningSchemes
) -> None:
    unreadable, unsendable, good = [one.order_id for one in await held(cell, schemes, 3)]
    await spoil(
        database,
        f"update orders set created_at = '{UNREADABLE}' where order_id = '{unreadable}'",
        f"update orders set end_to_end_id = repeat('x', 60) where order_id = '{unsendable}'",
    )
    writer, worker = cell.parts.writer, GiveBacks(host_of(cell), cell.parts.wallets)

    async def done(*order_ids: str) -> bool:
        found = await states(cell)
        return all(found[one] == "done" for one in order_ids)

    async with running(worker) as working:
        await until(lambda: done(good))
        await until(holds(writer, {unreadable, unsendable}))
        assert {one.worker for one in (await aside(writer)).values()} == {"give_backs"}
        assert not working.done()
        assert (await states(cell))[unsendable] == "held", "the money is where it was"
        await spoil(
            database,
            f"update orders set created_at = now() where order_id = '{unreadable}'",
            f"update orders set end_to_end_id = 'NOTPROVIDED' where order_id = '{unsendable}'",
        )
        for one in (unreadable, unsendable):
            await release(writer, one)
        await until(lambda: done(unreadable, unsendable, good))
        await until(holds(writer, set()))
    assert worker.health() == {"answered": 3, "aside": 0}


@pytest.mark.parametrize("fault", [RailUnavailable("It is away."), KeyError("nobody"), OSError("no route")], ids=repr)
async def test_a_rail_that_fails_holds_up_no_other_and_is_visited_again(
    cell: ApiCell, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    institution = host_of(cell)
    first, *others = institution.spec.settings.schemes
    assert others, "the cell has more rails than one"
    visited: list[str] = []
    rounds: list[bool] = []
    well, stop = asyncio.Event(), asyncio.Event()

    async def visit(rail: str) -> None:
        if rail == first and not well.is_set():
            raise fault
        visited.append(rail)

    async def after() -> None:
        rounds.append(well.is_set())

    with caplog.at_level(logging.WARNING, "kovra.rail_rounds"):
        going = asyncio.create_task(go_round(stop, institution, visit, every_s=0.01, what="returns", after=after))
        await until(lambda: all(visited.count(one) >= 2 for one in others))
        assert (visited.count(first), rounds) == (0, [])
        well.set()
        await until(lambda: first in visited and rounds)
        stop.set()
        await going
    assert all(rounds), "a round in which a rail failed is not a whole one"
    assert f"returns over {first} wait" in caplog.text
    assert "nobody" not in caplog.text, "the words of an error may name somebody"
