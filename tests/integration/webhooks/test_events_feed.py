"""The feed of events: nothing is skipped, whoever commits late, however the pages fall."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.events import feed
from cells.journal.store_public import BEGINNING, position_of
from tests.support.emitting import an_event, emit
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.servers import CellDatabase
from tests.support.webhook_room import append

REGION = CELL.region


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def read(cell: EuCell, after: str | None = None, limit: int = 50, types: tuple[str, ...] = ()) -> feed.Page:
    """A page as a partner reads it: by the id of the last event."""
    tenant_id = cell.tenant.tenant_id
    async with tenant_transaction(cell.api, tenant_id) as connection:
        position = BEGINNING
        if after is not None:
            found = await feed.entry_of(connection, REGION, tenant_id, after)
            assert found is not None
            position = position_of(found)
        return await feed.read(connection, REGION, tenant_id, after=position, limit=limit, types=types)


async def test_an_event_that_commits_late_is_read_late_and_not_never(cell: EuCell) -> None:
    first, late, early = an_event(cell), an_event(cell), an_event(cell)
    await append(cell, first)
    async with cell.writer.acquire() as slow:
        change = slow.transaction()
        await change.start()
        await emit(slow, late)
        await append(cell, early)
        page = await read(cell)
        assert [one.event_id for one in page.events] == [first.event_id], "the feed waits for the open transaction"
        await change.commit()
    page = await read(cell, page.last)
    assert [one.event_id for one in page.events] == [late.event_id, early.event_id]
    assert (await read(cell, page.last)).last is None


async def test_a_reader_misses_nothing_of_many_writers(cell: EuCell) -> None:
    """Writers of transactions of every length, a reader that pages on all the while, and one transaction open for most of it."""
    written: set[str] = set()
    seen: list[str] = []

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            events = [an_event(cell) for _ in range(chance.randint(1, 3))]
            async with transaction(cell.writer) as connection:
                for one in events:
                    await emit(connection, one)
                    await connection.execute("select pg_sleep($1)", chance.random() / 200)
                if chance.random() < 0.1:
                    await connection.execute("create temporary table thrown (a int) on commit drop")
            written.update(one.event_id for one in events)

    async def follow(done: asyncio.Event) -> None:
        last = None
        while True:
            finished = done.is_set()
            page = await read(cell, last, limit=7)
            seen.extend(one.event_id for one in page.events)
            last = page.last or last
            if finished and not page.more and not page.events:
                return

    done = asyncio.Event()
    reading = asyncio.create_task(follow(done))
    async with cell.writer.acquire() as slow:
        change = slow.transaction()
        await change.start()
        kept = an_event(cell)
        await emit(slow, kept)
        await asyncio.gather(*(write(seed) for seed in range(3)))
        assert kept.event_id not in seen
        await change.commit()
    written.add(kept.event_id)
    done.set()
    await reading
    assert len(seen) == len(set(seen)), "nothing comes twice"
    assert set(seen) == written


async def test_a_filter_passes_over_what_it_does_not_want(cell: EuCell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW_ROWS", 10)
    wanted = [an_event(cell, "transfer.refunded") for _ in range(3)]
    for one in wanted:
        await append(cell, *(an_event(cell) for _ in range(12)), one)
    found, pages, page = [], 0, await read(cell, limit=2, types=("transfer.refunded",))
    while True:
        pages += 1
        found += [one.event_id for one in page.events]
        if not page.more:
            break
        page = await read(cell, page.last, limit=2, types=("transfer.refunded",))
    assert found == [one.event_id for one in wanted]
    assert pages == 4, "a page looks through a window and no further"


async def test_a_time_leads_to_a_place_before_all_that_happened_since(cell: EuCell) -> None:
    await append(cell, an_event(cell))
    tenant_id = cell.tenant.tenant_id
    async with tenant_transaction(cell.api, tenant_id) as connection:
        now = datetime.now(UTC)
        soon = await feed.place_before(connection, REGION, tenant_id, now + timedelta(minutes=5))
        past = await feed.place_before(connection, REGION, tenant_id, now - timedelta(minutes=5))
    assert soon > BEGINNING
    assert past == BEGINNING


async def test_another_tenants_event_is_no_place_in_the_feed(cell: EuCell) -> None:
    one = an_event(cell)
    await append(cell, one)
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        for tenant_id in (cell.stranger.tenant_id, cell.tenant.tenant_id):
            assert await feed.entry_of(connection, REGION, tenant_id, one.event_id) is None
            assert await feed.read_event(connection, REGION, tenant_id, one.event_id) is None
            page = await feed.read(connection, REGION, tenant_id, after=BEGINNING, limit=10)
            assert page == ([], None, False)
        assert await feed.read_resources(connection, REGION, [one.resource_id]) == []
