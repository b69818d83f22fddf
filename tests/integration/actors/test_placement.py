"""Who has been granted an actor of its own: read from the rows, the same for both roles, and followed by the doors."""

from collections.abc import AsyncIterator

import pytest

from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.placement import OWN_PREFIX, SHARED_PREFIX
from actors.workers.placing import PlacementWorker
from cells.backends.postgres import transaction
from cells.tenants import store
from cells.tenants.tenant import NewWallet, mint_tenant
from tests.support.border import world_of_today
from tests.support.eu_cell import CELL, EuCell, open_eu_cell


@pytest.fixture
async def cell(cell_database) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database("EU")) as opened:
        yield opened


async def test_an_enterprise_tenants_wallets_get_actors_of_their_own(cell: EuCell) -> None:
    large = mint_tenant("Samudra Bank", CELL, tier="enterprise", placement="own")
    async with transaction(cell.writer) as connection:
        await store.create_tenants(connection, CELL.region, [large])
        [own] = await store.open_wallets(connection, CELL, [NewWallet(large.tenant_id, "EUR")])
        [shared] = await store.open_wallets(connection, CELL, [NewWallet(cell.tenant.tenant_id, "EUR")])
    for pool in (cell.writer, cell.api):
        async with transaction(pool) as connection:
            assert await store.own_wallets(connection, CELL.region, 10) == [own.wallet_id]
            assert await store.own_wallets(connection, CELL.region, 0) == []

    spec = world_of_today().spec(CELL.name)
    wallets = Deployment.of(spec).wallets(InProcess())
    assert wallets.host_of(own.wallet_id).startswith(SHARED_PREFIX)
    await PlacementWorker(wallets, cell.api, spec).look()
    assert wallets.host_of(own.wallet_id) == OWN_PREFIX + own.wallet_id
    assert wallets.host_of(shared.wallet_id).startswith(SHARED_PREFIX)
    await wallets.close()
