"""Reconciling beside running payments never takes motion for a fault; and the worker that does it at a steady pace."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from actors.workers.reconcile import Reconciler
from cells.payments.machine import Event
from cells.reconciliation.reconcile import reconcile
from cells.reconciliation.report import Report
from cells.spec import CellSpec
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.waiting import until


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


async def test_payments_that_run_meanwhile_are_never_a_fault(cells: Reconciled) -> None:
    async def pay() -> None:
        for number in range(12):
            transfer = await (cells.at_home(1_000 + number) if number % 3 == 0 else cells.abroad(2_000 + number))
            if number % 3 == 0:
                await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference=f"SCT-{number}")
            else:
                await (cells.complete(transfer) if number % 3 == 1 else cells.refund(transfer))
            await cells.deposit(100 + number)

    paying = asyncio.create_task(pay())
    reports: list[Report] = []
    while not paying.done():
        reports.append(await reconcile([cells.running(cells.eu), cells.running(cells.id)]))
    await paying
    assert all(one.ok for one in reports), [one.findings for one in reports if not one.ok]
    assert any(not one.at_rest for one in reports), "something must have moved while it was looked at"
    assert (await reconcile([cells.running(cells.eu), cells.running(cells.id)])).at_rest


@pytest.mark.writes_by_hand
async def test_the_worker_shows_findings_as_gauges(cells: Reconciled) -> None:
    transfer = await cells.complete(await cells.abroad())
    await cells.at_home()
    worker, stop = Reconciler(cells.running(cells.eu), every_s=0.05), asyncio.Event()
    working = asyncio.create_task(worker.run(stop))

    def gauge(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"cell": "eu-1", **labels})

    try:
        await until(lambda: gauge("kovra_invariant_findings", invariant="L5") == 0, timeout_s=20)
        await until(lambda: gauge("kovra_payments_in_flight", state="in_region PENDING_RAIL") == 1, timeout_s=20)
        await cells.tamper(cells.eu, "update transfers set fee = fee + 1 where transfer_id = $1", transfer.transfer_id)
        await until(lambda: bool(gauge("kovra_invariant_findings", invariant="L5")), timeout_s=20)
        assert "L5" in worker.health()["violated"]
        assert gauge("kovra_invariant_findings", invariant="L6") == 0
    finally:
        stop.set()
        await working


async def test_a_cell_that_cannot_be_read_is_told_and_does_not_stop_the_worker(cells: Reconciled) -> None:
    spec = cells.running(cells.eu)
    nowhere = spec.settings.model_copy(
        update={"postgres": spec.settings.postgres.model_copy(update={"writer": "postgresql://kovra@127.0.0.1:1/none"})}
    )
    worker, stop = Reconciler(CellSpec(spec.home, spec.entry, spec.directory, nowhere), every_s=0.01), asyncio.Event()
    working = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.health()["last_failure_to_read"] == "store-unavailable", timeout_s=20)
    stop.set()
    await working
