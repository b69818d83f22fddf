"""The audit trail on a real Postgres: many writers, one chain; an export that verifies; tampering that is
found.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.audit import store
from cells.audit.entry import Entry
from cells.audit.verify import verify
from cells.audit.writer import AuditWriter
from cells.backends.postgres import Pool, open_pool, tenant_transaction, transaction
from residency.keys import public_hex
from tests.support.servers import CellDatabase

REGION, CELL = "EU", "eu-1"
KEY = Ed25519PrivateKey.generate()
KEYS = {CELL: {"k1": public_hex(KEY)}}


class Audited(NamedTuple):
    database: CellDatabase
    pool: Pool

    def writer(self, checkpoint_every: int = 50) -> AuditWriter:
        return AuditWriter(self.pool, REGION, CELL, lambda _: ("k1", KEY), checkpoint_every=checkpoint_every)


@pytest.fixture
async def audited(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[Audited]:
    database = cell_database(REGION)
    pool = await open_pool(database.writer, size_max=4, name="test-audit")
    yield Audited(database, pool)
    await pool.close()


def _entry(number: int, tenant_id: str = "ten_eu1_a") -> Entry:
    action = "POST /v1/transfers"
    return Entry(datetime.now(UTC), "key_eu1_a", tenant_id, action, f"tr_eu1_{number}", "202", f"req_eu1_{number}")


async def _export(audited: Audited, after_sequence: int = 0) -> list[str]:
    async with transaction(audited.pool) as connection:
        lines = store.export(connection, REGION, CELL, after_sequence=after_sequence)
        return [line async for line in lines]


async def test_many_at_once_over_two_writers_make_one_whole_signed_chain(audited: Audited) -> None:
    writers = [audited.writer(), audited.writer()]
    await asyncio.gather(*(writers[number % 2].append(_entry(number)) for number in range(200)))
    for writer in writers:
        await writer.close()
    report = verify(await _export(audited), KEYS)
    assert report.whole, report.problems
    assert (report.entries, report.last, report.signed_through, report.unsigned) == (200, 200, 200, 0)
    part = verify(await _export(audited, after_sequence=150), KEYS)
    assert part.whole, part.problems
    assert (part.first, part.entries, part.signed_through) == (151, 50, 200)


async def test_what_gathers_while_a_commit_is_under_way_becomes_one_batch(audited: Audited) -> None:
    writer = audited.writer()
    async with transaction(audited.pool) as connection:
        before = await connection.fetchval("select pg_current_xact_id()::text::bigint")
    await asyncio.gather(*(writer.append(_entry(number)) for number in range(100)))
    async with transaction(audited.pool) as connection:
        after = await connection.fetchval("select pg_current_xact_id()::text::bigint")
    await writer.close()
    assert after - before < 20, "100 entries take a few transactions, not 100"


async def test_an_entry_that_cannot_be_recorded_fails_alone_among_a_hundred(audited: Audited) -> None:
    writer = audited.writer()
    entries = [_entry(number) for number in range(100)]
    object.__setattr__(entries[41], "resource_id", "tr_eu1_\x00")  # an entry refuses it; Postgres has to, here
    answers = await asyncio.gather(*map(writer.append, entries), return_exceptions=True)
    await writer.close()
    assert [number for number, one in enumerate(answers) if one is not None] == [41]
    assert isinstance(answers[41], asyncpg.PostgresError)
    report = verify(await _export(audited), KEYS)
    assert report.whole, report.problems
    assert (report.entries, report.signed_through) == (99, 99)


async def test_a_checkpoint_is_signed_whenever_the_chain_passes_the_mark(audited: Audited) -> None:
    writer = audited.writer(checkpoint_every=2)
    for number in range(5):
        await writer.append(_entry(number))
    await writer.close()
    report = verify(await _export(audited), KEYS)
    assert (report.checkpoints, report.signed_through) == (3, 5)


async def test_an_entry_altered_by_the_databases_own_master_is_found(audited: Audited) -> None:
    writer = audited.writer()
    for number in range(3):
        await writer.append(_entry(number))
    await writer.close()
    master = await asyncpg.connect(audited.database.superuser)
    try:
        await master.execute("update audit_log set outcome = '201' where sequence = 2")
    finally:
        await master.close()
    report = verify(await _export(audited), KEYS)
    assert report.problems == ["line 3 (entry 2) does not fit the chain: it or its hash was altered"]


@pytest.mark.parametrize("statement", ["update audit_log set outcome = ''", "delete from audit_log"])
async def test_the_roles_that_serve_cannot_change_what_is_written(audited: Audited, statement: str) -> None:
    writer = audited.writer()
    await writer.append(_entry(1))
    await writer.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(audited.pool) as connection:
            await connection.execute(statement)


async def test_a_tenant_reads_its_own_entries_only(audited: Audited) -> None:
    writer = audited.writer()
    await writer.append(_entry(1, "ten_eu1_a"))
    await writer.append(_entry(2, "ten_eu1_b"))
    await writer.append(_entry(3, ""))
    await writer.close()
    api = await open_pool(audited.database.api, size_max=1, name="test-api")
    try:
        async with tenant_transaction(api, "ten_eu1_b") as connection:
            seen = await connection.fetch("select resource_id from audit_log")
    finally:
        await api.close()
    assert [row["resource_id"] for row in seen] == ["tr_eu1_2"]
