"""What a leg's entries say and make: whole at birth, exactly what changed after it, and nothing that is no life."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from cells.journal.entry import Draft, Entry, component
from cells.journal.kinds import BIRTHS, KINDS
from cells.journal.kinds_transfer import SHOWN, STEPS, TransferBorn, TransferMoved
from cells.journal.life import Birth, Change, Unfoldable
from cells.payments.machine import Advance, Event, Leg, State, decide
from cells.payments.step import after
from cells.payments.stream import (
    ACCEPTED,
    ANSWERED,
    DOUBTED,
    LEDGER_RESULT,
    REROUTED,
    REVIEW_MOVED,
    TRANSFER,
    states,
)
from cells.payments.transfer import Told, Transfer

AT = datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC)
ID = "tr_eu1_06h2fs33o9qbb1fct6990vpt4c"
LEG = Transfer(
    transfer_id=ID, tenant_id="ten_eu1_06h2fs33o9qbb1fct6990vpt4c", leg=Leg.ORIGIN, state=State.CREATED, version=1,
    wallet_id="wal_eu1_a", origin_cell="eu-1", destination_cell="id-1", quote_id="qt_eu1_a", recipient_id="rcp_id1_a.IDR.-_x",
    payer_id=None, source_currency="EUR", target_currency="IDR", principal=9_700, margin=100, fee=200, target_amount=2**62,
    recipient_fee=0, rail="bi_fast", screening="review", review_reasons=("large_amount",), review_until=AT + timedelta(hours=24),
    metadata={"order": "Astrid Lindqvist's"}, deadline=AT, created_at=AT, updated_at=AT,
)  # fmt: skip
# A value of each field that may change, other than LEG's.
CHANGED: dict[str, Any] = {
    "state": State.FUNDS_HELD, "attempt": 2, "in_doubt": True, "export_due": "instructed", "instruction_sha256": bytes(range(32)),
    "answer": {"event": "settled", "rail": "bi_rtgs", "scheme_reference": None, "at": AT.isoformat()}, "reason_code": "A/é 1",
    "scheme_reference": "Réf. 12\n3/4", "released": True, "screening": None, "review_reasons": (), "review_until": None, "rail": "bi_rtgs",
    "returned": 72_493_800, "credited": 4_000,
}  # fmt: skip


def written(draft: Draft, at: datetime = AT) -> Entry:
    return Entry(
        draft.stream, draft.version, draft.kind, draft.tenant_id, draft.author.actor, draft.author.request_id, at, 7, draft.facts
    )  # fmt: skip


def born(leg: Transfer = LEG) -> Entry:
    return written(TRANSFER.birth(Birth(leg, ACCEPTED, component("wallet"))))


def test_the_first_entry_is_all_of_it_but_the_partners_own_words() -> None:
    entry = born()
    assert TRANSFER.fold([entry]) == replace(LEG, metadata={})
    assert "Astrid" not in str(entry)
    assert "payer_id" not in entry.facts, "what is null is left out"
    told = {"transfer_id", "tenant_id", "version", "metadata", "created_at", "updated_at"}
    assert {one.name for one in fields(Transfer)} == {*TRANSFER.recorded, *told}, "every field is in some entry"


@pytest.mark.parametrize("name", CHANGED)
def test_a_step_says_the_state_and_exactly_what_changed(name: str) -> None:
    now = replace(LEG, version=2, updated_at=AT + timedelta(seconds=1), metadata={}, **{name: CHANGED[name]})
    kind = {"answer": ANSWERED, "in_doubt": DOUBTED, "rail": REROUTED}.get(name, TRANSFER.kind("held"))
    entry = written(TRANSFER.change(Change(LEG, now, kind, component("wallet"))), AT + timedelta(seconds=1))
    assert set(entry.facts) == ({"state", name} if kind == TRANSFER.kind("held") else {name})
    assert TRANSFER.fold([born(), entry]) == now
    assert CHANGED.keys() == set(TRANSFER.changing), "each of them is tried here"


def test_every_transition_of_the_table_is_what_its_entry_makes_of_the_leg() -> None:
    told = {
        "reason_code": "AM04",
        "scheme_reference": "R-1",
        "review_reasons": ("listed",),
        "review_until": AT,
        "screening": "block",
    }
    taken = 0
    for leg, state, event in product(Leg, State, Event):
        before = replace(LEG, leg=leg, state=state, metadata={}, in_doubt=True, export_due="settled")
        if isinstance(decision := decide(leg, state, event), Advance):
            now = replace(after(before, Told(ID, event, told), decision), updated_at=AT)
            first = replace(born(), facts={**born().facts, "leg": str(leg), "state": str(state)})
            marked = replace(
                first,
                version=2,
                kind=TRANSFER.kind("held"),
                facts={"state": str(state), "in_doubt": True, "export_due": "settled"},
            )
            entry = written(
                TRANSFER.change(Change(replace(before, version=2), now, TRANSFER.kind(str(event)), component("test")))
            )
            assert TRANSFER.fold([first, marked, entry]) == replace(now, version=3), (leg, state, event)
            taken += 1
    assert taken > len(Event)


def test_a_leg_is_what_it_was_at_each_entry() -> None:
    held = TRANSFER.change(
        Change(LEG, replace(LEG, state=State.FUNDS_HELD), TRANSFER.kind("held"), component("wallet"))
    )
    doubted = TRANSFER.change(Change(replace(LEG, version=2), replace(LEG, in_doubt=True), DOUBTED, component("rail")))
    entries = [born(), written(held), written(doubted)]
    assert [one.version for one in TRANSFER.history(entries)] == [1, 2, 3]
    assert [one.state for one in TRANSFER.history(entries)] == list(states(entries)) == [
        State.CREATED, State.FUNDS_HELD, State.FUNDS_HELD,
    ]  # fmt: skip


def test_what_is_no_life_is_named_by_the_version_that_does_not_follow() -> None:
    held = written(
        TRANSFER.change(Change(LEG, replace(LEG, state=State.FUNDS_HELD), TRANSFER.kind("held"), component("wallet")))
    )
    for entries, version in (
        ([], 1),
        ([held], 1),
        ([replace(held, version=1)], 1),
        ([born(), replace(held, version=3)], 2),
        ([born(), replace(born(), version=2)], 2),
        ([born(), held, replace(held, version=2)], 3),
        ([born(), replace(held, kind="transfer.held.2")], 2),
        ([born(), replace(held, facts={"state": "FUNDS_HELD", "payer_name": "x"})], 2),
    ):
        with pytest.raises(Unfoldable) as refusal:
            TRANSFER.fold(entries)
        assert refusal.value.version == version, entries


def test_a_fact_that_is_unfit_is_refused_and_not_quoted() -> None:
    entry = replace(born(), facts={**born().facts, "wallet_id": "Astrid Lindqvist"})
    with pytest.raises(Unfoldable, match="wallet_id") as refusal:
        TRANSFER.fold([entry])
    assert "Astrid" not in str(refusal.value)


def test_every_event_of_the_lifecycle_has_its_kind_and_every_kind_is_written() -> None:
    assert sorted(STEPS) == sorted(str(one) for one in Event)
    marks = {ANSWERED, DOUBTED, REROUTED, REVIEW_MOVED}
    kinds = {one for one in KINDS if one.startswith("transfer.")}
    assert kinds == {one for one in BIRTHS if one in kinds} | {TRANSFER.kind(str(one)) for one in Event} | marks
    assert kinds - marks == SHOWN
    assert set(TransferBorn.model_fields) <= set(TRANSFER.recorded)
    assert set(TransferMoved.model_fields) == set(TRANSFER.changing) - {"answer", "rail"} | {LEDGER_RESULT}
