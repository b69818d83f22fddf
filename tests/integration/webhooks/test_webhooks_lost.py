"""What becomes of deliveries that cannot be made: dead letters, an endpoint disabled and its owner told, and the way back by a replay.

Over a real listener, a real Postgres and a real broker.
"""

import asyncio
import json
import multiprocessing
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from actors.workers.dead_letters import DeadLetters
from cells.backends.nats import Bus, BusUnavailable
from cells.backends.postgres import tenant_transaction, transaction
from cells.events import feed
from cells.journal.store_public import BEGINNING, position_of
from cells.webhooks import store_endpoints, store_log
from cells.webhooks.schedule import Schedule
from residency import dead_letters
from tests.support.brokers import Network
from tests.support.emitting import emit
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import CellDatabase, scratch_directory
from tests.support.waiting import until
from tests.support.webhook_room import (
    REGION,
    VAULT_KEY,
    an_event,
    append,
    deliveries,
    new_endpoint,
    work,
    worker,
)

CELLS = ("eu1", "id1")


@pytest.fixture
def cell_database_of(cell_database: Callable[[str], CellDatabase]) -> CellDatabase:
    return cell_database(REGION)


@pytest.fixture
async def cell(cell_database_of: CellDatabase) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database_of) as opened:
        yield opened


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(scratch_directory(), CELLS)
    network.start(*CELLS)
    yield network
    await network.close()


@asynccontextmanager
async def telling(cell: EuCell, bus: Bus) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(DeadLetters(cell.writer, REGION, bus, every_s=0.05).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def stored(network: Network, name: str) -> list[dict[str, object]]:
    """The stream's letters, read by a bare client of the cell's own account."""
    client = await network.client(name, network.workers[name])
    stream = client.jetstream()
    info = await stream.stream_info(dead_letters.STREAM)
    found = [await stream.get_msg(dead_letters.STREAM, seq) for seq in range(1, info.state.messages + 1)]
    assert {one.subject for one in found} <= {"webhook.dlq"}
    return [json.loads(one.data or b"{}") for one in found]


async def test_a_delivery_given_up_is_a_dead_letter_of_ids_in_the_cells_own_stream(
    cell: EuCell, network: Network
) -> None:
    bus = await network.bus("eu1")
    async with open_listener(lambda _: 503) as listener, worker(cell.writer), telling(cell, bus):
        made = (await new_endpoint(cell, listener.url)).endpoint
        told = an_event(cell)
        await append(cell, told)
        await deliveries(cell, dead=1)
        await until(lambda: lettered(cell, 1))
    [letter] = await stored(network, "eu1")
    assert {name: letter[name] for name in ("event_id", "endpoint_id", "tenant_id", "attempts", "last_status", "last_error")} == {
        "event_id": told.event_id, "endpoint_id": made.endpoint_id, "tenant_id": cell.tenant.tenant_id, "attempts": 3,
        "last_status": 503, "last_error": "http_status",
    }  # fmt: skip
    assert "data" not in letter, "ids only: the event itself stays in the record"


async def test_a_broker_that_is_away_delays_a_dead_letter_and_loses_none(cell: EuCell, network: Network) -> None:
    bus = await network.bus("eu1")
    async with open_listener(lambda _: 503) as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        await append(cell, *(an_event(cell) for _ in range(3)))
        await deliveries(cell, dead=3)
    network.kill("eu1")
    stop = asyncio.Event()
    with pytest.raises(BusUnavailable):
        await DeadLetters(cell.writer, REGION, bus, every_s=0.05).run(stop)
    assert await lettered(cell, 0)
    network.start("eu1")
    again = await network.bus("eu1")
    async with telling(cell, again):
        await until(lambda: lettered(cell, 3))
    assert len(await stored(network, "eu1")) == 3


async def lettered(cell: EuCell, count: int) -> bool:
    query = "select count(*) from webhook_deliveries where dead_lettered_at is not null"
    async with transaction(cell.writer) as connection:
        return bool(await connection.fetchval(query) == count)


async def test_an_endpoint_that_fails_for_too_long_is_disabled_and_its_owner_told(cell: EuCell) -> None:
    impatient = Schedule(delays_s=(0.02,) * 40, jitter=0, connect_s=2, total_s=0.5, patience_s=0.2)
    async with open_listener(lambda _: 500) as bad, open_listener() as good:
        async with worker(cell.writer, schedule=impatient):
            broken = (await new_endpoint(cell, bad.url, "transfer.completed")).endpoint
            await new_endpoint(cell, good.url, "webhook.disabled")
            await append(cell, an_event(cell))
            [notice] = await good.wait_for(1)
        data = json.loads(notice.body)
        assert (data["type"], data["data"]) == (
            "webhook.disabled",
            {
                "endpoint_id": broken.endpoint_id,
                "reason_code": "failing",
                "reason": "It took no delivery for too long.",
            },
        )
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        found = await store_endpoints.find_endpoint(connection, REGION, cell.tenant.tenant_id, broken.endpoint_id)
        told = await feed.read_resources(connection, REGION, [broken.endpoint_id])
    assert found is not None
    assert found.disabled_reason == "failing"
    assert found.failing_since is not None
    assert [one.event_type for one in told] == ["webhook.disabled"], (
        "and whoever has no other endpoint reads it in the feed"
    )


async def test_one_success_ends_an_endpoints_failing(cell: EuCell) -> None:
    async with open_listener(lambda number: 500 if number == 1 else 204) as listener, worker(cell.writer):
        made = (await new_endpoint(cell, listener.url)).endpoint
        await append(cell, an_event(cell))
        await deliveries(cell, delivered=1)
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        found = await store_endpoints.find_endpoint(connection, REGION, cell.tenant.tenant_id, made.endpoint_id)
    assert found is not None
    assert found.failing_since is None


async def test_a_replay_brings_what_a_disabled_endpoint_missed_and_nothing_else(cell: EuCell) -> None:
    missed = [an_event(cell) for _ in range(7)]
    async with open_listener() as listener:
        made = (await new_endpoint(cell, listener.url, "transfer.completed")).endpoint
        before = an_event(cell)
        await append(cell, before)
        async with worker(cell.writer):
            await deliveries(cell, delivered=1)
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            await store_endpoints.disable_endpoints(connection, REGION, [made.endpoint_id], "owner")
        for one in missed:
            await append(cell, one, an_event(cell, "transfer.instructed"))
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            await store_endpoints.enable_endpoint(connection, REGION, made.endpoint_id)
            first = await feed.entry_of(connection, REGION, cell.tenant.tenant_id, missed[0].event_id)
            assert first is not None
            before_it = position_of(first)._replace(version=first.version - 1)
            await store_log.start_replay(connection, REGION, made.endpoint_id, before_it)
        async with worker(cell.writer):
            await listener.wait_for(8)
            await deliveries(cell, delivered=8)
            await until(lambda: _rests(cell, made.endpoint_id))
    got = Counter(json.loads(one.body)["id"] for one in listener.received)
    assert got == Counter([before.event_id, *(one.event_id for one in missed)])


async def test_a_replay_waits_for_the_transactions_that_had_begun_before_it(cell: EuCell) -> None:
    """An event whose commit comes after the replay was asked for, recorded while the endpoint was disabled, is replayed too."""
    async with open_listener() as listener:
        made = (await new_endpoint(cell, listener.url)).endpoint
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            await store_endpoints.disable_endpoints(connection, REGION, [made.endpoint_id], "owner")
        late = an_event(cell)
        async with cell.writer.acquire() as slow:
            change = slow.transaction()
            await change.start()
            await emit(slow, late)
            async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
                await store_endpoints.enable_endpoint(connection, REGION, made.endpoint_id)
                await store_log.start_replay(connection, REGION, made.endpoint_id, BEGINNING)
            async with worker(cell.writer):
                assert not await _rests(cell, made.endpoint_id)
                await change.commit()
                await listener.wait_for(1)
                await until(lambda: _rests(cell, made.endpoint_id))
    assert [json.loads(one.body)["id"] for one in listener.received] == [late.event_id]


async def _rests(cell: EuCell, endpoint_id: str) -> bool:
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        found = await store_endpoints.find_endpoint(connection, REGION, cell.tenant.tenant_id, endpoint_id)
    return found is not None and not found.replaying


async def test_a_worker_killed_in_the_middle_loses_nothing(cell: EuCell) -> None:
    """A process of its own, killed with SIGKILL while it sends; another takes over when the leases are out."""
    events = [an_event(cell) for _ in range(60)]
    async with open_listener() as listener:
        await new_endpoint(cell, listener.url)
        await append(cell, *events)
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(cell.dsn, VAULT_KEY, 2.0), daemon=True
        )
        process.start()
        await listener.wait_for(5)
        process.kill()
        process.join()
        sent = len(listener.received)
        assert sent < len(events), "it was killed in the middle"
        async with worker(cell.writer, lease_s=2.0):
            await deliveries(cell, delivered=60)
    assert {json.loads(one.body)["id"] for one in listener.received} == {one.event_id for one in events}


async def test_delays_in_the_record_stay_within_their_jitter(cell: EuCell) -> None:
    schedule = Schedule(delays_s=(100, 1_000), jitter=0.2, connect_s=2, total_s=0.5, patience_s=3_600)
    async with open_listener(lambda _: 500) as listener, worker(cell.writer, schedule=schedule):
        await new_endpoint(cell, listener.url)
        await append(cell, *(an_event(cell) for _ in range(30)))
        await listener.wait_for(30)
        query = """
            select extract(epoch from due_at - (attempt_log -> 0 ->> 'at')::timestamptz)::float8 as delay
            from webhook_deliveries where attempt_log <> '[]'
        """
        found: list[float] = []

        async def all_settled() -> bool:
            async with transaction(cell.writer) as connection:
                found[:] = [row["delay"] for row in await connection.fetch(query)]
            return len(found) == 30

        await until(all_settled)
    assert all(80 <= one <= 120 for one in found)
    assert len({round(one, 2) for one in found}) > 20, "they do not come back as one"
