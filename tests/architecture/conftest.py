"""The migrated database that the rules about tables are checked on: one for all of them, and each test rolls back what it did."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.support.servers import CellDatabase, RunningPostgres


@pytest.fixture(scope="session")
def eu_database(postgres_cluster: RunningPostgres) -> Iterator[CellDatabase]:
    database = postgres_cluster.database("EU")
    yield database
    postgres_cluster.drop(database)


@pytest.fixture
async def owner(eu_database: CellDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection, in a transaction that is rolled back after the test."""
    connection = await asyncpg.connect(eu_database.owner)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()
