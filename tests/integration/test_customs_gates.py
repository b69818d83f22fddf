"""Export and admission on real databases: in order, once, signed, recorded at both ends."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from cells.backends.postgres import Pool, open_pool, transaction
from cells.customs import store, store_outbox
from cells.customs.admit import Admission, Admitted, Duplicate, Gap, Refused, admit
from cells.customs.chain import Comparison, CustomsEntry, compare, verify_chain
from cells.customs.export import Exported, Outbound, export
from cells.customs.receipts import Closed, close_through, make_receipts
from cells.spec import CellSpec
from residency.directory import Directory
from residency.envelope import seal_and_sign
from residency.keys import CellKeys
from residency.messages import Instructed, Receipt
from residency.travel_rule import TravelRuleIncomplete, demand, select
from tests.border import NOW, PAYER_NAME, World, instructed, make_world, parties, rejected, settled
from tests.servers import CellDatabase

Databases = Callable[[str], CellDatabase]


@dataclass(frozen=True)
class Customs:
    """The customs of one cell on its own database."""

    world: World
    cell: str
    pool: Pool

    @property
    def tools(self) -> tuple[CellSpec, CellKeys, Directory]:
        """What every gate is given beside the connection."""
        return self.world.spec(self.cell), self.world.keys[self.cell], self.world.directory

    async def export(self, *outbound: Outbound) -> list[Exported]:
        async with transaction(self.pool) as connection:
            return await export(connection, *self.tools, outbound, at=NOW)

    async def admit(self, *envelopes: bytes) -> list[Admission]:
        async with transaction(self.pool) as connection:
            return await admit(connection, *self.tools, envelopes, at=NOW)

    async def publish(self) -> list[bytes]:
        async with transaction(self.pool) as connection:
            waiting = await store_outbox.unpublished(connection, 1_000)
            await store_outbox.mark_published(connection, waiting)
        return [one.envelope for one in waiting]

    async def receipts(self) -> list[bytes]:
        async with transaction(self.pool) as connection:
            made = await make_receipts(connection, *self.tools, at=NOW)
        return [one.envelope for one in made]

    async def close(self, receipt: bytes) -> Closed | Refused:
        async with transaction(self.pool) as connection:
            return await close_through(
                connection, self.world.spec(self.cell), self.world.directory, receipt, at=NOW
            )

    async def log(self) -> list[CustomsEntry]:
        async with transaction(self.pool) as connection:
            entries = await store.read_log(connection, self.world.spec(self.cell))
            head = await store.read_head(connection, self.world.spec(self.cell))
        assert verify_chain(entries, self.cell, head) is None
        return entries


@asynccontextmanager
async def open_customs(databases: Databases, *cells: str) -> AsyncIterator[list[Customs]]:
    world = make_world()
    pools = [
        await open_pool(databases(world.directory.cell(cell).region).writer, size_max=4, name="test")
        for cell in cells
    ]
    try:
        yield [Customs(world, cell, pool) for cell, pool in zip(cells, pools, strict=True)]
    finally:
        for pool in pools:
            await pool.close()


def outbound(message: Instructed | None = None) -> Outbound:
    return Outbound("id-1", message or instructed(), parties())


def forge(customs: Customs, sequence: int, message: Instructed | None = None) -> bytes:
    """Bytes properly signed by that cell beside its own customs: what a stolen key or a bug could send."""
    least = select(parties(), demand("EU", "ID", "IDR", 20_000_000_000))
    world = customs.world
    return seal_and_sign(
        message or instructed(),
        least,
        sequence,
        world.keys[customs.cell],
        world.directory,
        to_cell="id-1",
        at=NOW,
    ).data


async def test_a_batch_crosses_in_order_and_both_ends_have_it_on_record(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        exported = await eu.export(*(outbound() for _ in range(5)))
        assert [one.sequence for one in exported] == [1, 2, 3, 4, 5]
        assert {one.subject for one in exported} == {"fx.eu1.id1.instructed"}
        admissions = await indonesia.admit(*await eu.publish())
        assert [type(one) for one in admissions] == [Admitted] * 5
        first = admissions[0]
        assert isinstance(first, Admitted) and first.parties is not None
        assert first.parties.payer.name == PAYER_NAME and first.faults == ()
        assert first.opened.hash == exported[0].hash
        sent, let_in = await eu.log(), await indonesia.log()
        assert [entry.crossing.direction for entry in let_in] == ["admitted"] * 5
        assert let_in[0].crossing.crossed_fields == exported[0].crossed_fields
        assert compare(sent, let_in, "eu-1", "id-1").differences == ()


async def test_the_gate_lets_out_what_the_law_names_and_the_log_says_so_without_values(
    cell_database: Databases,
) -> None:
    async with open_customs(cell_database, "eu-1") as (eu,):
        (exported,) = await eu.export(outbound())
        assert "payer.address" in exported.crossed_fields
        assert "payer.birth_date" not in exported.crossed_fields
        async with transaction(eu.pool) as connection:
            stored = await connection.fetch(
                "select l::text from customs_log l union all select o::text from customs_outbox o"
            )
        for row in stored:
            assert PAYER_NAME not in row[0] and PAYER_NAME.encode().hex() not in row[0]


async def test_a_payment_without_the_payers_data_stops_the_batch_before_anything_is_written(
    cell_database: Databases,
) -> None:
    async with open_customs(cell_database, "eu-1") as (eu,):
        poor = Outbound("id-1", instructed(), parties(document_number=None, birth_date=None))
        with pytest.raises(TravelRuleIncomplete) as refusal:
            await eu.export(outbound(), poor)
        assert refusal.value.extra["transfer_id"] == poor.transfer_id
        assert await eu.log() == []
        assert (await eu.export(outbound()))[0].sequence == 1


async def test_two_exporters_at_once_leave_no_hole_and_no_twin(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        batches = await asyncio.gather(*(eu.export(*(outbound() for _ in range(7))) for _ in range(6)))
        sequences = sorted(one.sequence for batch in batches for one in batch)
        assert sequences == list(range(1, 43))
        assert [entry.position for entry in await eu.log()] == list(range(1, 43))
        for batch in batches:
            numbers = [one.sequence for one in batch]
            assert numbers == list(range(numbers[0], numbers[0] + 7))
        assert all(isinstance(one, Admitted) for one in await indonesia.admit(*await eu.publish()))


async def test_a_rolled_back_export_uses_no_number(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1") as (eu,):
        with pytest.raises(RuntimeError):
            async with transaction(eu.pool) as connection:
                await export(connection, *eu.tools, [outbound()], at=NOW)
                raise RuntimeError("the transition that caused it failed")
        assert await eu.log() == []
        assert [one.sequence for one in await eu.export(outbound())] == [1]


async def test_a_repetition_changes_nothing_and_earns_another_receipt(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound(), outbound())
        sent = await eu.publish()
        await indonesia.admit(*sent, sent[1])
        assert len(await indonesia.receipts()) == 1
        assert await indonesia.receipts() == []
        before = await indonesia.log()
        assert [type(one) for one in await indonesia.admit(*sent)] == [Duplicate, Duplicate]
        assert await indonesia.log() == before
        assert len(await indonesia.receipts()) == 1


async def test_a_gap_waits_and_the_order_is_strict(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound(), outbound(), outbound())
        first, second, third = await eu.publish()
        assert await indonesia.admit(second, third) == [Gap(1, 2), Gap(1, 3)]
        assert await indonesia.log() == []
        assert [type(one) for one in await indonesia.admit(third, first, second)] == [Gap, Admitted, Admitted]
        assert [type(one) for one in await indonesia.admit(third)] == [Admitted]


async def test_two_admissions_of_the_same_message_at_once_admit_it_once(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound())
        (sent,) = await eu.publish()
        results = await asyncio.gather(*(indonesia.admit(sent) for _ in range(4)))
        assert sorted(type(one[0]).__name__ for one in results) == [
            "Admitted",
            "Duplicate",
            "Duplicate",
            "Duplicate",
        ]
        assert len(await indonesia.log()) == 1


async def test_other_bytes_under_a_used_number_are_refused_and_recorded_once(
    cell_database: Databases,
) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound())
        await indonesia.admit(*await eu.publish())
        other = forge(eu, 1)
        for _ in range(3):
            assert await indonesia.admit(other) == [Refused("sequence-reused")]
        assert [entry.crossing.direction for entry in await indonesia.log()] == ["admitted", "refused"]


async def test_forged_altered_and_misaddressed_messages_are_refused_recorded_and_do_not_stop_the_corridor(
    cell_database: Databases,
) -> None:
    async with open_customs(cell_database, "eu-1", "id-1", "uk-1") as (eu, indonesia, britain):
        await eu.export(outbound(), outbound())
        first, second = await eu.publish()
        altered = first[:-1] + bytes([first[-1] ^ 1])
        admissions = await indonesia.admit(altered, b"nonsense", first, second)
        assert admissions[:2] == [Refused("signature"), Refused("frame")]
        assert [type(one) for one in admissions[2:]] == [Admitted, Admitted]
        reasons = [(entry.crossing.direction, entry.crossing.reason) for entry in await indonesia.log()]
        assert reasons == [("refused", "signature"), ("refused", "frame"), ("admitted", ""), ("admitted", "")]
        assert await britain.admit(first) == [Refused("misaddressed")]
        stranger = make_world()
        assert await indonesia.admit(forge(Customs(stranger, "eu-1", eu.pool), 3)) == [Refused("signature")]


async def test_a_forgers_text_does_not_reach_the_log(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound())
        (sent,) = await eu.publish()
        marked = sent.replace(b'"kind":"instructed"', b'"kind":"astridmark"').replace(
            b'"to_cell":"id-1"', b'"to_cell":"mk-1"'
        )
        assert isinstance((await indonesia.admit(marked))[0], Refused)
        crossing = (await indonesia.log())[0].crossing
        assert (crossing.kind, crossing.to_cell, crossing.from_cell) == ("", "", "")


async def test_only_the_cell_that_was_instructed_may_answer(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1", "uk-1") as (eu, indonesia, britain):
        (asked, other) = await eu.export(outbound(), outbound())
        await britain.export(Outbound("eu-1", rejected(asked.transfer_id, asked.hash)))
        await indonesia.export(
            Outbound("eu-1", settled(asked.transfer_id, asked.hash)),
            Outbound("eu-1", settled(other.transfer_id, asked.hash)),
            Outbound("eu-1", settled(instructed().transfer_id, asked.hash)),
        )
        answers = await eu.admit(*await britain.publish(), *await indonesia.publish())
        assert [one.faults for one in answers if isinstance(one, Admitted)] == [
            ("not-instructed",),
            (),
            ("not-instructed",),
            ("not-instructed",),
        ]
        assert [entry.crossing.reason for entry in await eu.log()][2:] == [
            "not-instructed",
            "",
            "not-instructed",
            "not-instructed",
        ]


async def test_a_sealed_part_that_does_not_open_is_admitted_as_a_fault_so_that_the_payment_can_be_rejected(
    cell_database: Databases,
) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound())
        (sent,) = await eu.publish()
        lost = make_world().keys["id-1"]
        async with transaction(indonesia.pool) as connection:
            spec, _, directory = indonesia.tools
            (admission,) = await admit(connection, spec, lost, directory, [sent], at=NOW)
        assert isinstance(admission, Admitted)
        assert admission.parties is None and admission.faults == ("sealed-unreadable",)


async def test_a_receipt_closes_the_outbox_and_takes_the_sealed_copies(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound(), outbound(), outbound())
        sent = await eu.publish()
        await indonesia.admit(*sent[:2])
        (receipt,) = await indonesia.receipts()
        assert await eu.close(receipt) == Closed("id-1", 2, 2)
        async with transaction(eu.pool) as connection:
            rows = await connection.fetch(
                "select sequence, envelope, closed_at from customs_outbox order by sequence"
            )
        assert [(row["envelope"] is None, row["closed_at"] is not None) for row in rows] == [
            (True, True),
            (True, True),
            (False, False),
        ]
        assert await eu.close(receipt) == Closed("id-1", 2, 0)
        await indonesia.admit(sent[2])
        (receipt,) = await indonesia.receipts()
        assert await eu.close(receipt) == Closed("id-1", 3, 1)


async def test_a_receipt_that_lies_closes_nothing_and_is_recorded(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1", "uk-1") as (eu, indonesia, britain):
        await eu.export(outbound())
        (sent,) = await eu.publish()
        world = eu.world

        def receipt(cell: str, through: int, rolled: str) -> bytes:
            message = Receipt(through_sequence=through, rolling_hash=rolled, at=NOW)
            return seal_and_sign(
                message, None, 0, world.keys[cell], world.directory, to_cell="eu-1", at=NOW
            ).data

        assert await eu.close(receipt("id-1", 1, "00" * 32)) == Refused("receipt-of-other-bytes")
        assert await eu.close(receipt("id-1", 2, "00" * 32)) == Refused("receipt-beyond-export")
        assert await eu.close(receipt("uk-1", 1, "00" * 32)) == Refused("receipt-beyond-export")
        assert await eu.close(sent) == Refused("misaddressed")
        assert await eu.close(b"KVB1") == Refused("frame")
        assert await eu.admit(receipt("id-1", 9, "00" * 32)) == [Refused("not-sequenced")]
        assert [entry.crossing.direction for entry in await eu.log()] == ["exported", *["refused"] * 6]
        async with transaction(eu.pool) as connection:
            assert (
                await connection.fetchval("select count(*) from customs_outbox where closed_at is null") == 1
            )


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
        await eu.export(outbound())
        sent = await eu.publish()
        await indonesia.admit(*sent)
        await indonesia.receipts()
        await indonesia.admit(*sent)
        (second,) = await indonesia.receipts()
        assert await eu.close(second) == Closed("id-1", 1, 1)


async def test_the_log_cannot_be_rewritten_by_the_cells_own_role(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1") as (eu,):
        await eu.export(outbound())
        for statement in (
            "update customs_log set kind = 'settled'",
            "delete from customs_log",
            "delete from customs_outbox",
        ):
            with pytest.raises(Exception, match="permission denied"):
                async with transaction(eu.pool) as connection:
                    await connection.execute(statement)


async def test_the_cost_in_statements_does_not_grow_with_the_batch(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        await eu.export(outbound())
        await indonesia.admit(*await eu.publish())
        counts = []
        for size in (1, 50):
            batch = [outbound() for _ in range(size)]
            out = await statements(eu, partial(export, outbound=batch, at=NOW))
            sent = await eu.publish()
            back = await statements(indonesia, partial(admit, envelopes=sent, at=NOW))
            counts.append((out, back))
        assert counts[0] == counts[1]
        assert counts[0][0] <= 6 and counts[0][1] <= 8


async def statements(customs: Customs, run: Callable[..., Awaitable[object]]) -> int:
    """How many statements `run` sends inside one transaction."""
    seen: list[str] = []
    async with transaction(customs.pool) as connection:
        with connection.query_logger(lambda query: seen.append(query.query)):
            await run(connection, *customs.tools)
    return len(seen)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_the_link_does_everything_arrives_once_and_in_order(
    cell_database: Databases, seed: int
) -> None:
    """Loss, repetition, disorder and rubbish, until all is receipted: the two logs then agree to the byte."""
    chance = random.Random(seed)
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        admitted: list[int] = []
        exported = await eu.export(*(outbound() for _ in range(30)))
        while True:
            async with transaction(eu.pool) as connection:
                await store_outbox.mark_published(
                    connection, await store_outbox.unpublished(connection, 1_000)
                )
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
