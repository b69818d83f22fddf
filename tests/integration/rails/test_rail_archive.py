"""The archive of messages on a real database: sealed, found by payment, erased with its digest left, and written before the scheme hears."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cells.backends.postgres import transaction
from cells.backends.vault import Vault, VaultUnreadable
from cells.rails import store_messages
from cells.rails.archive import VaultArchive
from cells.rails.rail import Settled
from cells.rails.registry import open_rail
from cells.rails.store_messages import WireMessage
from residency.rules import rules_of
from tests.support.party_room import KEK_NEW, KEK_OLD, open_party_room
from tests.support.rewrapping import rewrap_batch
from tests.support.schemes import RunningSchemes, payout
from tests.support.servers import CellDatabase

Databases = Callable[[str], CellDatabase]


TERM = rules_of("ID").keeping.term


def message(number: int, *, age: timedelta = timedelta(0)) -> WireMessage:
    body = b"<Nm>Budi Santoso</Nm>"
    return WireMessage("bi_fast", "sent", "pacs.008.001.08", (f"tr-{number}", "all"), datetime.now(UTC) - age, body)


async def test_what_is_kept_is_sealed_found_and_erased(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        archive = VaultArchive(room.writer, room.vault)
        await asyncio.gather(*(archive.keep([message(number, age=TERM * (number == 7))]) for number in range(20)))
        async with transaction(room.writer) as connection:
            text = await connection.fetchval("select string_agg(m::text, ' ') from rail_messages m")
            assert "Budi" not in text
            assert b"Budi".hex() not in text
            found = await store_messages.about(connection, room.region, ["tr-7"])
            assert store_messages.open_messages(room.vault, found) == [b"<Nm>Budi Santoso</Nm>"]
            assert len(await store_messages.about(connection, room.region, ["all"])) == 20
            [due] = await store_messages.due_for_erasure(connection, room.region, ())
            assert await store_messages.erase(connection, room.region, [due]) == [due]
            assert await store_messages.erase(connection, room.region, [due]) == []
            assert await store_messages.due_for_erasure(connection, room.region, ()) == []
            [gone] = await store_messages.about(connection, room.region, ["tr-7"])
            assert (gone.sealed, gone.sha256) == (None, found[0].sha256)
            assert store_messages.open_messages(room.vault, [gone]) == [None]


async def test_a_message_that_cannot_be_stored_fails_alone_among_a_hundred(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        archive = VaultArchive(room.writer, room.vault)
        messages = [message(number) for number in range(100)]
        messages[41] = replace(messages[41], rail="bi_fast\x00")
        answers = await asyncio.gather(*(archive.keep([one]) for one in messages), return_exceptions=True)
        assert [number for number, one in enumerate(answers) if one is not None] == [41]
        assert isinstance(answers[41], asyncpg.PostgresError)
        async with transaction(room.writer) as connection:
            assert len(await store_messages.about(connection, room.region, ["all"])) == 99


async def test_keys_move_to_the_regions_new_one(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        await VaultArchive(room.writer, room.vault).keep([message(1), message(2)])
        newer = Vault(room.region, room.keks, KEK_NEW)
        async with transaction(room.writer) as connection:
            assert await rewrap_batch(connection, newer, store_messages.WRAPPED) == 2
            assert await rewrap_batch(connection, newer, store_messages.WRAPPED) == 0
            found = await store_messages.about(connection, room.region, ["all"])
        only_new = Vault(room.region, {KEK_NEW: room.keks[KEK_NEW]}, KEK_NEW)
        assert len(store_messages.open_messages(only_new, found)) == 2
        with pytest.raises(VaultUnreadable):
            store_messages.open_messages(Vault(room.region, {KEK_OLD: room.keks[KEK_OLD]}, KEK_OLD), found)


async def test_a_rail_keeps_what_it_sends_and_hears(cell_database: Databases, schemes: RunningSchemes) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        archive = VaultArchive(room.writer, room.vault)
        rail = open_rail("sepa_instant", schemes.connection("sepa_instant"), archive)
        asked = payout(rail.profile)
        [outcome] = await rail.submit([asked])
        await rail.close()
        assert isinstance(outcome, Settled)
        async with transaction(room.writer) as connection:
            found = await store_messages.about(connection, room.region, [asked.end_to_end_id])
        assert [(one.direction, one.message_type) for one in found] == [
            ("sent", "pacs.008.001.08"),
            ("received", "pacs.002.001.10"),
        ]
        sent, heard = store_messages.open_messages(room.vault, found)
        assert sent is not None
        assert heard is not None
        assert b"Budi Santoso" in sent
        assert asked.end_to_end_id.encode() in heard
