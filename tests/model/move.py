"""One thing that can happen, what it is called, and what it makes of the world."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cells.payments.transfer import Transfer
from tests.model.record import CellState, Ref, State, ref
from tests.model.scenario import EU


class Move(NamedTuple):
    """One thing that can happen. `name` says it; `fault` is what it costs; `make` what a state becomes by it."""

    name: str
    make: Callable[[State], State]
    fair: bool = True
    fault: int = 0


class Local:
    """What a move makes of the one cell that it concerns: found once, however many states that cell's state is part of."""

    __slots__ = ("_cell", "_made", "_name")

    def __init__(self, name: str, cell: Callable[[], CellState]) -> None:
        self._name = name
        self._cell: Callable[[], CellState] | None = cell
        self._made: Ref | None = None

    def __call__(self, state: State) -> State:
        if self._made is None:
            assert self._cell is not None
            self._made, self._cell = ref(self._cell()), None
        return state._replace(eu=self._made) if self._name == EU else state._replace(id=self._made)


def local(at: str, what: str, cell: Callable[[], CellState], *, fair: bool = True, fault: int = 0) -> Move:
    return Move(f"{at}: {what}", Local(at, cell), fair, fault)


def done(state: State, what: str) -> State:
    return state._replace(done=tuple(sorted({*state.done, what})))


def short(transfer_id: str) -> str:
    """A payment's short name: its last letter tells it apart."""
    return "P1" if transfer_id.partition("/")[0].endswith("2") else "P2"


def shorts(transfers: Sequence[Transfer]) -> str:
    return ", ".join(f"{one.state.lower()} {short(one.transfer_id)}" for one in transfers)


def words(cell: CellState) -> str:
    return ", ".join(f"{one.event or one.name} {short(one.transfer_id)}" for one in cell.mailbox)
