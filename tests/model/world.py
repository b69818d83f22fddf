"""Everything that can happen next in a world of two cells, and what it leads to. Pure: a World holds its scenario and its rules.

A move is *fair* when a healthy system makes it sooner or later by itself; the first fair move is the one that a patient scheduler
makes. A move that is free but not fair is somebody's choice (a cancel, a scheme's no). A *fault* costs: a crash, a loss, a
repetition, a pause, a silence, a timer that fires early.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from cells.transfers.machine import Event, Leg
from cells.transfers.machine import State as Stage
from cells.transfers.transfer import Transfer
from tests.model.border import Border, with_cell, without
from tests.model.railway import Railway, at_scheme, end_to_end
from tests.model.record import CellState, Memo, Parcel, State, Turn, Word, ref
from tests.model.scenario import EU, ID, Scenario, chain, founded, raised_cap
from tests.model.wallet import Wallet, into_mailbox, is_at_rest, is_ours

_CELLS = (EU, ID)
_ATTEMPTS_MAX = 3
_Made = Callable[[], State]


class Move(NamedTuple):
    """One thing that can happen. `name` says it; `fault` is what it costs."""

    name: str
    make: _Made
    fair: bool = True
    fault: int = 0


class World:
    """The moves of a scenario, by the rules of its rooms."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.wallet = Wallet(scenario)
        self.border = Border(scenario, self.wallet)
        self.railway = Railway(scenario)

    def start(self) -> State:
        eu, indonesia = founded(self.scenario)
        return State(ref(eu), ref(indonesia))

    def moves(self, state: State) -> Iterator[Move]:
        """Every move, those of a patient scheduler first and in its order."""
        for name in _CELLS:
            yield from self._wallet_moves(state, name)
        for name in _CELLS:
            yield from self._rail_moves(state, name)
        for name in _CELLS:
            yield from self._border_moves(state, name)
        yield from self._bus_moves(state)
        yield from self._people_moves(state)
        for name in _CELLS:
            yield from self._timer_moves(state, name)
        yield from self._late_moves(state)

    def _wallet_moves(self, state: State, name: str) -> Iterator[Move]:
        cell, wallet = state.cell(name), self.wallet
        at = _At(state, name)
        for turn in cell.turns:
            yield from self._turn_moves(state, name, turn)
        for one in cell.handing:
            yield at.move(f"{_p(one)} goes on the rail's record", lambda one=one: wallet.hand(cell, one))
        if cell.mailbox and cell.live is None:
            yield at.move(f"the wallet journals a batch: {_words(cell)}", lambda: wallet.begin(cell))
        if cell.mailbox or cell.live or cell.handing:
            yield at.move("the wallet's actor dies", lambda: _actor_dies(cell), fair=False, fault=1)

    def _turn_moves(self, state: State, name: str, turn: Turn) -> Iterator[Move]:
        cell, wallet, at = state.cell(name), self.wallet, _At(state, name)
        who = "a copy thought dead" if turn.zombie else "the wallet"
        what = ", ".join(f"{one.effect} {_p(one.transfer.transfer_id)}" for one in turn.owed)
        if turn.results is None:
            yield at.move(f"{who} asks the ledger: {what}", lambda: wallet.ask(cell, turn))
            yield Move(
                f"{name}: {who} gives up on the ledger: {what}; the request is still on its way",
                lambda: self._give_up(state, name, turn), fair=False, fault=1,
            )  # fmt: skip
        else:
            yield at.move(f"{who} journals the ledger's word: {what}", lambda: wallet.settle(cell, turn))
        if not turn.zombie and not any(one.zombie for one in cell.turns):
            yield at.move(f"another copy takes over, during: {what}", lambda: _pause(cell, turn), fair=False, fault=1)
        if turn.zombie:
            yield at.move(f"a copy thought dead dies, during: {what}", lambda: _dies(cell, turn), fair=False, fault=1)

    def _rail_moves(self, state: State, name: str) -> Iterator[Move]:
        cell, railway, at = state.cell(name), self.railway, _At(state, name)
        for one, doing in cell.desk:
            if doing == "sending":
                yield from self._send_moves(state, name, one)
            else:
                yield at.move(f"the rail's answer on {_p(one)} is recorded: {doing}", lambda one=one: railway.record(cell, one))
        for one, submission in cell.record:
            if submission.state == "queued":
                yield at.move(f"{_p(one)} is recorded as asked", lambda one=one: railway.mark(cell, one))
            if submission.state == "answered":
                if railway.taken(cell, one):
                    yield at.move(f"the answer on {_p(one)} is acknowledged", lambda one=one: railway.acknowledge(cell, one))
                elif not any(word.transfer_id == one for word in cell.mailbox) and cell.live is None:
                    yield at.move(f"the wallet is pushed the answer on {_p(one)}", lambda one=one: railway.push(cell, one))
        if cell.desk:
            yield at.move("the rail's actor dies", lambda: replace(cell, desk=()), fair=False, fault=1)

    def _send_moves(self, state: State, name: str, one: str) -> Iterator[Move]:
        cell, railway = state.cell(name), self.railway
        number = end_to_end(cell, one)

        def told(answer: str) -> State:
            return with_cell(state, name, railway.answered(cell, one, answer))

        for place, verdict in enumerate(self.scenario.verdicts):
            yield Move(
                f"{name}: the scheme is asked to pay {_p(one)}, and says {verdict}",
                lambda verdict=verdict: at_scheme(told(dict(state.scheme).get(number, verdict)), number, verdict), fair=place == 0,
            )  # fmt: skip
            yield Move(
                f"{name}: the scheme is asked to pay {_p(one)}, thinks {verdict}, and is silent",
                lambda verdict=verdict: at_scheme(told("doubt"), number, verdict), fair=False, fault=1,
            )  # fmt: skip
        yield Move(
            f"{name}: the scheme is asked to pay {_p(one)}; nothing is heard, and it is still on its way",
            lambda: told("doubt")._replace(underway=tuple(sorted({*state.underway, number}))), fair=False, fault=1,
        )  # fmt: skip
        unseen = f"{name}: the scheme cannot be reached for {_p(one)}"
        yield Move(unseen, lambda: with_cell(state, name, railway.unseen(cell, one)), fair=False, fault=1)

    def _border_moves(self, state: State, name: str) -> Iterator[Move]:
        cell, border, at = state.cell(name), self.border, _At(state, name)
        if due := border.due(cell):
            yield at.move(f"the exporter commits {_ps(due)}", lambda: border.export(cell))
        for one in cell.outbox:
            if one.published or one.closed:
                continue
            what = f"{one.kind} {_p(one.transfer_id)}"
            yield Move(f"{name}: {what} is published", lambda one=one: border.publish(state, name, one.sequence))
            yield Move(
                f"{name}: {what} is published, and the exporter dies before it is marked",
                lambda one=one: border.publish(state, name, one.sequence, marked=False), fair=False, fault=1,
            )  # fmt: skip
        if cell.receipt_due:
            yield Move(f"{name}: a receipt leaves", lambda: border.receipt(state, name))

    def _bus_moves(self, state: State) -> Iterator[Move]:
        for parcel in state.bus:
            name, rest = parcel.to_cell, state._replace(bus=without(state.bus, parcel))
            cell, border = state.cell(name), self.border
            what = f"message {parcel.sequence} of {parcel.from_cell}" if parcel.sha256 else f"receipt {parcel.sequence} of {parcel.from_cell}"
            if not parcel.sha256:
                yield Move(f"{name}: {what} arrives", lambda p=parcel, r=rest, n=name, c=cell: with_cell(r, n, border.close(c, p.sequence)))
            elif border.fits(cell, parcel):
                yield from self._arrivals(state, rest, parcel, what)
            yield Move(f"{name}: {what} is lost", lambda r=rest: r, fair=False, fault=1)

    def _arrivals(self, state: State, rest: State, parcel: Parcel, what: str) -> Iterator[Move]:
        name, border = parcel.to_cell, self.border
        cell = state.cell(name)

        def admitted(onto: State, *, told: bool = True) -> State:
            return with_cell(onto, name, border.admit(cell, name, parcel.sha256, told=told))

        yield Move(f"{name}: {what} is admitted", lambda: admitted(rest))
        yield Move(f"{name}: {what} is admitted, and will come again", lambda: admitted(state), fair=False, fault=1)
        yield Move(f"{name}: {what} is admitted, and nobody is told", lambda: admitted(rest, told=False), fair=False, fault=1)

    def _people_moves(self, state: State) -> Iterator[Move]:
        cell, at = state.cell(EU), _At(state, EU)
        for wanted in self.scenario.payments:
            one = wanted.transfer_id
            word, known = Word("accept", one), dict(cell.keys).get(one) is not None
            if word not in cell.mailbox and not (known and cell.transfer(one) is None):
                again = " once more" if known else ""
                yield at.move(f"a partner asks for {_p(one)}{again}", lambda w=word: into_mailbox(cell, w), fair=not known, fault=int(known))
        for key, row in cell.transfers:
            if self.scenario.cancels and f"cancel {key}" not in state.done and not is_at_rest(row):
                yield Move(
                    f"{EU}: the partner cancels {_p(key)}",
                    lambda key=key: _done(with_cell(state, EU, into_mailbox(cell, Word("cancel", key))), f"cancel {key}"), fair=False,
                )  # fmt: skip
            if row.state is Stage.IN_REVIEW and cell.live is None and not any(word.transfer_id == key for word in cell.mailbox):
                yield from self._review_moves(at, cell, key)
        if self.scenario.raised and "raised" not in state.done:
            indonesia = state.id.value
            raised = replace(indonesia, books=indonesia.books.ask([raised_cap()])[1])
            yield Move(f"{ID}: an operator raises the cap", lambda: _done(with_cell(state, ID, raised), "raised"))
        row_of_first = cell.transfer(self.scenario.payments[0].transfer_id)
        if self.scenario.forged and "forged" not in state.done and row_of_first and row_of_first.instruction_sha256:
            forged = self.border.forged(row_of_first)
            yield Move(
                f"{EU}: uk-1 says that it has settled {_p(row_of_first.transfer_id)}",
                lambda: _done(with_cell(state, EU, self.border.admit(cell, EU, forged)), "forged"), fair=False,
            )  # fmt: skip

    def _review_moves(self, at: "_At", cell: CellState, key: str) -> Iterator[Move]:
        for event in (Event.CLEARED, Event.REVIEW_REFUSED, Event.SANCTIONED):
            word = Word("tell", key, str(event), Memo())
            yield at.move(f"an officer says {event} of {_p(key)}", lambda w=word: into_mailbox(cell, w), fair=event is Event.CLEARED)
        yield at.move(f"the deadline of {_p(key)}'s review passes", lambda: into_mailbox(cell, Word("late", key)), fair=False)

    def _timer_moves(self, state: State, name: str) -> Iterator[Move]:
        cell, at = state.cell(name), _At(state, name)
        busy = cell.live is not None or bool(cell.mailbox)
        for key, row in cell.transfers:
            tired = row.state is Stage.WAITING and row.attempt >= _ATTEMPTS_MAX and "raised" not in state.done
            word = Word("resume", key)
            if self.wallet.wants_sweep(cell, row) and not tired and word not in cell.mailbox:
                early = " early" if busy else ""
                yield at.move(f"the sweep takes up {_p(key)}{early}", lambda w=word: into_mailbox(cell, w), fair=not busy, fault=int(busy))
        for one, submission in cell.record:
            if submission.state == "asked" and one not in dict(cell.desk) and end_to_end(cell, one) not in state.underway:
                yield at.move(f"the rail is asked what became of {_p(one)}", lambda one=one: self.railway.inquire(state, cell, one))
        other = state.cell(ID if name == EU else EU)
        travelling = {(one.from_cell, one.sequence) for one in state.bus if one.sha256}
        answered = bool(other.receipt_due) or any(one.to_cell == name and not one.sha256 for one in state.bus)
        for row_out in cell.outbox:
            if row_out.published and not row_out.closed and (name, row_out.sequence) not in travelling and not answered:
                what = f"{row_out.kind} {_p(row_out.transfer_id)}"
                yield Move(f"{name}: {what} is overdue, and published again", lambda s=row_out.sequence: self.border.publish(state, name, s))

    def _late_moves(self, state: State) -> Iterator[Move]:
        for late in state.late:
            name, owed = late
            rest = state._replace(late=tuple(one for one in state.late if one != late))
            cell = state.cell(name)
            what = ", ".join(f"{one.effect} {_p(one.transfer.transfer_id)}" for one in owed)
            books = cell.books.ask([chain(one.transfer, one.effect) for one in owed])[1]
            yield Move(f"{name}: the late request reaches the ledger: {what}", lambda r=rest, n=name, c=cell, b=books: with_cell(r, n, replace(c, books=b)))
            yield Move(f"{name}: the late request is lost: {what}", lambda r=rest: r, fair=False)
        for number in state.underway:
            rest = state._replace(underway=tuple(one for one in state.underway if one != number))
            for place, verdict in enumerate(self.scenario.verdicts):
                yield Move(
                    f"the late payment {_p(number)} reaches the scheme, which says {verdict}",
                    lambda r=rest, n=number, v=verdict: at_scheme(r, n, v), fair=place == 0,
                )  # fmt: skip
            yield Move(f"the late payment {_p(number)} never reaches the scheme", lambda r=rest: r, fair=False)

    def _give_up(self, state: State, name: str, turn: Turn) -> State:
        """LedgerUnknown: the batch ends unknown; what was asked may be applied at any time."""
        state = with_cell(state, name, _dies(state.cell(name), turn))
        return state._replace(late=tuple(sorted({*state.late, (name, turn.owed)}, key=str)))


class _At(NamedTuple):
    """Where a move happens."""

    state: State
    name: str

    def move(self, what: str, make: Callable[[], CellState], *, fair: bool = True, fault: int = 0) -> Move:
        return Move(f"{self.name}: {what}", lambda: with_cell(self.state, self.name, make()), fair, fault)


def _actor_dies(cell: CellState) -> CellState:
    """The process and all that it held; copies thought dead before live on."""
    return replace(cell, mailbox=(), handing=(), turns=tuple(one for one in cell.turns if one.zombie))


def _dies(cell: CellState, turn: Turn) -> CellState:
    return replace(cell, turns=tuple(one for one in cell.turns if one != turn))


def _pause(cell: CellState, turn: Turn) -> CellState:
    return replace(cell, turns=tuple(one._replace(zombie=True) if one == turn else one for one in cell.turns))


def _done(state: State, what: str) -> State:
    return state._replace(done=tuple(sorted({*state.done, what})))


def _p(transfer_id: str) -> str:
    """A payment's short name: its last letter tells it apart."""
    return "P1" if transfer_id.partition("/")[0].endswith("2") else "P2"


def _ps(transfers: list[Transfer]) -> str:
    return ", ".join(f"{one.state.lower()} {_p(one.transfer_id)}" for one in transfers)


def _words(cell: CellState) -> str:
    return ", ".join(f"{one.event or one.name} {_p(one.transfer_id)}" for one in cell.mailbox)


def at_rest(state: State) -> bool:
    """Whether every payment of both cells has ended."""
    return all(is_at_rest(row) for name in _CELLS for _, row in state.cell(name).transfers)


def ours(state: State) -> dict[str, Transfer]:
    """The partners' payments, by id."""
    return {key: row for key, row in state.eu.value.transfers if is_ours(row)}


def is_across(transfer: Transfer) -> bool:
    return transfer.leg is Leg.ORIGIN
