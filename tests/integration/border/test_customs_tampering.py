"""Whoever rewrites a customs log, even with the owner's hand, is found; and two logs that disagree are told
apart (L7).
"""

from dataclasses import replace

import asyncpg
import pytest

from cells.backends.postgres import transaction
from cells.customs import store
from cells.customs.chain import CustomsEntry, compare, verify_chain
from cells.customs.export import Outbound
from cells.kit.hashchain import Break
from tests.integration.border.test_customs_gates import Customs, Databases, open_customs
from tests.support.border import instructed, parties
from tests.support.servers import CellDatabase


async def as_superuser(database: CellDatabase, statement: str) -> None:
    connection = await asyncpg.connect(database.superuser)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def read(customs: Customs) -> list[CustomsEntry]:
    async with transaction(customs.pool) as connection:
        return await store.read_log(connection, customs.world.spec(customs.cell))


async def cross(eu: Customs, indonesia: Customs) -> None:
    await eu.export(*(Outbound("id-1", instructed(), parties()) for _ in range(4)))
    await indonesia.admit(*await eu.publish())


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("update customs_log set transfer_id = 'tr_eu1_00000000000000000000000000' where position = 2", 2),
        ("update customs_log set crossed_fields = '{payer.name}' where position = 3", 3),
        ("update customs_log set envelope_sha256 = sha256('x') where position = 1", 1),
        ("update customs_log set at = at + interval '1 microsecond' where position = 4", 4),
        ("update customs_log set entry_hash = sha256('x') where position = 2", 2),
        ("update customs_log set previous_hash = sha256('x') where position = 2", 2),
        ("delete from customs_log where position = 2", 3),
        ("delete from customs_log where position = 4", 4),
    ],
)
async def test_any_tampering_is_found_at_its_entry(cell_database: Databases, statement: str, position: int) -> None:
    databases: list[CellDatabase] = []

    def remember(region: str) -> CellDatabase:
        databases.append(cell_database(region))
        return databases[-1]

    async with open_customs(remember, "eu-1", "id-1") as (eu, indonesia):
        await cross(eu, indonesia)
        async with transaction(eu.pool) as connection:
            head = await store.read_head(connection, eu.world.spec("eu-1"))
        assert verify_chain(await read(eu), "eu-1", head) is None
        await as_superuser(databases[0], statement)
        found = verify_chain(await read(eu), "eu-1", head)
        assert isinstance(found, Break)
        assert found.sequence == position


async def test_an_export_verifies_offline_and_for_its_own_cell_only(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await cross(eu, indonesia)
        exported = [entry.to_json() for entry in await read(eu)]
    entries = [CustomsEntry.from_mapping(row) for row in exported]
    assert verify_chain(entries, "eu-1") is None
    assert verify_chain(entries, "id-1") is not None
    assert verify_chain(entries[1:], "eu-1") is not None


async def test_two_logs_that_disagree_are_told_apart(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await cross(eu, indonesia)
        sent, let_in = await read(eu), await read(indonesia)
        await eu.export(Outbound("id-1", instructed(), parties()))
        later = compare(await read(eu), let_in, "eu-1", "id-1")
        assert (later.differences, later.in_flight) == ((), 1)
    faults = {
        "not-exported": compare(sent[:2] + sent[3:], let_in, "eu-1", "id-1"),
        "not-admitted": compare(sent, let_in[:2] + let_in[3:], "eu-1", "id-1"),
    }
    for fault, comparison in faults.items():
        assert [(one.sequence, one.fault) for one in comparison.differences] == [(3, fault)]
    crossing = let_in[0].crossing
    swapped = CustomsEntry(1, replace(crossing, envelope_sha256=bytes(32)), bytes(32), bytes(32))
    (difference,) = compare(sent, [swapped, *let_in[1:]], "eu-1", "id-1").differences
    assert (difference.sequence, difference.fault, difference.transfer_id) == (
        1,
        "other-bytes",
        crossing.transfer_id,
    )
