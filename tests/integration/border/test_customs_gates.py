"""Export and admission on real databases: in order, once, signed, recorded at both ends."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from cells.backends.postgres import transaction
from cells.customs.admit import Admitted, Duplicate, Gap, Refused, admit
from cells.customs.chain import compare
from cells.customs.export import Outbound, export
from residency.travel_rule import TravelRuleIncomplete
from tests.support.border import NOW, PAYER_NAME, instructed, make_world, parties, rejected, settled
from tests.support.customs_house import Customs, Databases, forge, open_customs, outbound


async def test_a_batch_crosses_in_order_and_both_ends_have_it_on_record(cell_database: Databases) -> None:
    async with open_customs(cell_database, "eu-1", "id-1") as (eu, indonesia):
        exported = await eu.export(*(outbound() for _ in range(5)))
        assert [one.sequence for one in exported] == [1, 2, 3, 4, 5]
        assert {one.subject for one in exported} == {"fx.eu1.id1.instructed"}
        admissions = await indonesia.admit(*await eu.publish())
        assert [type(one) for one in admissions] == [Admitted] * 5
        first = admissions[0]
        assert isinstance(first, Admitted)
        assert first.parties is not None
        assert first.parties.payer.name == PAYER_NAME
        assert first.faults == ()
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
            assert PAYER_NAME not in row[0]
            assert PAYER_NAME.encode().hex() not in row[0]


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

        async def fails_after_export() -> None:
            async with transaction(eu.pool) as connection:
                await export(connection, *eu.tools, [outbound()], at=NOW)
                raise RuntimeError("the transition that caused it failed")

        with pytest.raises(RuntimeError):
            await fails_after_export()
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
        assert admission.parties is None
        assert admission.faults == ("sealed-unreadable",)


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
        assert counts[0][0] <= 6
        assert counts[0][1] <= 8


async def statements(customs: Customs, run: Callable[..., Awaitable[object]]) -> int:
    """How many statements `run` sends inside one transaction."""
    seen: list[str] = []
    async with transaction(customs.pool) as connection:
        with connection.query_logger(lambda query: seen.append(query.query)):
            await run(connection, *customs.tools)
    return len(seen)
