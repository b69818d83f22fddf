"""Submissions and collections on a real Postgres, under the writer's role and the tenant's."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cells.backends.postgres import tenant_transaction, transaction
from cells.journal.entry import component
from cells.rails import store, store_collections
from cells.rails.rail import InDoubt, Refused, Settled, end_to_end_id
from cells.rails.store import NewSubmission
from cells.rails.store_collections import CollectionRow
from residency.ids import mint
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.servers import CellDatabase

pytestmark = pytest.mark.writes_by_hand

REGION = CELL.region
RAIL = "sepa_instant"
BY = component("test")
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def _transfers(cell: EuCell, count: int) -> list[str]:
    """Journaled payments of the cell's tenant."""
    ids = [mint("tr", CELL.name) for _ in range(count)]
    async with transaction(cell.writer) as connection:
        await connection.execute(
            """
            insert into transfers (compliance_region, transfer_id, tenant_id, leg, state, wallet_id,
                origin_cell, destination_cell, recipient_id, source_currency, target_currency, principal, margin, fee,
                target_amount, recipient_fee, rail, screening)
            select $1, id, $2, 'in_region', 'PENDING_RAIL', 'wal', $3, $3, 'rcp', 'EUR', 'EUR', 5, 0, 0, 5,
                0, $4, 'clear' from unnest($5::text[]) as id
            """,
            REGION,
            cell.tenant.tenant_id,
            CELL.name,
            RAIL,
            ids,
        )
    return ids


async def _queued(cell: EuCell, count: int) -> list[str]:
    ids = await _transfers(cell, count)
    async with transaction(cell.writer) as connection:
        payments = [NewSubmission(one, cell.tenant.tenant_id) for one in ids]
        await store.enqueue(connection, REGION, RAIL, payments)
        await store.enqueue(connection, REGION, RAIL, payments[:1])
    return ids


async def test_a_payment_goes_out_once_however_often_it_is_marked(cell: EuCell) -> None:
    ids = await _queued(cell, 3)
    async with transaction(cell.writer) as connection:
        first = await store.mark_asked(connection, REGION, RAIL, ids[:2])
        second = await store.mark_asked(connection, REGION, RAIL, ids)
    assert list(first) == ids[:2]
    assert list(second) == ids[2:]


async def test_unsent_goes_back_and_what_is_in_doubt_does_not(cell: EuCell) -> None:
    unsent, doubtful = await _queued(cell, 2)
    async with transaction(cell.writer) as connection:
        await store.mark_asked(connection, REGION, RAIL, [unsent, doubtful])
        await store.record(connection, REGION, [(doubtful, InDoubt(NOW))])
        await store.mark_queued(connection, REGION, [unsent, doubtful])
        assert list(await store.mark_asked(connection, REGION, RAIL, [unsent, doubtful])) == [unsent]


async def test_the_first_final_answer_stays(cell: EuCell) -> None:
    settled, refused, doubtful = await _queued(cell, 3)
    async with transaction(cell.writer) as connection:
        await store.mark_asked(connection, REGION, RAIL, [settled, refused, doubtful])
        await store.record(
            connection,
            REGION,
            [
                (settled, Settled("REF", NOW)),
                (refused, Refused("AC04", "closed", NOW)),
                (doubtful, InDoubt(NOW)),
            ],
        )
        later = NOW + timedelta(seconds=9)
        await store.record(
            connection,
            REGION,
            [
                (settled, Refused("AC01", "late", later)),
                (refused, InDoubt(later)),
                (doubtful, InDoubt(later, "pending")),
            ],
        )
        found = {one.transfer_id: one for one in await store.unfinished(connection, REGION, RAIL, "", 10)}
        doubt = await connection.fetchrow(
            "select in_doubt_since, in_doubt_cause, inquiries from submissions where transfer_id = $1",
            doubtful,
        )
    assert (found[settled].state, found[settled].outcome) == ("answered", Settled("REF", NOW))
    assert (found[refused].state, found[refused].outcome) == ("answered", Refused("AC04", "closed", NOW))
    assert (found[doubtful].state, found[doubtful].outcome) == ("asked", None)
    assert dict(doubt) == {"in_doubt_since": NOW, "in_doubt_cause": "pending", "inquiries": 1}


async def test_an_answer_to_what_was_never_asked_changes_nothing(cell: EuCell) -> None:
    [one] = await _queued(cell, 1)
    async with transaction(cell.writer) as connection:
        await store.record(connection, REGION, [(one, Settled("REF", NOW))])
        [found] = await store.unfinished(connection, REGION, RAIL, "", 10)
    assert found.state == "queued"


async def test_unfinished_is_read_in_pages_and_forgets_the_acknowledged(cell: EuCell) -> None:
    ids = sorted(await _queued(cell, 5))
    async with transaction(cell.writer) as connection:
        await store.mark_asked(connection, REGION, RAIL, ids)
        await store.record(connection, REGION, [(ids[1], Settled("REF", NOW))])
        await store.acknowledge(connection, REGION, ids)
        first = await store.unfinished(connection, REGION, RAIL, "", 2)
        rest = await store.unfinished(connection, REGION, RAIL, first[-1].transfer_id, 10)
        others = await store.unfinished(connection, REGION, "bi_fast", "", 10)
    assert [one.transfer_id for one in [*first, *rest]] == [ids[0], *ids[2:]]
    assert others == []


async def test_a_tenant_sees_its_own_submissions_and_writes_none(cell: EuCell) -> None:
    ids = await _queued(cell, 1)
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        assert await connection.fetchval("select end_to_end_id from submissions") == end_to_end_id(ids[0])
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        assert await connection.fetchval("select count(*) from submissions") == 0
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("update submissions set state = 'acknowledged'")


async def test_a_submission_of_another_region_has_nowhere_to_go(cell: EuCell) -> None:
    payment = NewSubmission(mint("tr", CELL.name), cell.tenant.tenant_id)
    async with transaction(cell.writer) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await store.enqueue(connection, "ID", RAIL, [payment])


def _credit(cell: EuCell, reference: str) -> CollectionRow:
    return CollectionRow(
        collection_id=mint("col", CELL.name),
        tenant_id=cell.tenant.tenant_id,
        wallet_id=mint("wal", CELL.name),
        rail=RAIL,
        scheme_reference=reference,
        end_to_end_id="NOTPROVIDED",
        amount=500_000,
        currency="EUR",
        state="received",
        reason_code=None,
        debtor_subject_id=None,
        message_sha256=bytes(32),
        received_at=NOW,
    )


async def test_a_duplicate_credit_finds_the_first(cell: EuCell) -> None:
    first, other = _credit(cell, "IN1"), _credit(cell, "IN2")
    async with transaction(cell.writer) as connection:
        [was] = await store_collections.receive(connection, REGION, [first], BY)
        assert replace(was, updated_at=None) == first
        await store_collections.close(connection, REGION, [first.collection_id], "credited", BY)
        again = replace(_credit(cell, "IN1"), amount=7)
        found = await store_collections.receive(connection, REGION, [again, other], BY)
        assert [replace(one, updated_at=None) for one in found] == [replace(first, state="credited", version=2), other]
        assert (await store_collections.stuck(connection, REGION, NOW + timedelta(seconds=1), 10)).rows == found[1:]


async def test_a_closed_credit_stays_as_it_is(cell: EuCell) -> None:
    one = replace(_credit(cell, "IN1"), reason_code="AC01")
    async with transaction(cell.writer) as connection:
        await store_collections.receive(connection, REGION, [one], BY)
        await store_collections.close(connection, REGION, [one.collection_id], "suspended", BY)
        await store_collections.close(connection, REGION, [one.collection_id], "credited", BY)
        found = await store_collections.find(connection, REGION, [one.collection_id])
    assert replace(found[one.collection_id], updated_at=None) == replace(one, state="suspended", version=2)


async def test_refused_money_belongs_to_no_partner(cell: EuCell) -> None:
    one = replace(_credit(cell, "IN1"), tenant_id="cell:eu-1", wallet_id=None, state="refused", reason_code="AC01")
    async with transaction(cell.writer) as connection:
        [kept] = await store_collections.receive(connection, REGION, [one], BY)
        assert replace(kept, updated_at=None) == one
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        assert await store_collections.find(connection, REGION, [one.collection_id]) == {}
