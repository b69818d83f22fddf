"""The single-threaded model that a history is held against: one wallet that is added to and taken from, one transfer that grows older.

Pure. A wallet knows one number, what is available. A transfer goes along the lifecycle and never back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

TERMINAL = frozenset({"COMPLETED", "REFUNDED", "REJECTED", "CANCELLED", "BLOCKED", "RETURNED"})
# What may be seen of a transfer after each of these; a state is always followed by itself.
_LATER: dict[str, frozenset[str]] = {
    "CREATED": frozenset({"FUNDS_HELD", "IN_REVIEW", "REJECTED"}),
    "IN_REVIEW": frozenset({"FUNDS_HELD", "REFUNDED", "BLOCKED", "CANCELLED"}),
    "FUNDS_HELD": frozenset({"INSTRUCTED", "PENDING_RAIL", "CANCELLED"}),
    "INSTRUCTED": frozenset({"PENDING_RAIL", "RAIL_REJECTED", "DESTINATION_REJECTED", "COMPLETED"}),
    "PENDING_RAIL": frozenset({"COMPLETED", "RAIL_REJECTED", "DESTINATION_REJECTED"}),
    "RAIL_REJECTED": frozenset({"REFUNDED"}),
    "DESTINATION_REJECTED": frozenset({"REFUNDED"}),
    "COMPLETED": frozenset({"RETURNED"}),
}


def may_follow(earlier: str, later: str) -> bool:
    """Whether `later` can be seen of a transfer of which `earlier` was seen before."""
    seen, waiting = {earlier}, [earlier]
    while waiting:
        for state in _LATER.get(waiting.pop(), frozenset()) - seen:
            seen.add(state)
            waiting.append(state)
    return later in seen


@dataclass(frozen=True, slots=True)
class Change:
    """Something that moved a wallet once, at an unknown moment between two: a hold taken (negative) or given back."""

    number: int
    amount: int
    earliest: float
    latest: float
    what: str


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody saw `available` at an unknown moment between two, or was told that it is less than `below`."""

    number: int
    earliest: float
    latest: float
    available: int | None = None
    below: int | None = None

    def fits(self, value: int) -> bool:
        return value == self.available if self.available is not None else self.below is not None and value < self.below


Taken = frozenset[int]
# Beyond this many orders the search stops being exact and lets the look pass: it errs on the side of the system under test.
_ORDERS_MAX = 20_000
_PENDING_MAX = 14


class WalletReplay:
    """Looks for an order of all changes and looks that one single-threaded wallet could have gone through.

    Changes add up in any order, so what a state of the search must remember is only *which* of the open changes have happened.
    """

    def __init__(self, opening: int) -> None:
        self.inexact = 0
        self._sum = opening  # of the changes that have happened in every order still possible
        self._orders: set[tuple[Taken, Taken]] = {(frozenset(), frozenset())}
        self._changes: dict[int, Change] = {}
        self._looks: dict[int, Look] = {}

    def run(self, changes: Sequence[Change], looks: Sequence[Look]) -> Look | None:
        """The first look that no order explains; None when one explains them all."""
        moments: list[tuple[float, int, int, Change | Look]] = []
        for rank, item in [(0, one) for one in changes] + [(1, one) for one in looks]:
            moments.append((item.earliest, 0, rank, item))
            moments.append((item.latest, 1, rank, item))
        for _, closing, _, item in sorted(moments, key=lambda one: one[:3]):
            if not closing:
                opened: dict[int, Change] | dict[int, Look] = self._changes if isinstance(item, Change) else self._looks
                opened[item.number] = item  # type: ignore[assignment]  # the two dictionaries hold the two kinds
            elif isinstance(item, Change):
                self._close_change(item)
            elif not self._close_look(item):
                return item
        return None

    def _close_change(self, change: Change) -> None:
        """It has happened by now in every order. Looks that are still open may have come before it: both are kept."""
        orders: set[tuple[Taken, Taken]] = set()
        for taken, seen in self._orders:
            for branch, seen_then in self._with_looks(taken, seen):
                orders.add((branch - {change.number}, seen_then))
        del self._changes[change.number]
        self._sum += change.amount
        self._keep(orders)

    def _with_looks(self, taken: Taken, seen: Taken) -> Iterator[tuple[Taken, Taken]]:
        """This order, and those in which some open looks happen now, with whatever of the open changes they need."""
        yield taken, seen
        for number, look in self._looks.items():
            if number not in seen:
                for more in self._explanations(taken, look):
                    yield from self._with_looks(more, seen | {number})

    def _close_look(self, look: Look) -> bool:
        orders: set[tuple[Taken, Taken]] = set()
        for taken, seen in self._orders:
            if look.number in seen:
                orders.add((taken, seen - {look.number}))
            else:
                orders |= {(more, seen) for more in self._explanations(taken, look)}
        del self._looks[look.number]
        if orders:
            self._keep(orders)
        return bool(orders)

    def _explanations(self, taken: Taken, look: Look) -> Iterator[Taken]:
        """The ways to add open changes so that the look fits; none of them if it does not."""
        open_changes = [one for number, one in self._changes.items() if number not in taken]
        value = self._sum + sum(self._changes[number].amount for number in taken)
        if len(open_changes) > _PENDING_MAX:
            self.inexact += 1
            yield taken
            return
        for chosen in _subsets(open_changes, value, look):
            yield taken | {one.number for one in chosen}

    def _keep(self, orders: set[tuple[Taken, Taken]]) -> None:
        if len(orders) > _ORDERS_MAX:
            self.inexact += 1
            orders = set(sorted(orders, key=lambda one: (len(one[0]), len(one[1])))[:_ORDERS_MAX])
        self._orders = orders


def _subsets(changes: Sequence[Change], value: int, look: Look) -> Iterable[tuple[Change, ...]]:
    """Which of the changes, taken together, bring `value` to what was seen. Cut off where no rest can still reach it."""
    ordered = sorted(changes, key=lambda one: -abs(one.amount))
    lowest, highest = [0] * (len(ordered) + 1), [0] * (len(ordered) + 1)
    for index in range(len(ordered) - 1, -1, -1):
        lowest[index] = lowest[index + 1] + min(ordered[index].amount, 0)
        highest[index] = highest[index + 1] + max(ordered[index].amount, 0)

    def search(index: int, now: int, chosen: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
        if look.available is not None and not now + lowest[index] <= look.available <= now + highest[index]:
            return
        if look.below is not None and now + lowest[index] >= look.below:
            return
        if index == len(ordered):
            if look.fits(now):
                yield chosen
            return
        yield from search(index + 1, now, chosen)
        yield from search(index + 1, now + ordered[index].amount, (*chosen, ordered[index]))

    return search(0, value, ())
