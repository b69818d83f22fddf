"""What tests of deliveries share: an endpoint, events, a worker, and waiting for what becomes of them."""

import asyncio
import os
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager

from actors.workers.webhooks import Bounds, WebhookWorker
from cells.backends.postgres import Pool, Record, open_pool, tenant_transaction, transaction
from cells.backends.vault import Vault
from cells.events.fan_out import fan_out
from cells.webhooks.endpoints import NewEndpoint, create_endpoint
from cells.webhooks.schedule import Schedule
from cells.webhooks.sender import Sender
from tests.support.emitting import Emitted, an_event, emit
from tests.support.eu_cell import CELL, EuCell

__all__ = ["an_event"]

REGION = CELL.region
VAULT_KEY = os.urandom(32)
VAULT = Vault(REGION, {"k1": VAULT_KEY}, "k1")
# The tests' listeners are on ports that the kernel picks.
EVERY_PORT = range(1, 65_536)
QUICK = Schedule(delays_s=(0.05, 0.05), jitter=0.2, connect_s=2, total_s=0.5, patience_s=3600)


@asynccontextmanager
async def worker(
    pool: Pool,
    *,
    loopback_ports: Container[int] = EVERY_PORT,
    bounds: Bounds | None = None,
    schedule: Schedule = QUICK,
    lease_s: float = 60.0,
) -> AsyncIterator[None]:
    """A worker at work."""
    sender = Sender(VAULT, schedule, loopback_ports=loopback_ports, connections_max=Bounds().in_flight_max)
    stop = asyncio.Event()
    made = WebhookWorker(pool, REGION, sender, schedule, bounds or Bounds(lease_s=lease_s))
    running = asyncio.create_task(made.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
        await sender.close()


async def new_endpoint(cell: EuCell, url: str, *event_types: str) -> NewEndpoint:
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        return await create_endpoint(
            connection,
            VAULT,
            CELL.name,
            cell.tenant.tenant_id,
            url=url,
            event_types=event_types,
            loopback_ports=EVERY_PORT,
        )


async def append(cell: EuCell, *events: Emitted) -> None:
    async with transaction(cell.writer) as connection:
        await emit(connection, *events)


async def queue(cell: EuCell) -> None:
    """What a worker does first: a delivery for each event that an endpoint wants."""
    async with transaction(cell.writer) as connection:
        assert await fan_out(connection, REGION, limit=1_000)


async def deliveries(cell: EuCell, **expected: int) -> Sequence[Record]:
    """The deliveries, once there are as many in each state as expected."""
    async with asyncio.timeout(20):
        while True:
            async with transaction(cell.writer) as connection:
                rows: list[Record] = await connection.fetch("select * from webhook_deliveries order by event_id")
            if all(sum(row["state"] == state for row in rows) == count for state, count in expected.items()):
                return rows
            await asyncio.sleep(0.02)


def work(dsn: str, vault_key: bytes, lease_s: float) -> None:
    """A worker in a process of its own, until it is killed."""

    async def run() -> None:
        pool = await open_pool(dsn, size_max=4, name="test-webhooks")
        sender = Sender(Vault(REGION, {"k1": vault_key}, "k1"), QUICK, loopback_ports=EVERY_PORT, connections_max=4)
        made = WebhookWorker(pool, REGION, sender, QUICK, Bounds(per_endpoint_max=2, lease_s=lease_s))
        await made.run(asyncio.Event())

    asyncio.run(run())
