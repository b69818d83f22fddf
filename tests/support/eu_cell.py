"""One EU cell's database with tenants in it, for the tests of the rooms that hang on tenants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cells.backends.postgres import Pool, open_pool, transaction
from cells.tenants import store
from cells.tenants.tenant import Tenant, mint_tenant
from residency.directory import CellEntry, load_directory
from tests.support.servers import CellDatabase

CELL: CellEntry = load_directory().cell("eu-1")


@dataclass(frozen=True)
class EuCell:
    """Pools of the two roles, and two tenants at home in the cell. `dsn`: the writer's, for a process of its own."""

    writer: Pool
    api: Pool
    tenant: Tenant
    stranger: Tenant
    dsn: str = ""


@asynccontextmanager
async def open_eu_cell(database: CellDatabase) -> AsyncIterator[EuCell]:
    tenant = mint_tenant("Nusantara Pay", CELL, tier="starter")
    stranger = mint_tenant("Hanse Remit", CELL, tier="growth")
    writer = await open_pool(database.writer, size_max=4, name="test-writer")
    api = await open_pool(database.api, size_max=2, name="test-api")
    try:
        async with transaction(writer) as connection:
            await store.create_tenants(connection, CELL.region, [tenant, stranger])
        yield EuCell(writer, api, tenant, stranger, database.writer)
    finally:
        await writer.close()
        await api.close()
