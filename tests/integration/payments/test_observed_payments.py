"""What an operator sees of real payments: each room's time, spans of both cells that join, and what stands open."""

from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from actors.workers.gauges import GaugeWorker
from cells.kit import trace
from cells.payments import watch
from cells.payments.machine import Event
from residency.ids import parse
from tests.support.reconciled_cells import Reconciled, open_reconciled


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    trace.use(trace.Spans(SimpleSpanProcessor(kept), {"service.name": "test"}))
    yield kept
    trace.use(None)


def test_every_event_has_a_room() -> None:
    assert set(watch.ROOM_OF) == set(Event)


async def test_a_payment_is_seen_in_every_room_of_both_cells(cells: Reconciled, spans: InMemorySpanExporter) -> None:
    rooms = {
        ("eu-1", "origin"): ("accept", "hold", "export", "receipt", "answer", "take", "settle"),
        ("id-1", "destination"): ("admit", "take", "hold", "rail", "settle", "export"),
    }
    seen = [(*place, room) for place, names in rooms.items() for room in names]
    before = {one: watch.STAYS.count(*one) for one in seen}
    lives = watch.LIVES.count("eu-1", "origin", "COMPLETED")
    transfer = await cells.complete(await cells.abroad())
    assert transfer.state == "COMPLETED"
    assert {one: watch.STAYS.count(*one) - before[one] for one in seen} == dict.fromkeys(seen, 1)
    assert watch.LIVES.count("eu-1", "origin", "COMPLETED") == lives + 1
    written = spans.get_finished_spans()
    assert {one.context.trace_id for one in written} == {parse(transfer.transfer_id).number}
    ids = {one.context.span_id for one in written}
    assert len(ids) == len(written), "each span has an id of its own"
    [root] = [one for one in written if one.parent is None]
    assert root.name == "origin"
    assert all(one.parent.span_id in ids for one in written if one.parent is not None), "every parent was written"
    assert {one.attributes["kovra.cell"] for one in written} == {"eu-1", "id-1"}
    allowed = {"transfer_id", "leg", "cell", "event", "state", "version", "rail"}
    assert {name for one in written for name in one.attributes} == {f"kovra.{name}" for name in allowed}


async def test_a_refusal_shows_as_a_failed_span(cells: Reconciled, spans: InMemorySpanExporter) -> None:
    await cells.refund(await cells.abroad())
    failed = {one.attributes["kovra.event"] for one in spans.get_finished_spans() if not one.status.is_unset}
    assert failed == {"rail_refused", "rail_rejected"}


async def test_what_stands_open_is_shown_and_goes_back_to_nothing(cells: Reconciled) -> None:
    worker = GaugeWorker(cells.eu.institution)

    def gauge(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"cell": "eu-1", **labels})

    transfer = await cells.abroad()
    await worker.round()
    assert gauge("kovra_legs_moving", leg="origin", state="FUNDS_HELD") == 1
    envelopes = await cells.eu.export()
    await worker.round()
    assert gauge("kovra_outbox_unreceipted_envelopes", peer="id-1") == 1
    assert gauge("kovra_outbox_unpublished_envelopes", peer="id-1") == 0
    assert (gauge("kovra_outbox_oldest_seconds", peer="id-1") or 0) > 0
    await cells.id.admit(envelopes)
    for receipt in await cells.id.receipts():
        await cells.eu.take_receipt(receipt)
    await cells.complete(transfer)
    await worker.round()
    assert gauge("kovra_legs_moving", leg="origin", state="FUNDS_HELD") == 0
    assert gauge("kovra_outbox_unreceipted_envelopes", peer="id-1") == 0
    assert gauge("kovra_outbox_oldest_seconds", peer="id-1") == 0
    assert gauge("kovra_outbox_unreceipted_envelopes", peer="uk-1") == 0
    assert worker.health()["rounds"] == 3
