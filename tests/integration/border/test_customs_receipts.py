"""Receipts close the outbox, and whatever the broker and the link lose, repeat or reorder is made good."""

import random
from datetime import timedelta

import pytest

from cells.backends.postgres import transaction
from cells.customs import store_outbox
from cells.customs.admit import Admitted, Refused
from cells.customs.chain import Comparison, compare
from cells.customs.receipts import Closed
from residency.envelope import seal_and_sign
from residency.messages import Receipt
from tests.support.border import NOW
from tests.support.customs_house import Databases, open_customs, outbound


async def test_a_receipt_closes_the_outbox_and_takes_the_sealed_copies(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        first, second, third = [one.transfer_id for one in await eu.export(outbound(), outbound(), outbound())]
        sent = await eu.publish()
        await indonesia.admit(*sent[:2])
        (receipt,) = await indonesia.receipts()
        assert await eu.close(receipt) == Closed("id-1", 2, (first, second))
        async with transaction(eu.pool) as connection:
            rows = await connection.fetch("select sequence, envelope, closed_at from customs_outbox order by sequence")
        assert [(row["envelope"] is None, row["closed_at"] is not None) for row in rows] == [
            (True, True),
            (True, True),
            (False, False),
        ]
        assert await eu.close(receipt) == Closed("id-1", 2, ())
        await indonesia.admit(sent[2])
        (receipt,) = await indonesia.receipts()
        assert await eu.close(receipt) == Closed("id-1", 3, (third,))


async def test_a_receipt_that_lies_closes_nothing_and_is_recorded(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1", "uk-1") as (eu, _indonesia, _britain):
        await eu.export(outbound())
        (sent,) = await eu.publish()
        world = eu.world

        def receipt(cell: str, through: int, rolled: str) -> bytes:
            message = Receipt(through_sequence=through, rolling_hash=rolled, at=NOW)
            return seal_and_sign(message, None, 0, world.keys[cell], world.directory, to_cell="eu-1", at=NOW).data

        assert await eu.close(receipt("id-1", 1, "00" * 32)) == Refused("receipt-of-other-bytes")
        assert await eu.close(receipt("id-1", 2, "00" * 32)) == Refused("receipt-beyond-export")
        assert await eu.close(receipt("uk-1", 1, "00" * 32)) == Refused("receipt-beyond-export")
        assert await eu.close(sent) == Refused("misaddressed")
        assert await eu.close(b"KVB1") == Refused("frame")
        assert await eu.admit(receipt("id-1", 9, "00" * 32)) == [Refused("not-sequenced")]
        assert [entry.crossing.direction for entry in await eu.log()] == ["exported", *["refused"] * 6]
        async with transaction(eu.pool) as connection:
            assert await connection.fetchval("select count(*) from customs_outbox where closed_at is null") == 1


async def test_a_wiped_broker_loses_nothing(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound(), outbound())
        lost = await eu.publish()
        assert await eu.publish() == []
        async with transaction(eu.pool) as connection:
            assert await store_outbox.overdue(connection, timedelta(hours=1)) == []
            again = await store_outbox.overdue(connection, timedelta(0))
        assert [one.envelope for one in again] == lost
        assert [one.message_id for one in again] == ["eu1-id1-1", "eu1-id1-2"]
        await indonesia.admit(*(one.envelope for one in again))
        (receipt,) = await indonesia.receipts()
        await eu.close(receipt)
        async with transaction(eu.pool) as connection:
            assert await store_outbox.overdue(connection, timedelta(0)) == []


async def test_a_lost_receipt_is_made_good_by_the_next_repetition(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        (exported,) = await eu.export(outbound())
        sent = await eu.publish()
        await indonesia.admit(*sent)
        await indonesia.receipts()
        await indonesia.admit(*sent)
        (second,) = await indonesia.receipts()
        assert await eu.close(second) == Closed("id-1", 1, (exported.transfer_id,))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_the_link_does_everything_arrives_once_and_in_order(cell_database: Databases, seed: int) -> None:
    """Loss, repetition, disorder and rubbish, until all is receipted: the two logs then agree to the byte."""
    chance = random.Random(seed)
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        admitted: list[int] = []
        exported = await eu.export(*(outbound() for _ in range(30)))
        while True:
            async with transaction(eu.pool) as connection:
                await store_outbox.mark_published(connection, await store_outbox.unpublished(connection, 1_000))
                open_rows = await store_outbox.overdue(connection, timedelta(0))
            if not open_rows:
                break
            batch = [one.envelope for one in open_rows for _ in range(chance.choice([0, 1, 1, 1, 2]))]
            batch = sorted(batch, key=lambda _: chance.random() < 0.1)
            batch.insert(chance.randrange(len(batch) + 1), chance.randbytes(200))
            decisions = await indonesia.admit(*batch)
            admitted += [one.opened.sequence for one in decisions if isinstance(one, Admitted)]
            for receipt in await indonesia.receipts():
                if chance.random() < 0.7:
                    await eu.close(receipt)
        assert admitted == [one.sequence for one in exported]
        assert compare(await eu.log(), await indonesia.log(), "eu-1", "id-1") == Comparison((), 0)
