"""Reading the journal on: in the order of commits, from any position, with nothing missed; and the months that its entries lie in."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg
import pytest

from actors.workers.keeper import Keeper
from cells.backends.postgres import Connection, transaction
from cells.journal import store as journal
from cells.journal import store_lives
from cells.journal.entry import Author, Entry, Position, born_of, component
from cells.journal.life import Birth, Change
from cells.payments import store
from cells.payments.stream import ACCEPTED, DOUBTED, TRANSFER
from cells.payments.transfer import Transfer
from residency.ids import compact, encode
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.waiting import until


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def read_on(cells: Reconciled, after: Position | None = None, limit: int = 1000) -> list[tuple[Position, Entry]]:
    async with transaction(cells.eu.institution.pool) as connection:
        return await journal.read_on(connection, "EU", after, limit)


def named(found: list[tuple[Position, Entry]]) -> list[tuple[str, int]]:
    return [(one.stream, one.version) for _, one in found]


async def doubt(connection: Connection, transfer: Transfer, *, in_doubt: bool) -> None:
    change = Change(transfer, replace(transfer, in_doubt=in_doubt), DOUBTED, component("test"))
    await store_lives.append(connection, "EU", TRANSFER, [change])


async def test_who_reads_on_from_where_it_was_finds_the_same_whatever_the_pages(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    await cells.refund(await cells.abroad())
    await cells.at_home()
    whole = await read_on(cells)
    assert Counter(one.kind.partition(".")[0] for _, one in whole) == {"transfer": 17, "credit": 2}
    for size in (1, 2, 5):
        found: list[tuple[Position, Entry]] = []
        while page := await read_on(cells, found[-1][0] if found else None, size):
            found += page
        assert found == whole
    for stream in {one.stream for _, one in whole}:
        versions = [one.version for _, one in whole if one.stream == stream]
        assert versions == list(range(1, len(versions) + 1))


async def test_what_an_open_transaction_may_yet_write_is_waited_for(cells: Reconciled) -> None:
    first, second = await cells.abroad(), await cells.abroad()
    before = (await read_on(cells))[-1][0]
    pool = cells.eu.institution.pool
    async with transaction(pool) as early:
        await doubt(early, first, in_doubt=True)
        async with transaction(pool) as late:
            await doubt(late, second, in_doubt=True)
        assert await read_on(cells, before) == [], "a reader that went on now would miss the early one"
    assert named(await read_on(cells, before)) == [(first.transfer_id, 3), (second.transfer_id, 3)]


async def test_a_stream_is_in_order_although_the_later_entry_is_of_the_earlier_transaction(cells: Reconciled) -> None:
    """A transaction has its number from its first write, and may write to this stream long after another that began later."""
    home = await cells.abroad()
    before = (await read_on(cells))[-1][0]
    pool = cells.eu.institution.pool
    async with transaction(pool) as early:
        await early.execute("select pg_current_xact_id()")
        async with transaction(pool) as late:
            await doubt(late, home, in_doubt=True)
        await doubt(early, (await store.load(early, "EU", [home.transfer_id]))[home.transfer_id], in_doubt=False)
    found = await read_on(cells, before)
    assert named(found) == [(home.transfer_id, 3), (home.transfer_id, 4)]
    assert named(await read_on(cells, found[0][0])) == [(home.transfer_id, 4)]


async def test_readers_beside_writers_miss_nothing(cells: Reconciled) -> None:
    async def pay() -> None:
        for number in range(4):
            await cells.complete(await cells.abroad(2_000 + number))

    paying, found = asyncio.create_task(pay()), list[tuple[Position, Entry]]()
    while True:
        ended = paying.done()
        found += (page := await read_on(cells, found[-1][0] if found else None, 3))
        if ended and not page:
            break
        await asyncio.sleep(0)
    await paying
    assert found == await read_on(cells)


async def test_an_entry_lies_in_the_month_of_its_id_and_an_odd_id_in_the_rest(cells: Reconciled) -> None:
    """An id may say any time; no time makes a payment fail."""
    home = await cells.abroad()
    odd = [f"tr_{compact('eu-1')}_{digit * 26}" for digit in ("0", "v")]
    assert [born_of(one) for one in odd] == [date(1970, 1, 1), date(9999, 12, 1)]
    async with transaction(cells.eu.institution.pool) as connection:
        legs = [replace(home, transfer_id=one, quote_id=None, export_due=None) for one in odd]
        births = [Birth(one, ACCEPTED, Author("key_1")) for one in legs]
        await store_lives.begin(connection, "EU", TRANSFER, births)
    async with transaction(cells.eu.institution.pool) as connection:
        found = await journal.read(connection, "EU", [*odd, home.transfer_id])
        rows = await connection.fetch("select distinct stream, tableoid::regclass::text as lies_in from journal")
    assert found.keys() == {*odd, home.transfer_id}
    lies_in = {row["stream"]: row["lies_in"] for row in rows}
    assert [lies_in[one] for one in odd] == ["journal_eu_rest"] * 2
    assert lies_in[home.transfer_id] == f"journal_eu_{datetime.now(UTC):%Y_%m}"


async def test_the_keeper_makes_the_months_to_come_and_leaves_one_that_has_begun_without_it(cells: Reconciled) -> None:
    database = cells.databases["eu-1"]
    owner = await asyncpg.connect(database.owner)
    now = datetime.now(UTC)
    nexts = [date(now.year + (now.month + n) // 12, (now.month + n) % 12 + 1, 1) for n in range(3)]
    tables = [f"journal_eu_{one:%Y_%m}" for one in nexts]

    async def there() -> list[bool]:
        return [await owner.fetchval("select to_regclass($1) is not null", one) for one in tables]

    try:
        for one in tables:
            await owner.execute(f"drop table {one}")
        # An id of the month after next, minted by a clock that is ahead: its entries are in the rest, and stay there.
        ahead = int(datetime(nexts[1].year, nexts[1].month, 5, tzinfo=UTC).timestamp() * 1000) << 80
        early = f"tr_eu1_{encode(UUID(int=ahead))}"
        home = await cells.abroad()
        async with transaction(cells.eu.institution.pool) as connection:
            leg = replace(home, transfer_id=early, quote_id=None, export_due=None)
            await store_lives.begin(connection, "EU", TRANSFER, [Birth(leg, ACCEPTED, component("test"))])
        stop = asyncio.Event()
        working = asyncio.create_task(Keeper(cells.eu.institution).run(stop))
        await until(_is(there, [True, False, True]), timeout_s=30)
        stop.set()
        await working
        guarded = await owner.fetchrow(
            "select relrowsecurity, relforcerowsecurity from pg_class where relname = $1", tables[0]
        )
        assert tuple(guarded) == (True, True)
        async with transaction(cells.eu.institution.pool) as connection:
            assert len((await journal.read(connection, "EU", [early]))[early]) == 1
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"select 1 from {tables[0]}")
    finally:
        await owner.close()


async def test_nobody_has_more_months_made_than_two_years(cells: Reconciled) -> None:
    for wanted in (-1, 25, 10_000, None):
        with pytest.raises(asyncpg.RaiseError, match="24"):
            async with transaction(cells.eu.institution.pool) as connection:
                await connection.fetchval("select make_months($1)", wanted)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(cells.eu.api) as connection:
            await connection.fetchval("select make_months(3)")


def _is(ask: Callable[[], Awaitable[list[bool]]], wanted: list[bool]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await ask() == wanted

    return holds
