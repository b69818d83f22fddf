"""Postgres itself keeps a cell to its region: no row of another, by any role, through any statement; no second partition."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from migrations.apply import apply
from tests.architecture.catalogue import Catalogue, read_catalogue
from tests.support.servers import CellDatabase

Databases = Callable[[str], CellDatabase]

TENANT = (
    "insert into tenants (compliance_region, tenant_id, name, home_region, home_cell, tier, environment, owner_number, placement) "
    "values ($1, $2, 'Acme', 'EU', 'eu-1', 'growth', 'sandbox', $3, 'shared')"
)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def dsns(database: CellDatabase) -> dict[str, str]:
    """Everyone who could try, the superuser included: a policy would not stop him, the partition does."""
    return {"api": database.api, "writer": database.writer, "owner": database.owner, "superuser": database.superuser}


@pytest.fixture
def database(cell_database: Databases) -> CellDatabase:
    return cell_database("EU")


async def test_a_row_of_another_region_has_nowhere_to_go(database: CellDatabase) -> None:
    async with connected(database.writer) as writer:
        with pytest.raises(asyncpg.CheckViolationError, match="no partition of relation"):
            await writer.execute(TENANT, "ID", "ten_eu1_a", 1)
        await writer.execute(TENANT, "EU", "ten_eu1_a", 1)
    async with connected(database.superuser) as superuser:
        with pytest.raises(asyncpg.CheckViolationError, match="no partition of relation"):
            await superuser.execute("update tenants set compliance_region = 'ID'")
        # Neither by going round the parent: the partition's own bound refuses it.
        with pytest.raises(asyncpg.CheckViolationError, match="violates partition constraint"):
            await superuser.execute("update tenants_eu set compliance_region = 'ID'")
        assert await superuser.fetchval("select array_agg(compliance_region) from tenants") == ["EU"]


async def test_no_table_takes_a_row_of_another_region_from_anyone(database: CellDatabase) -> None:
    """Over the catalogue, so that the next table is tried too. A row of nulls and a foreign region: whatever stops it first (a
    grant, a policy, the missing partition), it must be stopped; and for who may do anything it is the partition."""
    async with connected(database.owner) as owner:
        catalogue = await read_catalogue(owner)
    assert len(catalogue.parents) > 20
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)
    for role, dsn in dsns(database).items():
        async with connected(dsn) as connection:
            for table in catalogue.parents:
                expected = asyncpg.CheckViolationError if role == "superuser" else refused
                with pytest.raises(expected) as refusal:
                    await connection.execute(f"insert into {table.name} (compliance_region) values ('ID')")
                if role == "superuser":
                    assert "no partition of relation" in str(refusal.value), table.name


async def test_no_serving_role_may_change_the_region_of_a_row_at_all(database: CellDatabase) -> None:
    async with connected(database.owner) as owner:
        catalogue = await read_catalogue(owner)
    for role, dsn in (("kovra_api", database.api), ("kovra_writer", database.writer)):
        async with connected(dsn) as connection:
            for table in catalogue.parents:
                if _updates_whole(catalogue, table.name, role):
                    continue  # see the next test
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"update {table.name} set compliance_region = 'ID'")


async def test_a_row_that_may_be_updated_whole_still_cannot_leave_its_region(database: CellDatabase) -> None:
    async with connected(database.writer) as writer:
        await writer.execute(TENANT, "EU", "ten_eu1_a", 1)
        await writer.execute(
            "insert into limit_usage values"
            " ('EU', 'ten_eu1_a', 'EUR', 'tenant', '', '2026-11-20', 1, 1, '2026-11-01', 1, 1)"
        )
        with pytest.raises(asyncpg.CheckViolationError, match="no partition of relation"):
            await writer.execute("update limit_usage set compliance_region = 'ID'")


async def test_a_partition_is_read_by_nobody_who_serves(database: CellDatabase) -> None:
    async with connected(database.owner) as owner:
        catalogue = await read_catalogue(owner)
    for dsn in (database.api, database.writer, database.ledger):
        async with connected(dsn) as connection:
            for table in catalogue.parents:
                for statement in (
                    f"select 1 from {table.name}_eu",
                    f"truncate {table.name}_eu",
                    f"copy {table.name}_eu to stdout",
                ):
                    # The ledger's role does not even see the schema.
                    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
                        await connection.execute(statement)


async def test_a_second_region_cannot_be_attached(database: CellDatabase) -> None:
    with pytest.raises(asyncpg.RaiseError, match="holds region EU, and can hold no other"):
        await apply(database.owner, "ID")
    for dsn in (database.api, database.writer):
        async with connected(dsn) as connection:
            for statement in (
                "call attach_region('ID')",
                "create table transfers_id partition of transfers for values in ('ID')",
                "update cell_region set region = 'ID'",
                "insert into cell_region (region, only_one) values ('ID', false)",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
    async with connected(database.owner) as owner:
        with pytest.raises(asyncpg.UniqueViolationError):
            await owner.execute("insert into cell_region (region) values ('ID')")
        catalogue = await read_catalogue(owner)
        assert {one.bound for parent in catalogue.parents for one in catalogue.partitions(parent)} == {
            "FOR VALUES IN ('EU')"
        }


def _updates_whole(catalogue: Catalogue, table: str, role: str) -> bool:
    return any(
        grant.table == table and grant.privilege == "UPDATE" and grant.column == "" and grant.role == role
        for grant in catalogue.grants
    )
