"""Spans by id alone: joined across cells, the same ones sampled, and none where nobody asked for them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cells.kit import trace
from residency.ids import mint, parse

BEGAN = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)


def stay(transfer_id: str, leg: str, version: int, name: str = "hold") -> trace.Stay:
    ended = BEGAN + timedelta(milliseconds=7)
    return trace.Stay(transfer_id, leg, version, name, BEGAN, ended, {"kovra.state": "FUNDS_HELD"})


def spans_of(share: float = 1.0) -> tuple[trace.Spans, InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    return trace.Spans(SimpleSpanProcessor(kept), {"service.name": "test"}, share), kept


def test_two_cells_that_never_spoke_write_one_trace() -> None:
    transfer_id = mint("tr", "eu-1")
    origin, of_origin = spans_of()
    destination, of_destination = spans_of()
    origin.write([stay(transfer_id, "origin", 2), stay(transfer_id, "origin", 0, "origin")])
    destination.write([stay(transfer_id, "destination", 3, "rail"), stay(transfer_id, "destination", 0, "destination")])
    held, whole = of_origin.get_finished_spans()
    rail, there = of_destination.get_finished_spans()
    assert {one.context.trace_id for one in (held, whole, rail, there)} == {parse(transfer_id).number}
    assert whole.parent is None
    assert held.parent.span_id == whole.context.span_id
    assert rail.parent.span_id == there.context.span_id
    assert there.parent.span_id == whole.context.span_id
    assert len({one.context.span_id for one in (held, whole, rail, there)}) == 4
    assert held.end_time - held.start_time == 7_000_000
    assert dict(held.attributes or {}) == {
        "kovra.transfer_id": transfer_id, "kovra.leg": "origin", "kovra.state": "FUNDS_HELD",
    }  # fmt: skip


def test_the_same_step_is_the_same_span_however_often_it_is_told() -> None:
    transfer_id = mint("tr", "id-1")
    spans, kept = spans_of()
    spans.write([stay(transfer_id, "in_region", 2)])
    spans.write([stay(transfer_id, "in_region", 2)])
    assert len({one.context.span_id for one in kept.get_finished_spans()}) == 1


def test_a_share_is_the_same_payments_in_every_cell() -> None:
    payments = [parse(mint("tr", "eu-1")).number for _ in range(4000)]
    here, there = spans_of(0.25)[0], spans_of(0.25)[0]
    chosen = [one for one in payments if here.chosen(one)]
    assert chosen == [one for one in payments if there.chosen(one)]
    assert 800 < len(chosen) < 1200
    assert not any(spans_of(0.0)[0].chosen(one) for one in payments)
    assert all(spans_of(1.0)[0].chosen(one) for one in payments)


def test_without_an_endpoint_nothing_is_made_and_nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trace.ENDPOINT_VARIABLE, raising=False)
    trace.configure("test", "eu-1")
    assert trace.current() is None
    program = (
        "import sys; from cells.kit import trace; trace.configure('test'); "
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_with_an_endpoint_the_process_writes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trace.ENDPOINT_VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setenv(trace.SHARE_VARIABLE, "0")
    try:
        trace.configure("test", "eu-1")
        spans = trace.current()
        assert spans is not None
        assert not spans.chosen(1)
    finally:
        trace.use(None)
