"""The search: every run of a scenario with at most so many faults, each ended by a patient scheduler and judged at its end.

Runs are cut where they meet: a state is expanded once, at the fewest faults it can be reached with, so the first counter-example is
one with the fewest faults, and among those one with the fewest moves before the patient scheduler's. With `deviations`, choosing
another than the patient scheduler's move costs as a fault does.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model.invariants import always, at_the_end
from tests.model.move import Move
from tests.model.record import State
from tests.model.world import World

_HEALING_MAX = 2_000
_From = dict[State, tuple[State, str] | None]
_Reached = tuple[State, State, str]


@dataclass(slots=True)
class Found:
    """A counter-example: what is wrong, and the moves that lead there, from the first. `healing`: how many of them are the patient
    scheduler's, after the last choice."""

    fault: str
    moves: list[str]
    healing: int = 0

    def __str__(self) -> str:
        chosen = len(self.moves) - self.healing
        lines = [f"{place + 1:4}  {move}" for place, move in enumerate(self.moves)]
        if self.healing:
            lines.insert(chosen, "      … and then nothing more goes wrong:")
        return "\n".join([f"{self.fault}, after {len(self.moves)} moves:", *lines])


@dataclass(slots=True)
class Report:
    """What a search has seen."""

    name: str
    budget: int
    states: int = 0
    moves: int = 0
    ends: int = 0
    longest: int = 0
    complete: bool = True
    found: Found | None = None

    @property
    def open(self) -> bool:
        """Whether there is reason to go on."""
        return self.complete and self.found is None

    def __str__(self) -> str:
        whole = "" if self.complete else " (cut short)"
        line = (
            f"{self.name:34} {self.budget:2} {self.states:9,} {self.moves:10,} {self.ends:7,} {self.longest:4}{whole}"
        )
        return line if self.found is None else f"{line}\n{self.found}"


HEADING = f"{'scenario':34} {'≤':>2} {'states':>9} {'moves':>10} {'ends':>7} {'long':>4}"


@dataclass(slots=True)
class Explorer:
    """A search of one world. `healed`: states from which the patient scheduler is known to end well."""

    world: World
    healed: set[State] = field(default_factory=set)
    ends: int = 0

    def search(self, budget: int, *, deviations: bool = False, states_max: int | None = None) -> Report:
        """Every run with at most `budget` faults (or, with `deviations`, faults and deviations)."""
        report = Report(self.world.scenario.name, budget)
        start = self.world.start()
        came: _From = {start: None}
        frontier = [start]
        for spent in range(budget + 1):
            later: list[_Reached] = []
            depth = 0
            while frontier and report.open:
                report.longest = max(report.longest, depth)
                frontier = self._expanded(
                    frontier, came, later if spent < budget else None, report, deviations, states_max
                )
                depth += 1
            frontier = [reached for reached, state, name in later if _first(came, reached, state, name)]
            if not report.open:
                break
        report.ends = self.ends
        return report

    def _expanded(
        self, frontier: list[State], came: _From, later: list[_Reached] | None, report: Report, deviations: bool,
        states_max: int | None,
    ) -> list[State]:  # fmt: skip
        """Judge the frontier and make every move from it: what is new by free moves; what costs goes to `later`, if that is left."""
        following: list[State] = []
        for state in frontier:
            report.states += 1
            report.found = self._judged(state, came)
            report.complete = states_max is None or report.states < states_max
            if not report.open:
                return []
            for move, cost in self._priced(state, deviations=deviations):
                if cost and later is None:
                    continue
                reached = move.make(state)
                report.moves += 1
                if cost and later is not None and reached not in came:
                    later.append((reached, state, move.name))
                elif not cost and _first(came, reached, state, move.name):
                    following.append(reached)
        return following

    def walk(self, seed: int, *, faults: int) -> Found | None:
        """One random run: faults until they are spent, and any move there is, to its end."""
        dice = random.Random(seed)
        state, names = self.world.start(), list[str]()
        for _ in range(_HEALING_MAX):
            moves = [move for move in self.world.moves(state) if faults or not move.fault]
            if not moves:
                break
            # A fault is as likely as all else together while there are any to spend, in a run of some sixty moves.
            faulty = [move for move in moves if move.fault]
            plain = [move for move in moves if not move.fault]
            move = dice.choice(faulty) if faulty and (not plain or dice.random() < 0.15) else dice.choice(plain)
            faults -= move.fault
            state = move.make(state)
            names.append(move.name)
            if (wrong := always(state)) is not None:
                return Found(wrong, names)
        return self._healing(state, names)

    def _priced(self, state: State, *, deviations: bool) -> Iterator[tuple[Move, int]]:
        first = True
        for move in self.world.moves(state):
            if deviations:
                yield move, move.fault or int(not (first and move.fair))
                first = first and not move.fair
            else:
                yield move, move.fault

    def _judged(self, state: State, came: _From) -> Found | None:
        wrong = always(state)
        if wrong is not None:
            return Found(wrong, _way(state, came))
        if state in self.healed:
            return None
        return self._healing(state, None, came)

    def _healing(self, state: State, names: list[str] | None, came: _From | None = None) -> Found | None:
        """Let the patient scheduler finish, from `state`; what is wrong at the end."""
        seen: list[State] = []
        made: list[str] = []
        current, wrong = state, None
        while current not in self.healed:
            seen.append(current)
            move = next((move for move in self.world.moves(current) if move.fair and not move.fault), None)
            if move is None:
                self.ends += 1
                wrong = at_the_end(current)
                break
            if len(made) >= _HEALING_MAX:
                wrong = "it goes on for ever"
                break
            current = move.make(current)
            made.append(move.name)
            wrong = always(current)
            if wrong is not None:
                break
        if wrong is None:
            self.healed.update(seen)
            return None
        before = names if names is not None else _way(state, came or {})
        return Found(wrong, [*before, *made], len(made))


def _first(came: _From, reached: State, state: State, name: str) -> bool:
    """Whether `reached` is new; then it is known by which move it was."""
    if reached in came:
        return False
    came[reached] = (state, name)
    return True


def _way(state: State, came: _From) -> list[str]:
    names: list[str] = []
    step = came.get(state)
    while step is not None:
        state, name = step
        names.append(name)
        step = came.get(state)
    return names[::-1]
