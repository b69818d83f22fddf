"""Refused access in entries that nobody can multiply, and that name no address."""

import dataclasses
from datetime import UTC, datetime, timedelta

from cells.audit.refusals import OTHERS, STRANGERS_MAX, Refusals

AT = datetime(2026, 11, 29, 12, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_a_flood_from_one_place_is_two_entries_an_hour() -> None:
    refusals = Refusals()
    entries = []
    for second in range(600):
        for _ in range(100):
            refusals.count(401, AT + timedelta(seconds=second), address="203.0.113.7")
        entries += refusals.due(AT + timedelta(seconds=second))
    entries += refusals.due(AT + HOUR) + refusals.due(AT + 2 * HOUR)
    assert [one.outcome for one in entries] == ["401:100", "401:60000"]
    [first, last] = entries
    assert first.actor == last.actor
    assert (last.resource_id, last.at) == ("2026-11-29T12:10:00Z", AT + timedelta(seconds=599))


def test_callers_statuses_and_hours_are_apart() -> None:
    refusals = Refusals()
    refusals.count(403, AT, key_id="key_a", tenant_id="ten_a")
    refusals.count(429, AT, key_id="key_a", tenant_id="ten_a")
    refusals.count(429, AT, key_id="key_b", tenant_id="ten_b")
    refusals.count(429, AT + HOUR, key_id="key_b", tenant_id="ten_b")
    found = [(one.actor, one.tenant_id, one.outcome) for one in refusals.due(AT + HOUR)]
    assert found == [("key_a", "ten_a", "403:1"), ("key_a", "ten_a", "429:1"), *[("key_b", "ten_b", "429:1")] * 2]
    assert refusals.due(AT + 3 * HOUR) == []


def test_an_attacker_with_many_addresses_is_counted_and_makes_no_more_entries() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.count(401, AT, address=f"10.0.{number // 256}.{number % 256}")
    entries = refusals.due(AT + HOUR)
    assert len(entries) == STRANGERS_MAX + 1
    assert sum(int(one.outcome.partition(":")[2]) for one in entries) == 10_000
    assert OTHERS in {one.actor for one in entries}


def test_no_address_is_on_an_entry_and_a_network_is_one_stranger() -> None:
    refusals = Refusals()
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::1%eth0"):
        refusals.count(401, AT, address=address)
    for address in ("192.0.2.1", "::ffff:192.0.2.1"):
        refusals.count(401, AT, address=address)
    for address in ("", "unix:", "x" * 500, "_hidden", "ü"):
        refusals.count(401, AT, address=address)
    entries = refusals.due(AT + MINUTE)
    assert sorted(one.outcome for one in entries) == sorted(["401:3", "401:2", *["401:1"] * 5])
    assert not any(word in repr(entries) for word in ("192.0", "2001", "hidden", "xxx"))


def test_a_stranger_is_not_followed_from_day_to_day_or_process_to_process() -> None:
    one, other = Refusals(), Refusals()
    for at in (AT, AT + 24 * HOUR):
        for each in (one, other):
            each.count(401, at, address="203.0.113.7")
    assert len({entry.actor for each in (one, other) for entry in each.due(AT + 30 * HOUR)}) == 4


def test_what_could_not_be_recorded_is_due_again_whole() -> None:
    refusals = Refusals()
    for _ in range(3):
        refusals.count(401, AT, address="203.0.113.7")
    lost = refusals.due(AT)
    refusals.again(lost)
    refusals.count(401, AT + MINUTE, address="203.0.113.7")
    [entry] = refusals.due(AT + MINUTE)
    assert (entry.outcome, entry.at) == ("401:4", AT + MINUTE)
    refusals.count(401, AT + MINUTE, address="203.0.113.7")
    lost = refusals.due(AT + 2 * HOUR)
    refusals.again(lost)
    again = refusals.due(AT + 3 * HOUR)
    assert [dataclasses.asdict(one) for one in again] == [dataclasses.asdict(one) for one in lost]
    refusals.count(403, AT, key_id="key_a")
    assert len(refusals.due(AT, ending=True)) == 1
