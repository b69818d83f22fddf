"""The journal on a real Postgres: an entry for every change of a payment's row, one writer for each version, and no way round either."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.compliance.decisions import Deed
from cells.journal import store as journal
from cells.journal.entry import Entry, Overtaken, born_of
from cells.kit.command import Command
from cells.payments import store
from cells.payments.machine import Event, State
from cells.payments.step import take, take_loaded
from cells.payments.stream import TRANSFER
from cells.payments.transfer import Told, Transfer
from tests.support.asking import PARTNER, cancel_command
from tests.support.officers import ANA, decide, doubtful
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.two_cells import HandCell


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def stream(cell: HandCell, transfer: Transfer) -> list[Entry]:
    async with transaction(cell.institution.pool) as connection:
        return await journal.stream(connection, cell.spec.region, transfer.transfer_id)


def said(entry: Entry, *names: str) -> list[Any]:
    return [entry.facts.get(one) for one in names]


async def test_a_payment_is_all_that_its_entries_say_but_for_the_partners_own_words(cells: Reconciled) -> None:
    paid = await cells.complete(await cells.abroad())
    entries = await stream(cells.eu, paid)
    assert [one.version for one in entries] == list(range(1, 8))
    assert [one.event for one in entries] == [
        "accepted", "held", "instruct", "receipted", "answered", "settled", "posted",
    ]  # fmt: skip
    assert (paid.version, replace(paid, metadata={})) == (7, TRANSFER.fold(entries))
    held, instruct, answered = entries[1], entries[2], entries[4]
    assert held.facts == {"state": "FUNDS_HELD", "export_due": "instructed"}, "exactly what changed"
    assert paid.instruction_sha256 is not None
    assert said(instruct, "instruction_sha256", "export_due") == [paid.instruction_sha256.hex(), None]
    assert said(answered, "state") == [None], "an answer is no step"
    states = [one.state for one in TRANSFER.history(entries)]
    assert states[3:] == [State.PENDING_RAIL, State.PENDING_RAIL, State.SETTLING, State.COMPLETED]
    arrived = await stream(cells.id, paid)
    assert TRANSFER.fold(arrived) == await cells.id.transfer(paid.transfer_id)
    assert {one.tenant_id for one in [*entries, *arrived]} == {cells.cells.tenant.tenant_id}


async def test_who_did_it_and_the_call_that_asked_are_on_every_entry(cells: Reconciled) -> None:
    cancelled = await cells.abroad()
    await cells.eu.ask(cancel_command(cancelled))
    entries = await stream(cells.eu, cancelled)
    by = {one.event: (one.actor, one.request_id) for one in entries}
    assert by["accepted"] == by["cancel"] == PARTNER
    assert by["held"] == by["voided"] == ("component:wallet", "")
    case = await doubtful(cells, 10_000)
    await decide(cells.eu, case.transfer_id, Deed.REFUSE)
    by = {one.event: (one.actor, one.request_id) for one in await stream(cells.eu, case)}
    assert by["review_refused"] == (f"operator:{ANA}", "")


async def test_a_rails_silence_is_one_entry_however_often_it_is_told(cells: Reconciled) -> None:
    at_home = await cells.at_home()
    before = len(await stream(cells.eu, at_home))
    for number in range(3):
        await cells.eu.ask(Command(f"doubt-{number}", at_home.wallet_id, "doubt", at_home.transfer_id))
    doubted = await cells.eu.transfer(at_home.transfer_id)
    entries = await stream(cells.eu, at_home)
    assert [one.event for one in entries[before:]] == ["doubted"]
    assert (doubted.in_doubt, doubted.version, doubted.updated_at) == (True, before + 1, entries[-1].at)
    await cells.eu.tell(doubted, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert not (await cells.eu.transfer(at_home.transfer_id)).in_doubt


async def test_of_two_that_decided_on_one_version_one_writes_and_the_other_decides_anew(cells: Reconciled) -> None:
    """Neither locks what it read: the journal's version alone keeps them apart."""
    home = await cells.abroad()
    pool = cells.eu.institution.pool
    read, outcomes = asyncio.Barrier(2), list[str]()

    async def instruct() -> None:
        async with transaction(pool) as connection:
            loaded = await store.read(connection, "EU", [home.transfer_id])
            await read.wait()
            told = [Told(home.transfer_id, Event.INSTRUCT, {"instruction_sha256": bytes(32)})]
            await take_loaded(connection, "EU", loaded, told, room="border")
        outcomes.append("written")

    done = await asyncio.gather(instruct(), instruct(), return_exceptions=True)
    lost = [one for one in done if one is not None]
    assert (outcomes, [type(one) for one in lost]) == (["written"], [Overtaken])
    assert isinstance(lost[0], Overtaken)
    assert lost[0].retryable
    async with transaction(pool) as connection:
        again = await take(connection, "EU", [Told(home.transfer_id, Event.INSTRUCT)], room="border")
    assert (again.waves, again.refused) == ([], []), "it was done already"
    assert [one.event for one in await stream(cells.eu, home)] == ["accepted", "held", "instruct"]


@pytest.mark.writes_by_hand
async def test_the_key_refuses_a_second_entry_of_one_version_whoever_writes_it(cells: Reconciled) -> None:
    home = await cells.abroad()
    await plant(cells, home, 3, '{"state": "INSTRUCTED"}', "transfer.instruct.1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await cells.eu.export()
    assert await cells.eu.transfer(home.transfer_id) == home, "a row does not move without its entry"
    assert [one.version for one in await stream(cells.eu, home)] == [1, 2, 3]


async def plant(cells: Reconciled, transfer: Transfer, version: int, facts: str, kind: str) -> None:
    """An entry that nobody wrote with the row."""
    await cells.tamper(
        cells.eu,
        "insert into journal (compliance_region, born, stream, version, kind, tenant_id, actor, request_id, at, facts)"
        " values ('EU', $1, $2, $3, $4, $5, 'component:nobody', '', now(), $6::text::jsonb)",
        born_of(transfer.transfer_id), transfer.transfer_id, version, kind, transfer.tenant_id, facts,
    )  # fmt: skip


@pytest.mark.writes_by_hand
async def test_an_entry_without_its_row_is_found(cells: Reconciled) -> None:
    home = await cells.abroad()
    await plant(cells, home, 3, '{"state": "INSTRUCTED", "export_due": null}', "transfer.instruct.1")
    found = {(one.subject, one.what): (one.expected, one.found) for one in await cells.findings("L11")}
    assert found[home.transfer_id, "state"] == ("INSTRUCTED", "FUNDS_HELD")
    assert found[home.transfer_id, "version"] == ("3", "2")
    await cells.tamper(cells.eu, "delete from transfers where transfer_id = $1", home.transfer_id)
    [gone] = await cells.findings("L11")
    assert (gone.subject, gone.what, gone.found) == (home.transfer_id, "row", "none")


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    "change",
    [
        "state = 'INSTRUCTED'", "version = version + 1", "attempt = 2", "in_doubt = true", "export_due = null", "reason_code = 'AM04'",
        "review_reasons = '{large}'", "updated_at = now() + interval '1 minute'", "recipient_id = 'rcp'", "recorded_in = '9'",
        "answer = '{\"event\": \"settled\"}'", "instruction_sha256 = sha256('x')", "created_at = now()", "batch_id = 'bat'",
    ],
)  # fmt: skip
async def test_a_row_that_moved_without_an_entry_is_found(cells: Reconciled, change: str) -> None:
    home = await cells.abroad()
    await cells.tamper(cells.eu, f"update transfers set {change} where transfer_id = $1", home.transfer_id)
    [found] = await cells.findings("L11")
    assert (found.cells, found.subject, found.what) == (("eu-1",), home.transfer_id, change.partition(" ")[0])


@pytest.mark.writes_by_hand
async def test_a_row_without_a_stream_is_found(cells: Reconciled) -> None:
    await cells.at_home()
    home = await cells.abroad()
    await cells.tamper(cells.eu, "update transfers set transfer_id = 'tr_1' where transfer_id = $1", home.transfer_id)
    found = {(one.subject, one.what) for one in await cells.findings("L11")}
    assert found == {(home.transfer_id, "row"), ("tr_1", "stream")}


@pytest.mark.writes_by_hand
@pytest.mark.parametrize(
    ("tampered", "what"),
    [
        ("update journal set version = 9 where stream = $1 and version = 2", "version 2 of the stream"),
        ("update journal set version = 9 where stream = $1 and version = 1", "version 1 of the stream"),
        ("update journal set kind = 'transfer.paid.1' where stream = $1 and version = 2", "version 2 of the stream"),
        ("update journal set facts = '{}' where stream = $1 and version = 2", "version 2 of the stream"),
        ("update journal set kind = 'transfer.accepted.1' where stream = $1 and version = 2", "version 2 of the stream"),
        ("update journal set kind = 'other.born.1' where stream = $1 and version = 1", "kind"),
    ],
)  # fmt: skip
async def test_a_stream_that_makes_no_life_is_found(cells: Reconciled, tampered: str, what: str) -> None:
    home = await cells.abroad()
    await cells.tamper(cells.eu, tampered, home.transfer_id)
    found = await cells.findings("L11")
    assert (home.transfer_id, what) in {(one.subject, one.what) for one in found}


async def test_an_entry_is_never_changed_and_no_tenant_sees_anothers(cells: Reconciled) -> None:
    home = await cells.abroad()
    pool, api = cells.eu.institution.pool, cells.eu.api
    for statement in ("update journal set facts = '{}'", "delete from journal", "truncate journal"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(pool) as connection:
                await connection.execute(statement)
    for tenant, seen in ((cells.cells.tenant, True), (cells.cells.stranger, False)):
        async with tenant_transaction(api, tenant.tenant_id) as connection:
            found = await journal.read(connection, "EU", [home.transfer_id])
        assert bool(found) is seen
