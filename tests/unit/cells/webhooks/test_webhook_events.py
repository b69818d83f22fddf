"""Events: each follows from its entry and what its stream holds before it, is of its catalogue entry's model, and has the same bytes whenever
it is made; and the published schedule."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from cells.events.render import event_type_of, shown
from cells.journal.entry import Entry
from cells.payments import events as payments
from cells.payments.machine import TABLE, Effect, Leg
from cells.payments.stream import TRANSFER
from cells.webhooks.catalogue import CATALOGUE, EVENT_TYPES, example
from cells.webhooks.event import event_id_at, event_id_of, event_of, instants_of
from cells.webhooks.schedule import Schedule, published_schedule
from cells.webhooks.store import ATTEMPTS_KEPT, FIRST_KEPT
from residency.ids import parse
from tests.support.emitted import faults

STREAM = "tr_eu1_06a1b2c3d4e5f6g7h8i9j0a0a0"
AT = datetime(2026, 11, 20, 12, 0, 0, 5_000, UTC)
BORN = {
    "leg": "origin", "state": "CREATED", "wallet_id": "wal_eu1_06l2r0k8q5o7t3v1a9c4e6g8io", "origin_cell": "eu-1", "destination_cell": "id-1",
    "quote_id": "qt_eu1_06l2r0k8q5o7t3v1a9c4e6g8io", "recipient_id": "rcp_id1_06l2r0k8q5o7t3v1a9c4e6g8io.IDR.AbC", "source_currency": "EUR",
    "target_currency": "IDR", "principal": 9_940, "margin": 60, "fee": 150, "target_amount": 181_234_500, "recipient_fee": 0,
    "rail": "bi_fast", "screening": "clear", "review_reasons": [],
}  # fmt: skip
WORDS = {"order": "10021"}


def stream(*later: tuple[str, dict], tenant_id: str = "ten_eu1_x") -> list[Entry]:
    """A payment's entries: its birth and what comes later, a second apart."""
    entries = [("accepted", BORN), *later]
    return [
        Entry(STREAM, place, f"transfer.{kind}.1", tenant_id, "component:wallet", "", AT + timedelta(seconds=place), 100 + place, facts)
        for place, (kind, facts) in enumerate(entries, 1)
    ]  # fmt: skip


# Across a border, paid by another rail than was expected, and then come back in two parts.
LIFE = stream(
    ("held", {"state": "FUNDS_HELD", "export_due": "instructed"}),
    ("instruct", {"state": "INSTRUCTED", "export_due": None}),
    ("receipted", {"state": "PENDING_RAIL"}),
    ("answered", {"answer": {"event": "settled", "at": "2026-11-20T12:00:05Z", "rail": "bi_rtgs"}}),
    ("settled", {"state": "SETTLING", "scheme_reference": "20261121CENAIDJA0101"}),
    ("posted", {"state": "COMPLETED"}),
    (
        "partially_returned",
        {"state": "PARTIALLY_RETURNED", "reason_code": "AC04", "returned": 72_493_800, "credited": 4_000},
    ),
    ("returned", {"state": "RETURNED", "reason_code": "AC04", "returned": 181_234_500, "credited": 10_000}),
)


def bodies(entries: Sequence[Entry]) -> list[str]:
    return [one.body for one in payments.events_of(entries, WORDS)]


def test_every_step_that_notifies_is_an_event_of_the_catalogue_and_no_other_is() -> None:
    for (leg, _, step), advance in TABLE.items():
        tenant_id = "cell:eu-1" if leg is Leg.DESTINATION else "ten_eu1_x"
        _, entry = stream((str(step), {"state": str(advance.state)}), tenant_id=tenant_id)
        found = event_type_of(entry)
        assert (found is not None) == (Effect.NOTIFY in advance.effects and leg is not Leg.DESTINATION), (leg, step)
        assert found is None or found in EVENT_TYPES


def test_an_event_shows_its_payment_as_it_was_then() -> None:
    told = [json.loads(one) for one in bodies(LIFE)]
    assert [one["type"].partition(".")[2] for one in told] == [
        "funds_held", "instructed", "completed", "partially_returned", "returned",
    ]  # fmt: skip
    assert [one["data"]["status"] for one in told] == [one["type"].partition(".")[2].upper() for one in told]
    assert [one["data"]["rail"] for one in told] == ["bi_fast", "bi_fast", "bi_rtgs", "bi_rtgs", "bi_rtgs"]
    assert [one["data"]["scheme_reference"] for one in told[1:3]] == [None, "20261121CENAIDJA0101"]
    assert [one["data"]["returned"] and one["data"]["returned"]["credited"]["value"] for one in told] == [
        None, None, None, "40.00", "100.00",
    ]  # fmt: skip
    assert {one["data"]["metadata"]["order"] for one in told} == {"10021"}
    assert [fault for one in told for fault in faults(one["type"], json.dumps(one))] == []


def _same_at_every_attempt() -> None:
    whole = bodies(LIFE)
    for version in range(1, len(LIFE) + 1):
        then = bodies(LIFE[:version])
        assert then == whole[: len(then)]


def test_its_bytes_are_the_same_however_far_the_payment_has_moved_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _same_at_every_attempt()
    # A planted bug: shown as the payment is now.
    late = SimpleNamespace(history=lambda entries: [*TRANSFER.history(entries)][-1:] * len(entries))
    monkeypatch.setattr(payments, "TRANSFER", late)
    with pytest.raises(AssertionError):
        _same_at_every_attempt()


def test_one_of_a_page_has_the_bytes_of_one_alone() -> None:
    told = [one for one in LIFE if event_type_of(one) is not None]
    page = shown(told, {STREAM: LIFE}, {STREAM: WORDS})
    for one in reversed(told):
        [alone] = shown([one], {STREAM: LIFE}, {STREAM: WORDS}).values()
        assert page[event_id_of(one)] == alone
        assert alone.occurred_at == one.at


def test_an_id_follows_from_the_entry_and_leads_back_to_its_millisecond() -> None:
    ids = [event_id_of(one) for one in LIFE]
    assert ids == sorted(set(ids)) == [event_id_of(one) for one in LIFE]
    for one, event_id in zip(LIFE, ids, strict=True):
        assert (parse(event_id, "evt").cell, parse(event_id).uuid.version) == ("eu-1", 7)
        since, until = instants_of(event_id)
        assert since <= one.at < until
        assert event_id_at("eu-1", one.at) <= event_id < event_id_at("eu-1", one.at + timedelta(milliseconds=1))


def test_every_example_is_an_event_of_its_kind() -> None:
    for name in CATALOGUE:
        assert list(faults(name, json.dumps(example(name)))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rail": None}, "rail is None"),
        ({"status": "LOST"}, "status is 'LOST'"),
        ({"status": "REFUNDED"}, "status is REFUNDED"),
        ({"fee": 150}, "fee is 150"),
        ({"fee": {"value": "1,50", "currency": "EUR"}}, "fee.value is '1,50'"),
        ({"fee": {"value": "1.50", "currency": "XTS"}}, "fee is in XTS"),
        ({"in_doubt": "no"}, "in_doubt is written otherwise"),
        ({"source_wallet_id": "tr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io"}, "source_wallet_id is tr_"),
        ({"payer_name": "Ayu"}, "payer_name is told"),
    ],
)
def test_an_event_that_differs_from_the_catalogue_is_seen(change: dict, fault: str) -> None:
    event = example("transfer.completed")
    data = {**CATALOGUE["transfer.completed"].example, **change}
    assert any(fault in one for one in faults("transfer.completed", json.dumps({**event, "data": data})))


def test_an_entry_is_an_event_of_a_type_on_the_list_alone() -> None:
    with pytest.raises(ValueError, match="no event type"):
        event_of(LIFE[1], "transfer.exploded", {})


def test_the_first_delivery_fits_the_log_whole() -> None:
    assert len(published_schedule().delays_s) + 1 <= FIRST_KEPT < ATTEMPTS_KEPT


def test_delays_stay_within_their_jitter_and_end() -> None:
    schedule = Schedule(delays_s=(10, 100), jitter=0.2, connect_s=1, total_s=1, patience_s=1)
    assert [schedule.delay_s(1, chance) for chance in (0, 0.5, 1)] == pytest.approx([8, 10, 12])
    assert schedule.delay_s(2, 0.5) == pytest.approx(100)
    assert schedule.delay_s(3, 0.5) is None


def test_the_published_schedule_grows_and_spans_days() -> None:
    delays_s = published_schedule().delays_s
    assert list(delays_s) == sorted(delays_s)
    assert sum(delays_s) > 2 * 86_400
