"""The single servers that tests and stack share: real, of the right version, closed to strangers."""

from collections.abc import Callable

import asyncpg
import pytest
import redis.asyncio

from tests.support.servers import CellDatabase


async def test_postgres_is_18_and_holds_only_its_region(cell_database: Callable[[str], CellDatabase]) -> None:
    database = cell_database("EU")
    connection = await asyncpg.connect(database.owner)
    try:
        assert (await connection.fetchval("show server_version")).startswith("18")
        assert await connection.fetchval("select region from cell_region") == "EU"
    finally:
        await connection.close()


async def test_each_database_is_fresh_and_roles_cannot_bypass_policies(
    cell_database: Callable[[str], CellDatabase],
) -> None:
    first, second = cell_database("ID"), cell_database("ID")
    assert first.name != second.name
    for dsn in (first.owner, first.api, first.writer, first.ledger):
        connection = await asyncpg.connect(dsn)
        try:
            row = await connection.fetchrow(
                "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
            )
            assert row is not None
            assert not any(row.values())
        finally:
            await connection.close()


async def test_postgres_refuses_a_wrong_password(cell_database: Callable[[str], CellDatabase]) -> None:
    dsn = cell_database("UK").api
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace("kovra_api:", "kovra_api:x"))


async def test_redis_answers_and_refuses_strangers(redis_url: str) -> None:
    client = redis.asyncio.from_url(redis_url)
    try:
        assert await client.ping()
    finally:
        await client.aclose()
    stranger = redis.asyncio.from_url(redis_url.replace(redis_url.split("@", maxsplit=1)[0], "redis://:wrong"))
    try:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await stranger.ping()
    finally:
        await stranger.aclose()
