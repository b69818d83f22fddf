"""From the journal to the endpoints: what is public, who is sent it, and that a lost place loses nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from asyncpg import InsufficientPrivilegeError

from cells.backends.postgres import tenant_transaction, transaction
from cells.events import feed
from cells.events.fan_out import READER, fan_out
from cells.events.render import event_type_of
from cells.journal.entry import Entry
from cells.journal.kinds import KINDS
from cells.journal.store_public import BEGINNING
from cells.payments import marks
from cells.payments import store as payments
from cells.payments.machine import TABLE, Leg
from cells.webhooks import store, store_endpoints
from tests.support.emitting import BY, an_event
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import CellDatabase
from tests.support.webhook_room import REGION, append, deliveries, new_endpoint, queue, worker

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


def possible() -> list[Entry]:
    """An entry of every step of a payment, a partner's or a cell's, and of every other kind, of both."""
    steps = {
        (f"transfer.{step}.1", str(advance.state), "cell:eu-1" if leg is Leg.DESTINATION else "ten_eu1_x")
        for (leg, _, step), advance in TABLE.items()
    }
    others = {
        (kind, "", tenant_id)
        for kind in KINDS
        for tenant_id in ("cell:eu-1", "ten_eu1_x")
        if kind not in {step for step, *_ in steps}
    }
    return [
        Entry("tr_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0", 1, kind, tenant_id, "component:wallet", "", AT, 1, {"state": state})
        for kind, state, tenant_id in sorted(steps | others)
    ]


async def test_the_schema_and_the_rooms_take_the_same_entries_for_events(cell: EuCell) -> None:
    entries = possible()
    async with transaction(cell.writer) as connection:
        rows = await connection.fetch(
            "select is_public(e.kind, e.facts, e.tenant_id) as public"
            " from rows from (jsonb_to_recordset($1::jsonb) as (kind text, facts jsonb, tenant_id text)) with ordinality"
            " as e (kind, facts, tenant_id, place) order by place",
            [{"kind": one.kind, "facts": one.facts, "tenant_id": one.tenant_id} for one in entries],
        )
    found = {one.kind for one, row in zip(entries, rows, strict=True) if row["public"]}
    for one, row in zip(entries, rows, strict=True):
        assert row["public"] == (event_type_of(one) is not None), one
    assert {kind.partition(".")[0] for kind in found} == {"transfer", "credit", "batch", "endpoint"}


async def test_a_lost_place_loses_nothing_and_sends_nothing_twice(cell: EuCell) -> None:
    events = [an_event(cell) for _ in range(3)]
    async with open_listener() as listener:
        await new_endpoint(cell, listener.url)
        await append(cell, *events[:2])
        async with worker(cell.writer):
            await deliveries(cell, delivered=2)
        await lose_place(cell)
        await append(cell, events[2])
        async with worker(cell.writer):
            await deliveries(cell, delivered=3)
    assert sorted(json.loads(one.body)["id"] for one in listener.received) == sorted(one.event_id for one in events)


async def lose_place(cell: EuCell) -> None:
    """By hand: nobody who serves may."""
    async with transaction(cell.writer) as connection:
        with pytest.raises(InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute("delete from journal_readers")
        moved = await connection.execute("update journal_readers set recorded_in = '0', stream = '', version = 0")
        assert moved == "UPDATE 1"


async def test_an_endpoint_is_sent_what_happens_from_its_beginning_on(cell: EuCell) -> None:
    """Also what a transaction writes that had begun before it: but not what was there already, however late the reader comes."""
    before, after = an_event(cell), an_event(cell)
    await append(cell, before)
    made = (await new_endpoint(cell, "https://example.com/hook")).endpoint
    await append(cell, after)
    await queue(cell)
    assert [row["event_id"] for row in await deliveries(cell, pending=1)] == [after.event_id]
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        await store_endpoints.disable_endpoints(connection, REGION, [made.endpoint_id], "owner")
    missed, then = an_event(cell), an_event(cell)
    await append(cell, missed)
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        await store_endpoints.enable_endpoint(connection, REGION, made.endpoint_id)
    await append(cell, then)
    await queue(cell)
    assert [row["event_id"] for row in await deliveries(cell, pending=1, dead=1)] == [after.event_id, then.event_id]


async def test_two_readers_at_once_queue_each_delivery_once(cell: EuCell) -> None:
    await new_endpoint(cell, "https://example.com/hook")
    events = [an_event(cell) for _ in range(40)]
    await append(cell, *events)

    async def read_on() -> None:
        for _ in range(30):
            async with transaction(cell.writer) as connection:
                await fan_out(connection, REGION, limit=3)

    await asyncio.gather(read_on(), read_on())
    await queue(cell)
    rows = await deliveries(cell, pending=40)
    assert sorted(row["event_id"] for row in rows) == sorted(one.event_id for one in events)


async def test_a_delivery_and_its_place_are_committed_together(cell: EuCell) -> None:
    await new_endpoint(cell, "https://example.com/hook")
    await append(cell, an_event(cell))

    async with cell.writer.acquire() as connection:
        change = connection.transaction()
        await change.start()
        assert await fan_out(connection, REGION, limit=10)
        await change.rollback()
    assert await deliveries(cell) == []
    await queue(cell)
    await deliveries(cell, pending=1)
    async with transaction(cell.writer) as connection:
        assert await store.lock_place(connection, REGION, READER) > BEGINNING


async def test_the_feed_shows_the_same_bytes_when_the_payment_has_moved_on(cell: EuCell) -> None:
    one = an_event(cell, "transfer.instructed")
    await append(cell, one)
    [then] = await read(cell, one.resource_id)
    async with transaction(cell.writer) as connection:
        settled = {"event": "settled", "at": "2026-11-20T12:00:05Z", "rail": "bi_rtgs"}
        loaded = await payments.load(connection, REGION, [one.resource_id])
        [moved] = await marks.answer(connection, REGION, loaded, {one.resource_id: settled}, BY)
    assert (json.loads(then)["data"]["rail"], moved.rail_used) == ("bi_fast", "bi_rtgs")
    assert await read(cell, one.resource_id) == [then]


async def read(cell: EuCell, resource_id: str) -> list[str]:
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        return [one.body for one in await feed.read_resources(connection, REGION, [resource_id])]


async def test_an_entry_of_another_tenant_cannot_be_written_by_the_api(cell: EuCell) -> None:
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        with pytest.raises(InsufficientPrivilegeError):
            await connection.execute(
                "insert into journal (compliance_region, born, stream, version, kind, tenant_id, actor, request_id, at, facts)"
                " values ($1, '2024-01-01', 'whe_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0', 1, 'endpoint.tested.1', $2, 'key', '', now(), '{}')",
                REGION, cell.tenant.tenant_id,
            )  # fmt: skip
