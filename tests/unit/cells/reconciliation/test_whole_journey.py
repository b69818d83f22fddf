"""The border's two logs of one payment, side by side: what is the same, under way, refused or different."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cells.customs.chain import Crossing, CustomsEntry
from cells.reconciliation.whole_journey import Border, Journey, borders, stays

SENT = Crossing(
    direction="exported", from_cell="eu-1", to_cell="id-1", kind="instructed", sequence=7, transfer_id="tr_eu1_1", envelope_sha256=b"\1" * 32,
    allow_list=3, crossed_fields=("payer.name",), reason="", at=datetime(2026, 11, 29, tzinfo=UTC),
)  # fmt: skip


def log(*crossings: Crossing) -> tuple[dict[str, object], ...]:
    return tuple(
        CustomsEntry(place, one, b"\0" * 32, b"\2" * 32).to_json() for place, one in enumerate(crossings, start=1)
    )


def admitted(**changes: Any) -> Crossing:
    return replace(SENT, direction="admitted", **changes)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ((admitted(),), (1, 0, 0, ())),
        ((), (1, 1, 0, ())),
        ((replace(SENT, direction="refused", reason="stale"),), (1, 0, 1, ())),
        ((admitted(envelope_sha256=b"\3" * 32),), (1, 0, 0, ("7 other-bytes",))),
        ((admitted(crossed_fields=()),), (1, 0, 0, ("7 other-bytes",))),
        ((admitted(sequence=9),), (1, 0, 0, ("7 not-admitted", "9 not-exported"))),
    ],
    ids=["same", "in flight", "refused", "other envelope", "other fields", "other sequence"],
)
def test_what_left_is_compared_with_what_the_other_log_has(
    theirs: tuple[Crossing, ...], expected: tuple[object, ...]
) -> None:
    crossings = {"eu-1": log(SENT)} | ({"id-1": log(*theirs)} if theirs else {})
    assert borders(crossings) == [Border("eu-1", "id-1", *expected)]


def test_an_entry_that_is_missing_where_it_left_is_named() -> None:
    assert borders({"id-1": log(admitted())}) == [Border("eu-1", "id-1", 0, 0, 0, ("7 not-exported",))]


def test_nothing_is_said_of_a_cell_that_did_not_answer() -> None:
    assert borders({"id-1": log(admitted())}, {"eu-1": "store-unavailable"}) == []


def test_a_payment_without_a_leg_has_no_path() -> None:
    assert stays("tr_eu1_06gvn33gkhpl79p3v9kuo71k58", []) == []
    assert Journey("tr_eu1_06gvn33gkhpl79p3v9kuo71k58").as_json()["at_rest"] is False
