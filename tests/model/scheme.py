"""What the scheme does of its own accord: send money back, stay silent for too long, say the opposite of what it said."""

from collections.abc import Iterator

from cells.payments.machine import Event
from cells.payments.machine import State as Stage
from cells.payments.transfer import Transfer
from cells.returns.returned import TIMED_OUT
from tests.model.border import with_cell
from tests.model.move import Local, Move, done, local, short
from tests.model.railway import Railway, end_to_end, paid_times
from tests.model.record import CellState, Memo, State, put
from tests.model.returning import Returning
from tests.model.scenario import EU, ID, Scenario
from tests.model.wallet import into_mailbox, pushed


def scheme_moves(scenario: Scenario, railway: Railway, returning: Returning, state: State) -> Iterator[Move]:
    """Returns once each, in any order, and again at a price; the end of a silence; and, once, a word taken back."""
    name, cell, paying = _paying(scenario, state)
    if paying is None:
        return
    if paid_times(state, paying.transfer_id):
        for place, amount in enumerate(scenario.returns):
            sent = f"return {place}" in state.done
            what = (
                f"{name}: the scheme sends {amount} of {short(paying.transfer_id)} back{' once more' if sent else ''}"
            )
            yield Move(
                what, lambda s, p=place: _sent(returning, s, name, p, paying), fair=not sent, fault=int(sent)
            )  # fmt: skip
            if not sent:
                yield Move(
                    f"{what}, and nobody is told",
                    lambda s, p=place: _sent(returning, s, name, p, paying, told=False), fair=False, fault=1,
                )  # fmt: skip
    submission = cell.submission(paying.transfer_id)
    if submission is None:
        return
    silent = submission.state == "asked" and submission.doubtful and paying.state is Stage.PENDING_RAIL
    if scenario.restores and silent and all(one.transfer_id != paying.transfer_id for one in cell.mailbox):
        yield local(
            name, f"the rail's rules have {short(paying.transfer_id)} given back",
            lambda: pushed(cell, paying.transfer_id, Event.RESTORE, Memo(reason_code=TIMED_OUT)), fair=False,
        )  # fmt: skip
    number = end_to_end(cell, paying.transfer_id)
    refused = submission.outcome == "refused" and dict(state.scheme).get(number) == "refused"
    if scenario.takes_back and refused and "taken back" not in state.done:
        word = Local(name, lambda: railway.contradict(cell, paying.transfer_id))
        yield Move(
            f"{name}: the scheme says after all that it has paid {short(paying.transfer_id)}",
            lambda s: done(word(s)._replace(scheme=put(s.scheme, number, "paid")), "taken back"), fair=False,
        )  # fmt: skip


def _paying(scenario: Scenario, state: State) -> tuple[str, CellState, Transfer | None]:
    """The cell that pays the first payment out, and its leg."""
    first = scenario.payments[0].transfer_id
    here = state.eu.value.transfer(first)
    name = EU if here is not None and here.destination_cell == EU else ID
    cell = state.cell(name)
    return name, cell, cell.transfer(first)


def _sent(returning: Returning, state: State, name: str, place: int, paying: Transfer, *, told: bool = True) -> State:
    cell, words = returning.receive(state.cell(name), name, paying, place)
    return done(with_cell(state, name, into_mailbox(cell, *words) if told else cell), f"return {place}")
