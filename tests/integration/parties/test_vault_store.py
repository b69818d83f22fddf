"""Personal data on a real database: unreadable without the key, gone when erased, moved to a new key
whole."""

from collections.abc import Callable

import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.backends.vault import Vault, VaultUnreadable
from cells.parties import store_subjects
from cells.parties.models import Recipient
from cells.parties.recipients import open_for_payout
from residency.errors import KovraError
from tests.support.party_room import KEK_NEW, KEK_OLD, PartyRoom, indonesian, open_party_room
from tests.support.rewrapping import rewrap_batch
from tests.support.servers import CellDatabase

Databases = Callable[[str], CellDatabase]


async def registered(room: PartyRoom, *names: str) -> list[str]:
    """The row ids of new recipients with these names."""
    async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
        made = await room.recipients.create(connection, room.tenant.tenant_id, [indonesian(name) for name in names])
    return [row_id_of(one) for one in made]


def row_id_of(made: Recipient | KovraError) -> str:
    assert isinstance(made, Recipient), made
    return made.id.partition(".")[0]


async def test_no_table_holds_a_name_or_an_account_number(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        await registered(room, "Budi Santoso Wibowo")
        async with transaction(room.writer) as connection:
            tables = ("subjects", "sealed_records", "recipients", "screenings")
            rows = [await connection.fetch(f"select t::text as row from {table} t") for table in tables]
        assert all(rows), "each table has its row"
        text = " ".join(row["row"] for table in rows for row in table)
        for personal in ("Budi", "Wibowo", "1234567890", "Melati", b"Budi".hex(), b"1234567890".hex()):
            assert personal not in text


async def test_erasing_makes_unreadable_and_leaves_the_rows(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        gone, kept = await registered(room, "Budi Santoso Wibowo", "Siti Rahmawati")
        async with transaction(room.writer) as connection:
            assert await store_subjects.erase(connection, room.region, [gone]) == [gone]
            assert await store_subjects.erase(connection, room.region, [gone]) == []
        async with transaction(room.writer) as connection:
            opened = await store_subjects.open_subjects(connection, room.vault, [gone, kept])
            assert set(opened) == {kept}
            assert set(await open_for_payout(connection, room.vault, [gone, kept])) == {kept}
            row = await connection.fetchrow(
                "select wrapped_key, kek_kid, erased_at, ciphertext from subjects join sealed_records "
                "using (compliance_region, subject_id) where subject_id = $1",
                gone,
            )
            assert row is not None
            assert (row["wrapped_key"], row["kek_kid"]) == (None, None)
            assert row["erased_at"] is not None
            assert row["ciphertext"]
            assert await connection.fetchval("select count(*) from recipients where recipient_id = $1", gone) == 1


async def test_a_new_region_key_takes_over_and_the_old_one_can_go(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        ids = await registered(room, "Budi Santoso", "Siti Rahmawati", "Wayan Sudarma")
        rotated = Vault(room.region, room.keks, KEK_NEW)
        async with transaction(room.writer) as connection:
            assert await rewrap_batch(connection, rotated, store_subjects.WRAPPED, limit=2) == 2
            assert await rewrap_batch(connection, rotated, store_subjects.WRAPPED, limit=2) == 1
            assert await rewrap_batch(connection, rotated, store_subjects.WRAPPED, limit=2) == 0
            only_new = Vault(room.region, {KEK_NEW: room.keks[KEK_NEW]}, KEK_NEW)
            parties = await open_for_payout(connection, only_new, ids)
            assert {party.name for party in parties.values()} == {
                "Budi Santoso",
                "Siti Rahmawati",
                "Wayan Sudarma",
            }
            only_old = Vault(room.region, {KEK_OLD: room.keks[KEK_OLD]}, KEK_OLD)
            with pytest.raises(VaultUnreadable):
                await store_subjects.open_subjects(connection, only_old, ids)


async def test_a_sealed_record_moved_to_another_row_does_not_open(cell_database: Databases) -> None:
    database = cell_database("ID")
    async with open_party_room(database, "id-1") as room:
        mine, other = await registered(room, "Budi Santoso", "Siti Rahmawati")
        async with transaction(room.writer) as connection:
            records = {
                one.subject.subject_id: one
                for one in await store_subjects.select_sealed(connection, room.region, [mine, other])
            }
        with pytest.raises(VaultUnreadable, match=mine):
            room.vault.open([(records[mine].subject, records[other].sealed)])


async def test_another_tenant_sees_nothing(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        ids = await registered(room, "Budi Santoso")
        async with tenant_transaction(room.api, room.stranger.tenant_id) as connection:
            assert await store_subjects.open_subjects(connection, room.vault, ids) == {}
            assert await store_subjects.erase(connection, room.region, ids) == []
            for table in ("subjects", "sealed_records", "recipients", "payers"):
                assert await connection.fetchval(f"select count(*) from {table}") == 0
            assert await connection.fetchval("select count(subject_id) from screenings") == 0
        async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
            assert set(await store_subjects.open_subjects(connection, room.vault, ids)) == set(ids)
