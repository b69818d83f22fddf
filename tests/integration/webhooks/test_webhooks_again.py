"""What is sent again, by a resending or a replay: what became of the first delivery stays on record."""

from collections.abc import AsyncIterator, Callable

import pytest

from cells.backends.postgres import tenant_transaction
from cells.journal.store_public import BEGINNING
from cells.webhooks import store, store_log
from tests.support.eu_cell import EuCell, open_eu_cell
from tests.support.http_listener import open_listener
from tests.support.servers import CellDatabase
from tests.support.webhook_room import REGION, an_event, append, deliveries, new_endpoint, worker


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def test_sending_again_leaves_what_became_of_the_first_delivery(cell: EuCell) -> None:
    """Delivered at the second attempt; sent again, it fails until it is dead, and the first delivery is still on record as it was."""
    async with open_listener(lambda number: 200 if number in (2, 6) else 503) as listener, worker(cell.writer):
        endpoint = (await new_endpoint(cell, listener.url)).endpoint
        event = an_event(cell)
        await append(cell, event)
        (first,) = await deliveries(cell, delivered=1)
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            await store_log.resend(connection, REGION, endpoint.endpoint_id, event.event_id)
        (again,) = await deliveries(cell, dead=1)
        assert again["delivered_at"] == first["delivered_at"] is not None
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            await store_log.start_replay(connection, REGION, endpoint.endpoint_id, BEGINNING)
        await deliveries(cell, delivered=1)
        async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
            [row] = await store_log.list_deliveries(connection, REGION, cell.tenant.tenant_id, endpoint.endpoint_id)
    assert [(one["sending"], one["status"]) for one in row.attempt_log] == [
        (1, 503), (1, 200), (2, 503), (2, 503), (2, 503), (3, 200),
    ]  # fmt: skip
    assert (row.sending, row.attempts, row.delivered_at) == (3, 1, first["delivered_at"])


async def test_many_resendings_do_not_push_the_first_delivery_out_of_the_log(cell: EuCell) -> None:
    async with open_listener() as listener, worker(cell.writer):
        endpoint = (await new_endpoint(cell, listener.url)).endpoint
        event = an_event(cell)
        await append(cell, event)
        for number in range(1, store.ATTEMPTS_KEPT + 3):
            await listener.wait_for(number)
            await deliveries(cell, delivered=1)
            async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
                again = await store_log.resend(connection, REGION, endpoint.endpoint_id, event.event_id)
                assert again is not None
    sendings = [one["sending"] for one in again.attempt_log]
    assert sendings == [*range(1, store.FIRST_KEPT + 1), *range(13, store.ATTEMPTS_KEPT + 3)]
