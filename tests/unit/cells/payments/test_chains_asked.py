"""What a leg has asked the ledger for follows from its stream: exactly the chains that its steps owed, each with what was answered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells.journal.entry import Entry, component
from cells.journal.life import Birth, Change
from cells.ledger.entry import PostingResult
from cells.ledger.postings import Chain
from cells.payments.asked import ANSWERS, asks, chains_asked
from cells.payments.lives import chain_of
from cells.payments.machine import INITIAL, TABLE, Effect, Event, Leg, State, owed
from cells.payments.step import plan
from cells.payments.stream import ACCEPTED, ADMITTED, LEDGER_RESULT, TRANSFER
from cells.payments.transfer import Told, Transfer
from tests.unit.cells.payments.test_lives import NUMBERS, W, transfer
from tests.unit.cells.payments.test_stream import AT, written

Walk = tuple[list[Entry], list[Chain], Transfer]


def begun(leg: Leg, batch_id: str | None = None) -> Walk:
    first = transfer(leg, state=INITIAL[leg], batch_id=batch_id, attempt=1, created_at=AT, updated_at=AT)
    entry = written(TRANSFER.birth(Birth(first, ADMITTED if leg is Leg.DESTINATION else ACCEPTED, component("wallet"))))
    chains = [] if leg is Leg.DESTINATION else [chain_of(first, Effect.HOLD, W, NUMBERS)]
    return [entry], chains, first


def told(walk: Walk, event: Event) -> Walk:
    """The walk, one event on, with all that follows from it at once."""
    entries, chains, now = walk
    refused = int(PostingResult.EXCEEDS_CREDITS) if event is Event.HOLD_REFUSED else None
    step = plan({now.transfer_id: now}, [Told(now.transfer_id, event, ledger_result=refused)])
    for move in (move for wave in step.waves for move in wave):
        change = Change(
            move.before,
            move.now,
            TRANSFER.kind(str(move.told.event)),
            component("wallet"),
            {} if move.told.ledger_result is None else {LEDGER_RESULT: move.told.ledger_result},
        )
        entries = [*entries, written(TRANSFER.change(change))]
    new = [chain_of(one.transfer, one.effect, W, NUMBERS) for one in step.owed]
    return entries, [*chains, *new], step.now[now.transfer_id]


@pytest.mark.parametrize("batch_id", [None, "bat_eu1_06h2fs33o9qbb1fct6990vpt4c"])
@pytest.mark.parametrize("leg", list(Leg))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_follows_from_a_stream_is_what_its_steps_owed(leg: Leg, batch_id: str | None, data: st.DataObject) -> None:
    walk = begun(leg, None if leg is Leg.DESTINATION else batch_id)
    for _ in range(14):
        now = walk[2]
        possible = sorted(str(event) for (one, state, event) in TABLE if one is leg and state is now.state)
        if not possible:
            break
        walk = told(walk, Event(data.draw(st.sampled_from(possible))))
    entries, chains, now = walk
    asked = chains_asked(entries, W, NUMBERS)
    assert [one.chain for one in asked] == chains
    waits = owed(leg, now.state) is not None
    assert [one.outcome == "planned" for one in asked] == [False] * (len(asked) - waits) + [True] * waits
    assert all((one.outcome == "failed") == (one.result is not None) for one in asked)


def test_only_the_ledgers_answer_leads_out_of_a_state_that_waits_for_it() -> None:
    """So whatever comes next but a mark answers what was asked last; and nothing answers what nobody asked."""
    for leg, state, event in TABLE:
        assert (event in ANSWERS) == (owed(leg, state) is not None), (leg, state, event)
        arrived = TABLE[leg, state, event].state
        assert asks(leg, state, event) == owed(leg, arrived), (leg, state, event)


def test_a_hold_that_the_cap_refused_is_asked_again_under_the_next_attempt() -> None:
    walk = begun(Leg.DESTINATION)
    for event in (Event.TAKEN, Event.HOLD_REFUSED, Event.TAKEN, Event.HELD, Event.RAIL_SETTLED, Event.POSTED):
        walk = told(walk, event)
    asked = chains_asked(walk[0], W, NUMBERS)
    assert [(str(one.action), one.attempt, one.outcome, one.result) for one in asked] == [
        ("hold", 1, "failed", PostingResult.EXCEEDS_CREDITS), ("hold", 2, "applied", None), ("post", 2, "applied", None),
    ]  # fmt: skip


def test_what_is_asked_names_the_rail_that_it_was_asked_with() -> None:
    """Another rail may be to pay until the first was asked: the hold before it names none, and what follows names the new one."""
    entries, chains, now = told(told(begun(Leg.DESTINATION), Event.TAKEN), Event.HELD)
    rerouted = replace(now, rail="bi_rtgs", version=now.version + 1)
    mark = written(TRANSFER.change(Change(now, rerouted, "transfer.rerouted.1", component("rail"))))
    walk = told(([*entries, mark], chains, rerouted), Event.RAIL_SETTLED)
    assert [one.chain for one in chains_asked(walk[0], W, NUMBERS)] == walk[1]
    assert walk[2].state is State.SETTLING
