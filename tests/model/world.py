"""Everything that can happen next in a world of two cells, and what it leads to. Pure: a World holds its scenario and its rules.

A move is *fair* when a healthy system makes it sooner or later by itself; the first fair move is the one that a patient scheduler
makes. A move that is free but not fair is somebody's choice (a cancel, a scheme's no). A *fault* costs: a crash, a loss, a
repetition, a pause, a silence, a timer that fires early.
"""

from collections.abc import Iterator
from dataclasses import replace

from cells.payments.machine import Leg
from cells.payments.transfer import Transfer
from tests.model.border import Border, without
from tests.model.move import Local, Move, local, short, shorts, words
from tests.model.people import people_moves
from tests.model.railway import Railway, at_scheme, end_to_end
from tests.model.record import CellState, Owed, Parcel, Ref, State, Turn, ref
from tests.model.scenario import EU, ID, Scenario, founded
from tests.model.scheme import scheme_moves
from tests.model.sweep import sweep_moves
from tests.model.wallet import Wallet, chains_of_owed, is_at_rest, is_ours

_CELLS = (EU, ID)


class World:
    """The moves of a scenario, by the rules of its rooms."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.wallet = Wallet(scenario)
        self.border = Border(scenario, self.wallet)
        self.railway = Railway(scenario)
        self._known: dict[tuple[str, Ref], tuple[tuple[Move, ...], ...]] = {}

    def start(self) -> State:
        eu, indonesia = founded(self.scenario)
        return State(ref(eu), ref(indonesia))

    def moves(self, state: State) -> Iterator[Move]:
        """Every move, those of a patient scheduler first and in its order."""
        eu, indonesia = self._of_cell(EU, state.eu), self._of_cell(ID, state.id)
        for here, there in zip(eu[:-1], indonesia[:-1], strict=True):
            yield from here
            yield from there
        yield from self._bus_moves(state)
        yield from people_moves(self.scenario, self.border, state)
        yield from scheme_moves(self.scenario, self.railway, self.wallet.returning, state)
        yield from eu[-1]
        yield from indonesia[-1]
        for name in _CELLS:
            yield from self._timer_moves(state, name)
        yield from self._late_moves(state)

    def _of_cell(self, name: str, at: Ref) -> tuple[tuple[Move, ...], ...]:
        """The moves that follow from the state of one cell alone: of its wallet, its rail, its border and its sweep."""
        found = self._known.get((name, at))
        if found is None:
            cell = at.value
            rooms = (self._wallet_moves, self._rail_moves, self._border_moves, self._sweep_moves)
            found = self._known[name, at] = tuple(tuple(room(name, cell)) for room in rooms)
        return found

    def _wallet_moves(self, name: str, cell: CellState) -> Iterator[Move]:
        wallet = self.wallet
        for turn in cell.turns:
            yield from self._turn_moves(name, cell, turn)
        for one in cell.handing:
            yield local(name, f"{short(one)} goes on the rail's record", lambda one=one: wallet.hand(cell, one))
        if cell.mailbox and cell.live is None:
            yield local(name, f"the wallet journals a batch: {words(cell)}", lambda: wallet.begin(cell))
        if cell.mailbox or cell.live or cell.handing:
            yield local(name, "the wallet's actor dies", lambda: _actor_dies(cell), fair=False, fault=1)

    def _turn_moves(self, name: str, cell: CellState, turn: Turn) -> Iterator[Move]:
        wallet = self.wallet
        who = "a copy thought dead" if turn.zombie else "the wallet"
        what = ", ".join(f"{one.effect} {short(one.transfer.transfer_id)}" for one in turn.owed)
        if turn.results is None:
            yield local(name, f"{who} asks the ledger: {what}", lambda: wallet.ask(cell, turn))
            given_up = Local(name, lambda: _dies(cell, turn))
            yield Move(
                f"{name}: {who} gives up on the ledger: {what}; the request is still on its way",
                lambda state: given_up(state)._replace(late=_later(state, name, turn)), fair=False, fault=1,
            )  # fmt: skip
        else:
            yield local(name, f"{who} journals the ledger's word: {what}", lambda: wallet.settle(cell, turn))
        if not turn.zombie and not any(one.zombie for one in cell.turns):
            yield local(
                name, f"another copy takes over, during: {what}", lambda: _pause(cell, turn), fair=False, fault=1
            )
        if turn.zombie:
            yield local(
                name, f"a copy thought dead dies, during: {what}", lambda: _dies(cell, turn), fair=False, fault=1
            )

    def _rail_moves(self, name: str, cell: CellState) -> Iterator[Move]:
        railway = self.railway
        for one, doing in cell.desk:
            if doing == "sending":
                yield from self._send_moves(name, cell, one)
            else:
                yield local(
                    name,
                    f"the rail's answer on {short(one)} is recorded: {doing}",
                    lambda one=one: railway.record(cell, one),
                )
        for one, submission in cell.record:
            if submission.state == "queued":
                yield local(name, f"{short(one)} is recorded as asked", lambda one=one: railway.mark(cell, one))
            if submission.state == "answered":
                if railway.taken(cell, one):
                    yield local(
                        name,
                        f"the answer on {short(one)} is acknowledged",
                        lambda one=one: railway.acknowledge(cell, one),
                    )
                elif (
                    not any(word.transfer_id == one for word in cell.mailbox)
                    and cell.live is None
                    and not railway.early(cell, one)
                ):
                    yield local(
                        name,
                        f"the wallet is pushed the answer on {short(one)}",
                        lambda one=one: railway.push(cell, one),
                    )
        if cell.desk:
            yield local(name, "the rail's actor dies", lambda: replace(cell, desk=()), fair=False, fault=1)

    def _send_moves(self, name: str, cell: CellState, one: str) -> Iterator[Move]:
        railway, number, asked = self.railway, end_to_end(cell, one), f"the scheme is asked to pay {short(one)}"
        answers = {
            answer: Local(name, lambda answer=answer: railway.answered(cell, one, answer))
            for answer in ("paid", "refused", "doubt")
        }
        for place, verdict in enumerate(self.scenario.verdicts):
            yield Move(
                f"{name}: {asked}, and says {verdict}",
                lambda state, verdict=verdict: at_scheme(answers[dict(state.scheme).get(number, verdict)](state), number, verdict),
                fair=place == 0,
            )  # fmt: skip
            yield Move(
                f"{name}: {asked}, thinks {verdict}, and is silent",
                lambda state, verdict=verdict: at_scheme(answers["doubt"](state), number, verdict), fair=False, fault=1,
            )  # fmt: skip
        yield Move(
            f"{name}: {asked}; nothing is heard, and it is still on its way",
            lambda state: answers["doubt"](state)._replace(underway=tuple(sorted({*state.underway, number}))), fair=False, fault=1,
        )  # fmt: skip
        yield local(
            name,
            f"the scheme cannot be reached for {short(one)}",
            lambda: railway.unseen(cell, one),
            fair=False,
            fault=1,
        )

    def _border_moves(self, name: str, cell: CellState) -> Iterator[Move]:
        border = self.border
        due, came = border.due(cell), self.wallet.returning.due(cell)
        if due or came:
            what = ", ".join([*([shorts(due)] if due else []), *(f"return {one.number}" for one in came)])
            yield local(name, f"the exporter commits {what}", lambda: border.export(cell))
        for one in cell.outbox:
            if one.published or one.closed:
                continue
            what = f"{one.kind} {short(one.transfer_id)}"
            yield Move(f"{name}: {what} is published", lambda state, one=one: border.publish(state, name, one.sequence))
            yield Move(
                f"{name}: {what} is published, and the exporter dies before it is marked",
                lambda state, one=one: border.publish(state, name, one.sequence, marked=False), fair=False, fault=1,
            )  # fmt: skip
        if cell.receipt_due:
            yield Move(f"{name}: a receipt leaves", lambda state: border.receipt(state, name))

    def _bus_moves(self, state: State) -> Iterator[Move]:
        border = self.border
        for parcel in state.bus:
            name, cell = parcel.to_cell, state.cell(parcel.to_cell)
            what = f"{name}: {'message' if parcel.sha256 else 'receipt'} {parcel.sequence} of {parcel.from_cell}"
            if not parcel.sha256:
                closed = Local(name, lambda c=cell, p=parcel: border.close(c, p.sequence))
                yield Move(f"{what} arrives", lambda s, m=closed, p=parcel: _gone(m(s), p))
            elif border.fits(cell, parcel):
                admitted = Local(name, lambda c=cell, p=parcel: border.admit(c, p.to_cell, p.sha256))
                silent = Local(name, lambda c=cell, p=parcel: border.admit(c, p.to_cell, p.sha256, told=False))
                yield Move(f"{what} is admitted", lambda s, m=admitted, p=parcel: _gone(m(s), p))
                yield Move(f"{what} is admitted, and will come again", admitted, fair=False, fault=1)
                yield Move(
                    f"{what} is admitted, and nobody is told",
                    lambda s, m=silent, p=parcel: _gone(m(s), p),
                    fair=False,
                    fault=1,
                )
            yield Move(f"{what} is lost", lambda s, p=parcel: _gone(s, p), fair=False, fault=1)

    def _sweep_moves(self, name: str, cell: CellState) -> Iterator[Move]:
        return sweep_moves(self.wallet, self.railway, name, cell)

    def _timer_moves(self, state: State, name: str) -> Iterator[Move]:
        cell = state.cell(name)
        for one, submission in cell.record:
            if (
                submission.state == "asked"
                and end_to_end(cell, one) not in state.underway
                and all(one != key for key, _ in cell.desk)
            ):
                asked = Local(name, lambda one=one: self.railway.inquire(state, cell, one))
                yield Move(f"{name}: the rail is asked what became of {short(one)}", asked)
        waiting = [one for one in cell.outbox if one.published and not one.closed]
        if not waiting or state.cell(ID if name == EU else EU).receipt_due:
            return
        travelling = {(one.from_cell, one.sequence) for one in state.bus if one.sha256}
        if any(one.to_cell == name and not one.sha256 for one in state.bus):
            return
        for row in waiting:
            if (name, row.sequence) not in travelling:
                what = f"{name}: {row.kind} {short(row.transfer_id)} is overdue, and published again"
                yield Move(what, lambda s, row=row: self.border.publish(s, name, row.sequence))

    def _late_moves(self, state: State) -> Iterator[Move]:
        for late in state.late:
            name, owed = late
            cell = state.cell(name)
            what = ", ".join(f"{one.effect} {short(one.transfer.transfer_id)}" for one in owed)
            landed = Local(
                name,
                lambda c=cell, o=owed: replace(
                    c, books=c.books.ask([one for each in o for one in chains_of_owed(each)])[1]
                ),
            )
            yield Move(
                f"{name}: the late request reaches the ledger: {what}",
                lambda s, m=landed, late=late: _landed(m(s), late),
            )
            yield Move(f"{name}: the late request is lost: {what}", lambda s, late=late: _landed(s, late), fair=False)
        for number in state.underway:
            rest = state._replace(underway=tuple(one for one in state.underway if one != number))
            for place, verdict in enumerate(self.scenario.verdicts):
                what = f"the late payment {short(number)} reaches the scheme, which says {verdict}"
                yield Move(what, lambda _, r=rest, n=number, v=verdict: at_scheme(r, n, v), fair=place == 0)
            yield Move(f"the late payment {short(number)} never reaches the scheme", lambda _, r=rest: r, fair=False)


def _gone(state: State, parcel: Parcel) -> State:
    return state._replace(bus=without(state.bus, parcel))


def _landed(state: State, late: tuple[str, tuple[Owed, ...]]) -> State:
    return state._replace(late=tuple(one for one in state.late if one != late))


def _later(state: State, name: str, turn: Turn) -> tuple[tuple[str, tuple[Owed, ...]], ...]:
    """LedgerUnknown: the batch has ended unknown; what was asked may be applied at any time."""
    return tuple(sorted({*state.late, (name, turn.owed)}, key=str))


def _actor_dies(cell: CellState) -> CellState:
    """The process and all that it held; copies thought dead before live on."""
    return replace(cell, mailbox=(), handing=(), turns=tuple(one for one in cell.turns if one.zombie))


def _dies(cell: CellState, turn: Turn) -> CellState:
    return replace(cell, turns=tuple(one for one in cell.turns if one != turn))


def _pause(cell: CellState, turn: Turn) -> CellState:
    return replace(cell, turns=tuple(one._replace(zombie=True) if one == turn else one for one in cell.turns))


def at_rest(state: State) -> bool:
    """Whether every payment of both cells has ended, and all that came back is booked and told."""
    return all(is_at_rest(row) for name in _CELLS for _, row in state.cell(name).transfers) and not any(
        one.state == "received" for name in _CELLS for _, one in state.cell(name).returns
    )


def ours(state: State) -> dict[str, Transfer]:
    """The partners' payments, by id."""
    return {key: row for key, row in state.eu.value.transfers if is_ours(row)}


def is_across(transfer: Transfer) -> bool:
    return transfer.leg is Leg.ORIGIN
