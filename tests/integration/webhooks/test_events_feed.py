"""The feed of events: nothing is skipped, whoever commits late, however the pages fall."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.webhooks import store, store_feed
from cells.webhooks.catalogue import CATALOGUE
from cells.webhooks.events import NewEvent
from cells.webhooks.store_feed import BEGINNING, Position
from residency.ids import mint
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.servers import CellDatabase

REGION = CELL.region


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


def event(cell: EuCell, event_type: str = "transfer.completed", resource_id: str = "") -> NewEvent:
    resource_id = resource_id or mint("tr", CELL.name)
    data = {**CATALOGUE[event_type].example, "transfer_id": resource_id}
    return NewEvent.of(CELL.name, cell.tenant.tenant_id, event_type, resource_id, data, datetime.now(UTC))


async def append(cell: EuCell, *events: NewEvent) -> None:
    async with transaction(cell.writer) as connection:
        await store.append_events(connection, REGION, events)


async def read(cell: EuCell, after: str | None = None, limit: int = 50, types: tuple[str, ...] = ()) -> store_feed.Page:
    """A page as a partner reads it: by the id of the last event."""
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        position: Position | None = BEGINNING
        if after is not None:
            position = await store_feed.position_of(connection, REGION, after)
            assert position is not None
        return await store_feed.read_feed(
            connection, REGION, cell.tenant.tenant_id, after=position, limit=limit, types=types
        )


async def test_an_event_that_commits_late_is_read_late_and_not_never(cell: EuCell) -> None:
    first, late, early = event(cell), event(cell), event(cell)
    await append(cell, first)
    async with cell.writer.acquire() as slow:
        change = slow.transaction()
        await change.start()
        await store.append_events(slow, REGION, [late])
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
            events = [event(cell) for _ in range(chance.randint(1, 3))]
            async with transaction(cell.writer) as connection:
                for one in events:
                    await store.append_events(connection, REGION, [one])
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
        kept = event(cell)
        await store.append_events(slow, REGION, [kept])
        await asyncio.gather(*(write(seed) for seed in range(3)))
        assert kept.event_id not in seen
        await change.commit()
    written.add(kept.event_id)
    done.set()
    await reading
    assert len(seen) == len(set(seen)), "nothing comes twice"
    assert set(seen) == written


async def test_a_filter_passes_over_what_it_does_not_want(cell: EuCell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_feed, "WINDOW_ROWS", 10)
    wanted = [event(cell, "transfer.refunded") for _ in range(3)]
    for one in wanted:
        await append(cell, *(event(cell) for _ in range(12)), one)
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
    await append(cell, event(cell))
    async with transaction(cell.writer) as connection:
        now = datetime.now(UTC)
        soon = await store_feed.position_before(connection, REGION, CELL.name, now + timedelta(minutes=5))
        past = await store_feed.position_before(connection, REGION, CELL.name, now - timedelta(minutes=5))
    assert soon.event_id
    assert past == BEGINNING


async def test_another_tenants_event_is_no_place_in_the_feed(cell: EuCell) -> None:
    one = event(cell)
    await append(cell, one)
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        assert await store_feed.position_of(connection, REGION, one.event_id) is None
        assert await store_feed.read_event(connection, REGION, one.event_id) is None
        assert await store_feed.read_resources(connection, REGION, [one.resource_id]) == []
