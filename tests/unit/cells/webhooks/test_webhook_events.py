"""Event types, the closed set of what events say, the published schedule."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cells.payments.machine import TABLE, Effect, Leg, State
from cells.payments.notices import event_type_of, of_transfer
from cells.payments.transfer import Transfer
from cells.webhooks.catalogue import CATALOGUE, EVENT_TYPES, example
from cells.webhooks.events import DATA_FIELDS, NewEvent
from cells.webhooks.schedule import Schedule, published_schedule
from cells.webhooks.store import ATTEMPTS_KEPT, FIRST_KEPT
from tests.support.emitted import faults

_TRANSFER = Transfer(
    transfer_id="tr_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0", tenant_id="ten", leg=Leg.ORIGIN, state=State.COMPLETED, version=2,
    wallet_id="wal", origin_cell="eu-1", destination_cell="id-1", quote_id="qt", recipient_id="rcp", payer_id=None,
    source_currency="EUR", target_currency="IDR", principal=0, margin=0, fee=0, target_amount=100, recipient_fee=0,
    rail="bi_fast", screening="clear",
)  # fmt: skip
AT = datetime(2026, 11, 20, 12, 0, 0, 5_000, UTC)


def test_every_state_that_a_partner_is_told_of_has_its_event_type() -> None:
    told = {advance.state for advance in TABLE.values() if Effect.NOTIFY in advance.effects}
    assert {event_type_of(state) for state in told} <= EVENT_TYPES


def test_the_examples_say_what_the_events_say_and_nothing_unclassified() -> None:
    assert all(set(kind.example) <= set(DATA_FIELDS) for kind in CATALOGUE.values())
    transfers = {name: kind.example for name, kind in CATALOGUE.items() if name.startswith("transfer.")}
    for name, shown in transfers.items():
        said = set(of_transfer(_TRANSFER, None).data) | ({"returned"} if name.endswith("returned") else set())
        assert set(shown) == said, name


def test_an_event_says_the_rail_that_paid() -> None:
    """The destination chose another rail than was expected at acceptance."""
    paid = replace(_TRANSFER, answer={"event": "SETTLED", "rail": "bi_rtgs"})
    assert of_transfer(_TRANSFER, None).data["rail"] == "bi_fast"
    assert of_transfer(paid, None).data["rail"] == "bi_rtgs"


def test_every_example_is_an_event_of_its_kind() -> None:
    for name in CATALOGUE:
        assert list(faults(name, json.dumps(example(name)))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rail": None}, "rail is None"),
        ({"state": "LOST"}, "state is LOST"),
        ({"fee": 150}, "fee is no amount"),
        ({"fee": {"value": "1,50", "currency": "EUR"}}, "fee is no amount"),
        ({"wallet_id": "tr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io"}, "wallet_id is tr_"),
        ({"returned": None}, "returned is told"),
    ],
)
def test_an_event_that_differs_from_the_catalogue_is_seen(change: dict, fault: str) -> None:
    event = example("transfer.completed")
    data = {**CATALOGUE["transfer.completed"].example, **change}
    assert any(fault in one for one in faults("transfer.completed", json.dumps({**event, "data": data})))


def test_the_first_delivery_fits_the_log_whole() -> None:
    assert len(published_schedule().delays_s) + 1 <= FIRST_KEPT < ATTEMPTS_KEPT


def test_an_event_says_only_what_is_classified() -> None:
    with pytest.raises(ValueError, match="payer_name"):
        NewEvent.of("eu-1", "ten_eu1_x", "transfer.completed", "tr_eu1_x", {"payer_name": "Ayu"}, AT)
    with pytest.raises(ValueError, match="no event type"):
        NewEvent.of("eu-1", "ten_eu1_x", "transfer.exploded", "tr_eu1_x", {}, AT)


def test_the_body_names_the_event_and_is_written_the_same_each_time() -> None:
    event = NewEvent.of("eu-1", "ten_eu1_x", "transfer.completed", "tr_eu1_x", {"state": "COMPLETED"}, AT)
    assert event.body == event.body
    assert json.loads(event.body) == {
        "id": event.event_id,
        "type": "transfer.completed",
        "timestamp": "2026-11-20T12:00:00.005000Z",
        "data": {"state": "COMPLETED"},
    }


def test_delays_stay_within_their_jitter_and_end() -> None:
    schedule = Schedule(delays_s=(10, 100), jitter=0.2, connect_s=1, total_s=1, patience_s=1)
    assert [schedule.delay_s(1, chance) for chance in (0, 0.5, 1)] == pytest.approx([8, 10, 12])
    assert schedule.delay_s(2, 0.5) == pytest.approx(100)
    assert schedule.delay_s(3, 0.5) is None


def test_the_published_schedule_grows_and_spans_days() -> None:
    delays_s = published_schedule().delays_s
    assert list(delays_s) == sorted(delays_s)
    assert sum(delays_s) > 2 * 86_400
