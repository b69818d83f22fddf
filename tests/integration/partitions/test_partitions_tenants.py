"""Row-level security over the whole catalogue: a wrong query sees one tenant, and no error tells of another."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from functools import partial

import asyncpg
import pytest

from tests.architecture.catalogue import Catalogue, Column, read_catalogue
from tests.support.servers import CellDatabase, RunningPostgres

OURS, THEIRS = "ten_eu1_ours", "ten_eu1_theirs"
# Values that a check of their table wants; any other column gets one of its type.
_SPECIAL = {
    "environment": "sandbox", "placement": "own", "period": "day", "side": "source", "screening": "clear", "leg": "origin",
    "effect": "hold", "result": "clear", "currency": "EUR", "country": "DE", "source_currency": "EUR", "target_currency": "IDR",
}  # fmt: skip
_SPECIAL_BY_TABLE = {
    ("api_keys", "credential_type"): "key",
    ("subjects", "kind"): "payer",
    ("recipients", "kind"): "person",
    ("payers", "kind"): "person",
    ("sealed_records", "nonce"): bytes(12),
    ("subjects", "wrapped_key"): bytes(60),
    ("quotes", "source_minor"): 3,
    ("quotes", "recipient_fee_minor"): 0,
    ("limit_usage", "scope"): "payer",
    ("limit_rules", "scope"): "payer",
    ("limit_rules", "window"): "day",
    ("limit_rules", "measure"): "amount",
    ("fee_rules", "kind"): "PRE",
    ("fee_rules", "rule"): "eur",
    ("quotes", "expires_at"): datetime(2099, 1, 1, tzinfo=UTC),
    ("collections", "wallet_id"): "wal",
    ("wallets", "qualifier"): 0,
    ("wallets", "state"): "open",
    ("collections", "state"): "received",
    ("submissions", "state"): "queued",
    ("webhook_deliveries", "state"): "pending",
    ("webhook_signers", "algorithm"): "ES256",
    ("contradictions", "said"): "settled",
    ("recalls", "state"): "asked",
    ("recalls", "direction"): "received",
    ("orders", "kind"): "give_back",
    ("orders", "state"): "ordered",
    ("returns", "state"): "received",
    ("tenants", "return_policy"): "original",
    ("sub_wallets", "state"): "asked",
    ("book_transfers", "kind"): "transfer",
    ("book_transfers", "state"): "asked",
    ("routes", "cause"): "accepted",
    ("batches", "format"): "json",
    ("batches", "state"): "VALIDATING",
    ("batch_lines", "state"): "INVALID",
    ("review_decisions", "deed"): "clear",
    ("review_decisions", "state"): "proposed",
}
# A check demands these although the column may be null.
_ALSO = {"subjects": ("kek_kid", "wrapped_key"), "collections": ("tenant_id", "wallet_id"), "recalls": ("tenant_id",)}


def value_of(column: Column, tenant: str) -> object:
    """A value of the column's type that is this tenant's own."""
    if column.name == "tenant_id":
        return tenant
    if column.name == "compliance_region":
        return "EU"
    given = _SPECIAL_BY_TABLE.get((column.table, column.name), _SPECIAL.get(column.name))
    if given is not None:
        return given
    number = 1 if tenant == OURS else 2
    by_type = {
        "text": f"{column.name}-{tenant}",
        "text[]": [tenant],
        "uuid": uuid.UUID(int=number),
        "bigint": 1,
        "integer": 1,
        "smallint": 1,
        "numeric(39,0)": 1,
        "boolean": True,
        "date": date(2026, 11, 1),
        "timestamp with time zone": datetime(2026, 11, 20, tzinfo=UTC),
        "instant": datetime(2026, 11, 20, tzinfo=UTC),
        "bytea": number.to_bytes(32, "big"),
        "jsonb": json.dumps({}),
    }
    return number if column.name == "owner_number" else by_type[column.type]


async def as_ours(api: asyncpg.Connection, work: Callable[[], Awaitable[object]]) -> None:
    """In a transaction that is bound to our tenant."""
    async with api.transaction():
        await api.execute("select set_config('kovra.tenant', $1, true)", OURS)
        await work()


async def insert_row(connection: asyncpg.Connection, catalogue: Catalogue, table: str, tenant: str) -> None:
    """One row with every required column, as the superuser and past all foreign keys: only visibility is at stake."""
    columns = [
        one
        for one in catalogue.columns
        if (one.schema, one.table) == ("public", table)
        and (one.required or one.name in _ALSO.get(table, ()))
        and one.type != "xid8"
    ]
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    names = ", ".join(f'"{one.name}"' for one in columns)
    await connection.execute(
        f"insert into {table} ({names}) values ({places})", *(value_of(one, tenant) for one in columns)
    )


@pytest.fixture
async def catalogue(postgres_cluster: RunningPostgres) -> AsyncIterator[tuple[CellDatabase, Catalogue]]:
    """A database with a row of each of two tenants in every tenant table. The rows are made up, events too, so it is none of those whose
    events are held against the catalogue."""
    database = postgres_cluster.database("EU")
    superuser = await asyncpg.connect(database.superuser)
    found = await read_catalogue(superuser)
    await superuser.execute("set session_replication_role = replica")
    for table in found.tenant_tables:
        for tenant in (OURS, THEIRS):
            await insert_row(superuser, found, table, tenant)
    await superuser.close()
    yield database, found
    postgres_cluster.drop(database)


async def test_a_query_without_a_filter_sees_one_tenant_on_every_table(
    catalogue: tuple[CellDatabase, Catalogue],
) -> None:
    database, found = catalogue
    assert len(found.tenant_tables) > 15
    api = await asyncpg.connect(database.api)
    for table in found.tenant_tables:
        if not _may(found, table, "SELECT"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await api.fetch(f"select tenant_id from {table}")
            continue
        assert await api.fetch(f"select tenant_id from {table}") == [], (
            f"{table}: no tenant was bound, and rows were seen"
        )
        async with api.transaction():
            await api.execute("select set_config('kovra.tenant', $1, true)", OURS)
            seen = {row["tenant_id"] for row in await api.fetch(f"select tenant_id from {table}")}
            asked = await api.fetch(f"select tenant_id from {table} where tenant_id = $1", THEIRS)
        assert seen == {OURS}, f"{table}: one tenant's transaction saw {seen}"
        assert asked == [], f"{table}: another tenant's rows came when asked for by name"
    await api.close()


async def test_a_write_of_another_tenants_row_is_refused_or_touches_nothing(
    catalogue: tuple[CellDatabase, Catalogue],
) -> None:
    database, found = catalogue
    api = await asyncpg.connect(database.api)
    tried = 0
    for table in found.tenant_tables:
        for grant in [
            one for one in found.grants if one.table == table and one.role == "kovra_api" and one.privilege == "UPDATE"
        ]:
            tried += 1
            async with api.transaction():
                await api.execute("select set_config('kovra.tenant', $1, true)", OURS)
                done = await api.execute(
                    f"update {table} set {grant.column} = {grant.column} where tenant_id = $1", THEIRS
                )
            assert done == "UPDATE 0", f"{table}.{grant.column}: {done}"
        if _may(found, table, "INSERT", whole=True):
            tried += 1
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await as_ours(api, partial(insert_row, api, found, table, f"{THEIRS}2"))
    assert tried > 10
    await api.close()


async def test_the_same_key_of_another_tenant_is_no_duplicate_and_no_error_tells_of_it(
    catalogue: tuple[CellDatabase, Catalogue],
) -> None:
    database, _ = catalogue
    insert = (
        "insert into idempotency_keys (compliance_region, tenant_id, operation, key, request_sha256, resource_id) "
        "values ('EU', $1, 'transfers.create', 'order-7', $2, 'r')"
    )
    api = await asyncpg.connect(database.api)
    for tenant in (OURS, THEIRS):
        async with api.transaction():
            await api.execute("select set_config('kovra.tenant', $1, true)", tenant)
            await api.execute(insert, tenant, bytes(32))
    with pytest.raises(asyncpg.UniqueViolationError) as again:
        await as_ours(api, partial(api.execute, insert, OURS, bytes(32)))
    assert THEIRS not in f"{again.value} {again.value.detail}"
    await api.close()


async def test_the_binding_ends_with_its_transaction(catalogue: tuple[CellDatabase, Catalogue]) -> None:
    database, _ = catalogue
    api = await asyncpg.connect(database.api)
    async with api.transaction():
        await api.execute("select set_config('kovra.tenant', $1, true)", OURS)
        assert len(await api.fetch("select 1 from transfers")) == 1
    assert await api.fetch("select 1 from transfers") == []
    # An empty binding is no binding, and no tenant has an empty name.
    async with api.transaction():
        await api.execute("select set_config('kovra.tenant', '', true)")
        assert await api.fetch("select 1 from transfers") == []
    await api.close()


def _may(catalogue: Catalogue, table: str, privilege: str, *, whole: bool = False) -> bool:
    return any(
        (one.schema, one.table, one.role, one.privilege) == ("public", table, "kovra_api", privilege)
        and (not whole or not one.column)
        for one in catalogue.grants
    )
