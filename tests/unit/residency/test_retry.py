"""What fails for a while is tried again, within its time; what fails for good is raised at once."""

import asyncio
from collections.abc import Iterator

import pytest

from residency.errors import KovraError
from residency.retry import Backoff, Restarts, retried

FAST = Backoff(0.001, 0.004)


class Away(KovraError):
    code = "away"
    retryable = True


class Door:
    """Fails with one error after the other, then opens."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def open(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "open"


async def test_what_passes_is_tried_again_and_each_pause_is_noted() -> None:
    door, noted = Door(Away(), Away(), Away()), list[tuple[str, float]]()
    note = lambda error, pause_s: noted.append((type(error).__name__, pause_s))  # noqa: E731
    assert await retried(door.open, FAST, note=note) == "open"
    assert [name for name, _ in noted] == ["Away"] * 3
    for attempt, (_, pause_s) in enumerate(noted, 1):
        longest = min(0.001 * 2 ** (attempt - 1), 0.004)
        assert longest / 2 <= pause_s <= longest


@pytest.mark.parametrize("error", [KeyError("x"), FileNotFoundError("codes.csv"), asyncio.CancelledError()])
async def test_what_does_not_pass_is_raised_at_once(error: BaseException) -> None:
    door = Door(error)  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        await retried(door.open, FAST)
    assert door.asked == 1


@pytest.mark.parametrize("within_s", [0.0, 0.0005])
async def test_no_attempt_begins_after_the_time_is_up(within_s: float) -> None:
    door = Door(Away("first"), Away("second"))
    with pytest.raises(Away, match="first"):
        await retried(door.open, Backoff(1.0, 1.0), within_s=within_s)
    assert door.asked == 1


async def test_a_failure_may_ask_for_its_own_pause() -> None:
    noted: list[float] = []
    await retried(
        Door(Away(), Away()).open,
        FAST,
        asked_s=lambda _: 0.0,
        note=lambda _, pause_s: noted.append(pause_s),
    )
    assert noted == [0.0, 0.0]


async def test_one_that_is_cancelled_in_a_pause_ends() -> None:
    paused = asyncio.Event()
    waiting = asyncio.create_task(retried(Door(Away()).open, Backoff(60.0, 60.0), note=lambda _, __: paused.set()))
    await paused.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def pauses(backoff: Backoff, attempt: int) -> Iterator[float]:
    return (backoff.pause_s(attempt) for _ in range(50))


def test_pauses_double_to_their_limit_and_have_jitter() -> None:
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (6, 20.0), (10_000, 20.0)):
        found = list(pauses(Backoff(1.0, 20.0), attempt))
        assert all(longest / 2 <= one <= longest for one in found)
        assert len(set(found)) > 1


def test_a_long_run_makes_the_next_pause_the_first_again() -> None:
    restarts = Restarts(Backoff(1.0, 100.0), well_after_s=60.0)
    longest = [1.0, 2.0, 4.0, 1.0, 2.0]
    for ran_s, limit in zip((0.0, 1.0, 60.0, 61.0, 0.0), longest, strict=True):
        assert limit / 2 <= restarts.pause_s(ran_s) <= limit
