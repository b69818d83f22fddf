"""The people outside: partners, compliance officers, operators, and a cell that lies."""

from collections.abc import Iterator
from dataclasses import replace

from cells.payments.machine import Event
from cells.payments.machine import State as Stage
from cells.payments.transfer import Told, Transfer
from tests.model.border import Border
from tests.model.move import Local, Move, done, local, short
from tests.model.record import State, Word
from tests.model.scenario import EU, ID, Scenario, raised_cap
from tests.model.wallet import into_mailbox, is_at_rest

_DECISIONS = {
    Stage.IN_REVIEW: (Event.CLEARED, Event.REVIEW_REFUSED, Event.SANCTIONED),
    Stage.BLOCKED: (Event.RELEASED_TO_PAYER, Event.RELEASED_TO_PAYEE),
}


def people_moves(scenario: Scenario, border: Border, state: State) -> Iterator[Move]:
    """What those outside may do next: each cancels once, an officer decides on each case once, and on what is frozen once more. What an
    officer decides is one commit beside the wallet's actor (cells/payments/reviewing.py), whatever that has under way."""
    cell = state.eu.value
    for name in (EU, ID):
        for key, row in state.cell(name).transfers:
            yield from _officers_moves(border, state, name, key, row)
    for key, _ in cell.transfers:
        if scenario.relists and key not in cell.listed:
            what = f"the payer of {short(key)} is found on a list"
            yield local(EU, what, lambda key=key: replace(cell, listed=(*cell.listed, key)), fair=False)
    for wanted in scenario.payments:
        one = wanted.transfer_id
        word, known = Word("accept", one), any(key == one for key, _ in cell.keys)
        if word not in cell.mailbox and not (known and cell.transfer(one) is None):
            what = f"a partner asks for {short(one)}{' once more' if known else ''}"
            yield local(EU, what, lambda w=word: into_mailbox(cell, w), fair=not known, fault=int(known))
    for key, row in cell.transfers:
        if scenario.cancels and f"cancel {key}" not in state.done and not is_at_rest(row):
            cancelled = Local(EU, lambda key=key: into_mailbox(cell, Word("cancel", key)))
            what = f"{EU}: the partner cancels {short(key)}"
            yield Move(what, lambda s, m=cancelled, key=key: done(m(s), f"cancel {key}"), fair=False)
    if scenario.raised and "raised" not in state.done:
        there = state.id.value
        raised = Local(ID, lambda: replace(there, books=there.books.ask([raised_cap()])[1]))
        yield Move(f"{ID}: an operator raises the cap", lambda s: done(raised(s), "raised"))
    yield from _forgery(scenario, border, state)


def _forgery(scenario: Scenario, border: Border, state: State) -> Iterator[Move]:
    """Another cell says that it has settled the first payment, once that has been instructed."""
    cell = state.eu.value
    row = cell.transfer(scenario.payments[0].transfer_id)
    if scenario.forged and "forged" not in state.done and row and row.instruction_sha256:
        forged = border.forged(row)
        told = Local(EU, lambda: border.admit(cell, EU, forged))
        what = f"{EU}: uk-1 says that it has settled {short(row.transfer_id)}"
        yield Move(what, lambda s: done(told(s), "forged"), fair=False)


def _officers_moves(border: Border, state: State, name: str, key: str, row: Transfer) -> Iterator[Move]:
    cell = state.cell(name)
    for event in _DECISIONS.get(row.state, ()):
        if row.state is Stage.BLOCKED and not border.scenario.releases:
            continue
        once = f"{event} {key}"
        if once in state.done:
            continue
        decided = Local(name, lambda event=event: border.wallet.advance(cell, [Told(key, event)])[0])
        what = f"{name}: officers decide {event} of {short(key)}"
        yield Move(what, lambda s, m=decided, once=once: done(m(s), once), fair=False)
