"""One delivery that cannot be written down, or told, holds up no other."""

from cells.backends import store_aside
from cells.backends.postgres import transaction
from cells.backends.store_aside import SetAside
from tests.integration.webhooks.test_webhooks_lost import cell, cell_database_of, lettered, network, telling
from tests.support.brokers import Network
from tests.support.eu_cell import EuCell
from tests.support.http_listener import open_listener
from tests.support.poison import UNREADABLE, spoil
from tests.support.servers import CellDatabase
from tests.support.waiting import until
from tests.support.webhook_room import REGION, an_event, append, deliveries, new_endpoint, queue, worker

__all__ = ["cell", "cell_database_of", "network"]


async def test_a_delivery_that_cannot_be_written_down_holds_up_no_other(
    cell: EuCell, cell_database_of: CellDatabase
) -> None:
    async with open_listener() as listener:
        await new_endpoint(cell, listener.url)
        bad, good = an_event(cell), an_event(cell)
        await append(cell, bad, good)
        await queue(cell)
        await spoil(
            cell_database_of, f"update webhook_deliveries set attempt_log = '7' where event_id = '{bad.event_id}'"
        )
        async with worker(cell.writer):
            await deliveries(cell, delivered=1, pending=1)
            await until(lambda: _aside(cell, 1))
            [found] = await _set_aside(cell)
            assert (found.worker, found.item_id.partition(":")[0]) == ("webhooks", bad.event_id)
            await spoil(
                cell_database_of,
                "update webhook_deliveries set attempt_log = '[]', due_at = now() where state = 'pending'",
            )
            async with transaction(cell.writer) as connection:
                await store_aside.release(connection, REGION, found.item_id)
            await deliveries(cell, delivered=2)
            await until(lambda: _aside(cell, 0))


async def test_a_dead_letter_that_cannot_be_read_holds_up_no_other(
    cell: EuCell, network: Network, cell_database_of: CellDatabase
) -> None:
    bus = await network.bus("eu1")
    async with open_listener(lambda _: 503) as listener, worker(cell.writer):
        await new_endpoint(cell, listener.url)
        bad, good = an_event(cell), an_event(cell)
        await append(cell, bad, good)
        await deliveries(cell, dead=2)
    await spoil(
        cell_database_of, f"update webhook_deliveries set due_at = '{UNREADABLE}' where event_id = '{bad.event_id}'"
    )
    async with telling(cell, bus):
        await until(lambda: lettered(cell, 1))
        await until(lambda: _aside(cell, 1))
        await spoil(cell_database_of, "update webhook_deliveries set due_at = now()")
        async with transaction(cell.writer) as connection:
            await store_aside.release(connection, REGION, (await _set_aside(cell))[0].item_id)
        await until(lambda: lettered(cell, 2))
        await until(lambda: _aside(cell, 0))


async def _set_aside(cell: EuCell) -> list[SetAside]:
    async with transaction(cell.writer) as connection:
        return await store_aside.aside(connection, REGION)


async def _aside(cell: EuCell, count: int) -> bool:
    return len(await _set_aside(cell)) == count
