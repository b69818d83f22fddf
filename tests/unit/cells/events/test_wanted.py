"""Which endpoint is sent which entry: one entry that nobody can make sense of holds up no other."""

import logging
from datetime import UTC, datetime

import pytest

from cells.events.fan_out import wanted
from cells.journal.entry import Entry
from cells.webhooks.store import Listener
from residency.ids import mint

AT = datetime(2026, 11, 29, tzinfo=UTC)


def entry(stream: str) -> Entry:
    facts = {"state": "FUNDS_HELD"}
    return Entry(stream, 2, "transfer.held.1", "ten_1", "component:wallet", "", AT, 7, facts)


def test_an_entry_without_sense_is_named_and_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    entries = [entry(mint("tr", "eu-1")), entry("tr_eu1_nothing"), entry(mint("tr", "eu-1"))]
    with caplog.at_level(logging.CRITICAL, "kovra.events"):
        found = wanted(entries, [Listener("whe_1", "ten_1", (), 0)])
    assert [one.stream for one in found] == [entries[0].stream, entries[2].stream]
    assert [entries[1].stream in one.message for one in caplog.records] == [True]
