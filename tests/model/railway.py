"""The rail actor of a cell, move by move, and the scheme beyond it: as actors/rail.py and cells/rails/store.py have them.

    mark     queued → asked, committed before the scheme is asked    (RailActor._submit)
    send     the scheme is asked, once                               (RailActor._send)
    record   what it said, or that it said nothing                   (RailActor._record)
    push     the wallet is told; it has acknowledged when its journal shows the event (RailActor._push)
    inquire  what became of it; after the finality time, a payment never seen is refused (RailActor._inquire, outcome_after)

The scheme pays at most once under one end-to-end id, answers inquiries with the truth, and lets nothing in after its finality time.
"""

from dataclasses import replace
from datetime import timedelta

from cells.payments.machine import Early, Repeat, decide
from cells.payments.submissions import command_of
from cells.payments.transfer import Transfer
from cells.rails import registry
from cells.rails.rail import InDoubt, Outcome, Refused, Settled, outcome_after
from tests.model.record import CellState, Memo, State, Submission, Word, drop, put
from tests.model.scenario import AT, Scenario
from tests.model.wallet import into_mailbox

_DOUBT = "doubt"


class Railway:
    """The rules of the rails and their schemes. Holds nothing; a bug is planted by overriding a method."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def mark(self, cell: CellState, transfer_id: str) -> CellState:
        """On record as asked; then in hand. One whose recipient is gone is refused without asking."""
        cell = _record(cell, transfer_id, _of(cell, transfer_id)._replace(state="asked"))
        answer = "refused" if self.scenario.payment(transfer_id).gone else "sending"
        return replace(cell, desk=put(cell.desk, transfer_id, answer))

    def unseen(self, cell: CellState, transfer_id: str) -> CellState:
        """RailUnavailable: the scheme has not seen it, so it is queued again."""
        submission = _of(cell, transfer_id)
        if submission.doubtful:
            return replace(cell, desk=drop(cell.desk, transfer_id))
        return replace(
            _record(cell, transfer_id, submission._replace(state="queued")), desk=drop(cell.desk, transfer_id)
        )

    def answered(self, cell: CellState, transfer_id: str, answer: str) -> CellState:
        """In hand: the scheme's answer, or `doubt`."""
        return replace(cell, desk=put(cell.desk, transfer_id, answer))

    def record(self, cell: CellState, transfer_id: str) -> CellState:
        """The answer is on record; a final one stays. The first doubt is told to the wallet at once."""
        answer, submission = dict(cell.desk)[transfer_id], _of(cell, transfer_id)
        cell = replace(cell, desk=drop(cell.desk, transfer_id))
        if submission.state != "asked":
            return cell
        if answer != _DOUBT:
            return _record(cell, transfer_id, submission._replace(state="answered", outcome=answer))
        cell = _record(cell, transfer_id, submission._replace(doubtful=True))
        command = command_of(_transfer(cell, transfer_id), InDoubt(AT))
        return cell if submission.doubtful else into_mailbox(cell, Word(command.name, transfer_id))

    def push(self, cell: CellState, transfer_id: str) -> CellState:
        """The wallet is told of a final answer."""
        told = command_of(_transfer(cell, transfer_id), _outcome(_of(cell, transfer_id).outcome)).body
        return into_mailbox(cell, Word("tell", transfer_id, str(told.event), Memo(told.facts)))

    def taken(self, cell: CellState, transfer_id: str) -> bool:
        """Whether the wallet's journal shows that it has taken the answer."""
        transfer = _transfer(cell, transfer_id)
        told = command_of(transfer, _outcome(_of(cell, transfer_id).outcome)).body
        return isinstance(decide(transfer.leg, transfer.state, told.event), Repeat)

    def early(self, cell: CellState, transfer_id: str) -> bool:
        """Whether the wallet would only say that the answer is to come again: the actor's pause, here, is not to ask."""
        transfer = _transfer(cell, transfer_id)
        told = command_of(transfer, _outcome(_of(cell, transfer_id).outcome)).body
        return isinstance(decide(transfer.leg, transfer.state, told.event), Early)

    def contradict(self, cell: CellState, transfer_id: str) -> CellState:
        """A late word, the opposite of the first: on record before the scheme is answered; the sweep tells the wallet, in its time."""
        return _record(cell, transfer_id, _of(cell, transfer_id)._replace(contradicted=True))

    def tell_late(self, cell: CellState, transfer_id: str) -> CellState:
        told = command_of(_transfer(cell, transfer_id), Settled("late", AT)).body
        return into_mailbox(cell, Word("tell", transfer_id, str(told.event), Memo(told.facts)))

    def acknowledge(self, cell: CellState, transfer_id: str) -> CellState:
        return _record(cell, transfer_id, _of(cell, transfer_id)._replace(state="acknowledged"))

    def inquire(self, state: State, cell: CellState, transfer_id: str) -> CellState:
        """Ask what became of a payment, its finality time being over: the product judges what "not found" means by then."""
        found = dict(state.scheme).get(end_to_end(cell, transfer_id))
        outcome: Outcome = _outcome(found) if found else InDoubt(AT, "not_found")
        profile = registry.profile_of(_transfer(cell, transfer_id).rail)
        final = outcome_after(profile, outcome, AT, AT + timedelta(seconds=profile.finality_time_s))
        return self.answered(cell, transfer_id, "paid" if isinstance(final, Settled) else "refused")


def end_to_end(cell: CellState, transfer_id: str) -> str:
    """The id under which the scheme knows the payment: one for ever, unless a bug asks under another."""
    return f"{transfer_id}/{_of(cell, transfer_id).asks}"


def at_scheme(state: State, number: str, verdict: str) -> State:
    """The scheme sees a payment, and says `verdict`; of an id that it knows it says what it said."""
    return state if number in dict(state.scheme) else state._replace(scheme=put(state.scheme, number, verdict))


def paid_times(state: State, transfer_id: str) -> int:
    """How often the scheme has paid this payment."""
    return sum(1 for number, verdict in state.scheme if verdict == "paid" and number.partition("/")[0] == transfer_id)


def _of(cell: CellState, transfer_id: str) -> Submission:
    found = cell.submission(transfer_id)
    assert found is not None
    return found


def _transfer(cell: CellState, transfer_id: str) -> Transfer:
    found = cell.transfer(transfer_id)
    assert found is not None
    return found


def _record(cell: CellState, transfer_id: str, submission: Submission) -> CellState:
    return replace(cell, record=put(cell.record, transfer_id, submission))


def _outcome(verdict: str) -> Settled | Refused:
    return Settled("reference", AT) if verdict == "paid" else Refused("AC04", "The scheme refused it.", AT)
