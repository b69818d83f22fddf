"""Each door, with the worst that its parser can be given: refused by name, at a cost that grows as the text does and stays in its budget."""

import contextlib

import pytest

from tests.support.doors import DOORS, Door, reference
from tests.support.growth import cost

# Of the larger text: enough to tell linear from quadratic, whatever the door takes.
_LARGE = 256 * 1024
_TIMES = 4
# A linear parser takes 4 times as long for 4 times as much; a quadratic one 16 times.
_GROWTH_MAX = 8.0


def read(door: Door, text: bytes) -> None:
    with contextlib.suppress(door.refusals):
        door.read(text)


@pytest.mark.parametrize("door", DOORS, ids=lambda one: one.name)
def test_what_the_worst_texts_cost(door: Door) -> None:
    size = min(door.size_max, _LARGE)
    yardstick, faults = cost(reference), []
    for name, make in door.worst.items():
        small, large = make(size // _TIMES), make(size)
        spent = cost(lambda: read(door, large))  # noqa: B023 - called at once
        growth = spent / cost(lambda: read(door, small))  # noqa: B023
        loops = spent / yardstick * door.size_max / size
        if growth > _GROWTH_MAX or loops > door.budget:
            faults.append(
                f"{name}: {growth:.1f} times for {_TIMES} times as much, {loops:.1f} loops of {door.budget:g}"
            )
    assert not faults


def test_what_grows_with_the_square_is_seen() -> None:
    def slow(text: bytes) -> int:
        return sum(text[:one].count(b"x") for one in range(0, len(text), 16))

    small, large = (b"y" * (size * 1024) for size in (32, 128))
    assert cost(lambda: slow(large)) / cost(lambda: slow(small)) > _GROWTH_MAX
