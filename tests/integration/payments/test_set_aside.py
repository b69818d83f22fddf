"""One row that cannot be read or processed stops no worker: it is set aside and named, the rest goes on, and it is released."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from actors.workers.batches import Batches
from actors.workers.gauges import GaugeWorker
from actors.workers.keeper import Keeper
from actors.workers.recalls import RecallMessages
from actors.workers.sweep import Sweep
from cells.backends import store_aside
from cells.backends.postgres import Pool, transaction
from cells.backends.store_aside import SetAside
from cells.backends.vault import Vault
from router.cli.main import build
from tests.integration.api.test_api_payment import cross_border_wish, pay
from tests.integration.api.test_api_recalls import recalled, state
from tests.integration.api.test_api_suspense import host_of
from tests.support.api_cell import ApiCell, credit_to, open_api_cell
from tests.support.batch_api import get as batch_of
from tests.support.batch_api import of, open_worker, submit
from tests.support.poison import UNREADABLE, spoil
from tests.support.servers import CellDatabase
from tests.support.waiting import until

pytestmark = pytest.mark.writes_by_hand

OLD = "now() - interval '1 minute'"


@pytest.fixture
def database(cell_database) -> CellDatabase:
    return cell_database("EU")


@pytest.fixture
async def cell(database: CellDatabase, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, database, schemes) as opened:
        await opened.fund()
        yield opened


async def aside(pool: Pool, region: str = "EU") -> dict[str, SetAside]:
    async with transaction(pool) as connection:
        return {one.item_id: one for one in await store_aside.aside(connection, region)}


async def release(pool: Pool, item_id: str, region: str = "EU") -> None:
    async with transaction(pool) as connection:
        assert await store_aside.release(connection, region, item_id)


async def held(cell: ApiCell, count: int) -> list[str]:
    """Payments that stay held: nobody exports them here."""
    return [(await pay(cell, await cross_border_wish(cell), f"pay-{number}")).json()["id"] for number in range(count)]


@asynccontextmanager
async def running(worker: Any) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    yield task
    stop.set()
    await task


def holds(pool: Pool, expected: set[str], region: str = "EU") -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return set(await aside(pool, region)) == expected

    return check


async def kovra(*arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, build(), list(arguments))


async def test_the_sweep_goes_on_beside_rows_it_cannot_read_and_the_operator_sees_and_releases_them(
    cell: ApiCell, database: CellDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable, senseless, _ = await held(cell, 3)
    later = datetime.now(ZoneInfo("Europe/Berlin")).date() + timedelta(days=10)
    account = {"iban": cell.wallets["EUR"].account_number}
    await cell.inbound("sepa_instant", credit_to(account, 1_000, scheme_reference="IN-2", settlement_date=later))
    await spoil(
        database,
        f"update transfers set updated_at = {OLD}",
        f"update transfers set deadline = '{UNREADABLE}' where transfer_id = '{unreadable}'",
        "update transfers set state = 'INSTRUCTED', answer = '{\"event\": \"nonsense\"}'"
        f" where transfer_id = '{senseless}'",
        f"update collections set received_at = {OLD}, available_at = now() where state = 'received'",
    )
    writer = cell.parts.writer

    async def credited() -> bool:
        async with transaction(writer) as connection:
            return await connection.fetchval(
                "select state = 'credited' from collections where scheme_reference = 'IN-2'"
            )

    with caplog.at_level(logging.CRITICAL, "kovra.aside"):
        async with running(Sweep(host_of(cell), cell.parts.wallets)) as sweeping:
            await until(credited)
            await until(holds(writer, {unreadable, senseless}))
            assert not sweeping.done()

            found = await kovra("doctor", "--cell", "eu-1", "--json")
            assert found.exit_code == 1
            told = json.loads(found.stdout)["cells"]["eu-1"]
            shown = {one["item_id"]: one for one in told["set_aside"]}
            assert {name: one["worker"] for name, one in shown.items()} == {unreadable: "sweep", senseless: "sweep"}
            assert shown[unreadable]["holds"] == {
                "state": "FUNDS_HELD",
                "amount": {"value": "100.00", "currency": "EUR"},
            }
            assert shown[unreadable]["reason"].startswith("OverflowError")
            assert shown[senseless]["reason"].startswith("ValueError")
            assert unreadable in (await kovra("doctor", "--cell", "eu-1")).output

            await GaugeWorker(host_of(cell)).round()
            labels = {"cell": "eu-1", "worker": "sweep"}
            assert REGISTRY.get_sample_value("kovra_set_aside_items", labels) == 2
            await spoil(
                database,
                f"update transfers set deadline = null where transfer_id = '{unreadable}'",
                f"update transfers set answer = null where transfer_id = '{senseless}'",
            )
            for one in (unreadable, senseless):
                assert (await kovra("doctor", "release", one, "--cell", "eu-1")).exit_code == 0
            await until(holds(writer, set()))
    assert unreadable in caplog.text
    assert senseless in caplog.text
    again = await kovra("doctor", "release", unreadable, "--cell", "eu-1")
    assert again.exception is not None
    assert again.exception.code == "not-set-aside"  # type: ignore[attr-defined]


async def test_what_trips_its_wallet_is_set_aside_too(cell: ApiCell, database: CellDatabase) -> None:
    tripping, _ = await held(cell, 2)
    await spoil(
        database,
        f"update transfers set updated_at = {OLD}, state = 'CREATED', source_currency = 'XXX' where transfer_id = '{tripping}'",
    )
    writer = cell.parts.writer
    async with running(Sweep(host_of(cell), cell.parts.wallets)):
        await until(holds(writer, {tripping}))
        assert (await aside(writer))[tripping].reason.startswith("ActorFailed")
        await spoil(
            database,
            f"update transfers set source_currency = 'EUR', updated_at = {OLD} where transfer_id = '{tripping}'",
        )
        await release(writer, tripping)
        await until(holds(writer, set()))

        async def resumed() -> bool:
            return (await cell.client.get(f"/v1/transfers/{tripping}")).json()["status"] == "FUNDS_HELD"

        await until(resumed)


async def test_what_fails_again_waits_longer_each_time_and_keeps_since_when(
    cell: ApiCell, database: CellDatabase
) -> None:
    [unreadable] = await held(cell, 1)
    await spoil(database, f"update transfers set updated_at = {OLD}, deadline = '{UNREADABLE}'")
    writer = cell.parts.writer
    async with running(Sweep(host_of(cell), cell.parts.wallets)):
        await until(holds(writer, {unreadable}))
        first = (await aside(writer))[unreadable]
        await release(writer, unreadable)

        async def again() -> bool:
            return (await aside(writer))[unreadable].attempts == 2

        await until(again)
        second = (await aside(writer))[unreadable]
    assert second.since == first.since
    assert (first.retry_at - first.since).total_seconds() == pytest.approx(15, abs=1)
    assert (second.retry_at - second.since).total_seconds() > 30


async def test_a_batch_that_cannot_be_read_holds_up_no_other(cell: ApiCell, database: CellDatabase) -> None:
    recipient, payer = await cell.recipient(), await cell.payer()
    ids = [(await submit(cell, [of(recipient, payer)], f"b{number}")).json()["id"] for number in range(3)]
    await spoil(
        database,
        f"update batches set created_at = '{UNREADABLE}' where batch_id = '{ids[0]}'",
        f"update batches set fault = '[]' where batch_id = '{ids[1]}'",
    )
    writer = cell.parts.writer

    def ended(worker: Batches, *wanted: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            await worker.round()
            return all([(await batch_of(cell, one))["status"] == "COMPLETED" for one in wanted])

        return check

    async with open_worker(cell) as worker:
        await until(ended(worker, ids[2]))
        assert {name: one.worker for name, one in (await aside(writer)).items()} == {
            ids[0]: "batches",
            ids[1]: "batches",
        }
        await spoil(database, "update batches set created_at = now(), fault = null")
        for one in ids[:2]:
            await release(writer, one)
        await until(ended(worker, *ids))
        await until(holds(writer, set()))


async def test_a_recall_that_cannot_be_told_holds_up_no_other(cell: ApiCell, database: CellDatabase) -> None:
    for case_id in ("RC-1", "RC-2", "RC-3"):
        await recalled(cell, case_id, f"IN-UNKNOWN-{case_id}")
    await spoil(
        database,
        "update recalls set end_to_end_id = repeat('x', 60) where case_id = 'RC-1'",
        f"update recalls set at = '{UNREADABLE}' where case_id = 'RC-2'",
    )
    worker = RecallMessages(host_of(cell))
    await worker.round("sepa_instant")
    assert {one.worker for one in (await aside(cell.parts.writer)).values()} == {"recalls"}
    assert len(await aside(cell.parts.writer)) == 2
    await spoil(database, "update recalls set at = now(), end_to_end_id = 'NOTPROVIDED'")
    assert [await state(cell, one) for one in ("RC-1", "RC-2", "RC-3")] == [
        ("refusing", "NOOR"), ("refusing", "NOOR"), ("refused", "NOOR"),
    ]  # fmt: skip
    for one in await aside(cell.parts.writer):
        await release(cell.parts.writer, one)
    async with running(worker):
        await until(holds(cell.parts.writer, set()))
    assert [(await state(cell, one))[0] for one in ("RC-1", "RC-2", "RC-3")] == ["refused"] * 3


async def test_a_key_that_does_not_open_is_left_under_the_old_one_and_the_others_move(
    cell: ApiCell, database: CellDatabase
) -> None:
    payers = [await cell.payer() for _ in range(3)]
    host = host_of(cell)
    newer = Vault(host.vault.region, {**host.keys.keks, "kek-eu-1-29991231-1": bytes(32)}, "kek-eu-1-29991231-1")
    await spoil(
        database,
        f"update subjects set wrapped_key = '\\x00'::bytea || substr(wrapped_key, 2) where subject_id = '{payers[0]}'",
    )
    keeper = Keeper(replace(host, vault=newer))
    while await keeper.work():
        pass
    found = await aside(cell.parts.writer)
    assert {name: one.worker for name, one in found.items()} == {f"subjects:{payers[0]}": "keeper"}
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch("select subject_id, kek_kid from subjects where subject_id = any ($1)", payers)
    assert {row["subject_id"]: row["kek_kid"] == newer.current_kid for row in rows} == {
        payers[0]: False, payers[1]: True, payers[2]: True,
    }  # fmt: skip


async def test_a_live_stream_that_cannot_be_read_silences_no_other(cell: ApiCell, database: CellDatabase) -> None:
    unreadable, good = await held(cell, 2)
    await spoil(database, f"update journal set at = '{UNREADABLE}' where stream = '{unreadable}'")
    tail, tenant_id = cell.parts.tail, cell.tenant.tenant_id
    _, key_id = await cell.key(cell.tenant)
    async with tail.watching(tenant_id, unreadable, key_id) as silent, tail.watching(tenant_id, good, key_id) as heard:
        async with asyncio.timeout(20):
            assert [one.event_type for one in await heard.more_than(0)] == ["transfer.funds_held"]
        await until(holds(cell.parts.writer, {unreadable}))
        assert (await aside(cell.parts.writer))[unreadable].worker == "tail"
        await cell.client.post(f"/v1/transfers/{good}/cancel")
        async with asyncio.timeout(20):
            assert [one.event_type for one in await heard.more_than(1)][1:] == ["transfer.cancelled"]
        await spoil(database, f"update journal set at = now() where stream = '{unreadable}'")
        await release(cell.parts.writer, unreadable)
        async with asyncio.timeout(20):
            assert [one.event_type for one in await silent.more_than(0)] == ["transfer.funds_held"]
        await until(holds(cell.parts.writer, set()))
