"""Silent and failing endpoints among those that answer: each tenant has its share of the worker's places."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from actors.workers.webhooks import Bounds
from cells.webhooks.schedule import Schedule
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import CellDatabase
from tests.support.webhook_room import REGION, an_event, append, deliveries, new_endpoint, worker


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def test_a_tenant_of_many_silent_endpoints_holds_up_no_other(cell: EuCell) -> None:
    """Ten of them, silent for longer than the test takes, with more to send than there are places."""
    slow = Schedule(delays_s=(600,), jitter=0, connect_s=2, total_s=50, patience_s=3600)
    other = replace(cell, tenant=cell.stranger)
    async with open_listener(lambda _: None) as silent, open_listener() as prompt:
        for _ in range(10):
            await new_endpoint(cell, silent.url)
        await new_endpoint(other, prompt.url)
        await append(cell, *(an_event(cell) for _ in range(20)))
        async with worker(cell.writer, schedule=slow):
            await silent.wait_for(Bounds().per_tenant_max)
            await append(cell, *(an_event(other) for _ in range(30)))
            await prompt.wait_for(30)
            await deliveries(cell, delivered=30, pending=200)
        assert len(silent.received) == Bounds().per_tenant_max


async def test_an_endpoint_that_failed_is_tried_one_delivery_at_a_time(cell: EuCell) -> None:
    again = Schedule(delays_s=(0.05, 0.05, 0.05), jitter=0, connect_s=2, total_s=50, patience_s=3600)
    async with open_listener(lambda number: 500 if number <= 6 else None) as broken:
        await new_endpoint(cell, broken.url)
        await append(cell, *(an_event(cell) for _ in range(6)))
        async with worker(cell.writer, schedule=again) as _:
            await broken.wait_for(7)
            await deliveries(cell, pending=6)
        assert len(broken.received) == 7
