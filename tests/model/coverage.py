"""Which rows of the lifecycle's table the scenarios take, when nothing goes wrong or one thing does."""

from collections.abc import Iterable, Sequence

from cells.payments.machine import Event, Leg
from cells.payments.machine import State as Stage
from cells.payments.step import Step
from cells.payments.transfer import Told
from tests.model.explore import Explorer
from tests.model.record import CellState
from tests.model.suite import Searched
from tests.model.wallet import Wallet
from tests.model.world import World

Row = tuple[Leg, Stage, Event]


def taken(suite: Iterable[Searched]) -> set[Row]:
    """The rows that a search of each scenario of one payment takes: with every interleaving and no fault, or, where the suite goes
    by departures from the patient scheduler, with one of them. Only a silence, which is a fault, lets a rail restore."""
    rows: set[Row] = set()

    class Noting(Wallet):
        def advance(self, cell: CellState, told: Sequence[Told]) -> tuple[CellState, Step]:
            cell, step = super().advance(cell, told)
            rows.update((move.before.leg, move.before.state, move.told.event) for wave in step.waves for move in wave)
            return cell, step

    for one in suite:
        if len(one.scenario.payments) == 1:
            world = World(one.scenario)
            world.wallet = world.border.wallet = Noting(one.scenario)
            Explorer(world).search(int(one.deviations or one.scenario.restores), deviations=one.deviations)
    return rows
