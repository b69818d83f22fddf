"""A stage loses nothing, runs an item once at a time, and tries again what was left over."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from actors.backoff import backoff_s
from actors.stage import Stage
from tests.support.waiting import until

FAST = (0.001, 0.002)


async def until_empty(stage: Stage[str]) -> None:
    await until(lambda: not len(stage))


async def test_what_gathers_becomes_one_batch() -> None:
    batches: list[list[str]] = []
    entered, release = asyncio.Event(), asyncio.Event()

    async def run(batch: Sequence[str]) -> Sequence[str]:
        batches.append(list(batch))
        entered.set()
        await release.wait()
        return ()

    stage = Stage("s", run)
    stage.add(["a"])
    await entered.wait()
    stage.add(["b", "c"])
    stage.add(["c", "d"])
    release.set()
    await until_empty(stage)
    assert batches == [["a"], ["b", "c", "d"]]


async def test_left_over_items_and_failed_batches_come_again() -> None:
    seen: Counter[str] = Counter()

    async def run(batch: Sequence[str]) -> Sequence[str]:
        seen.update(batch)
        if seen["a"] == 1:
            raise ConnectionError
        return [one for one in batch if seen[one] < 4]

    stage = Stage("s", run, retry_s=FAST)
    stage.add(["a", "b"])
    await until_empty(stage)
    assert seen == {"a": 4, "b": 4}


async def test_an_item_added_while_under_way_runs_once_more() -> None:
    runs = 0
    stage: Stage[str]

    async def run(batch: Sequence[str]) -> Sequence[str]:
        nonlocal runs
        runs += 1
        if runs == 1:
            stage.add(["a"], delay_s=0.001)
        return ()

    stage = Stage("s", run)
    stage.add(["a"])
    await until_empty(stage)
    assert runs == 2


async def test_no_more_batches_at_once_than_allowed() -> None:
    running = most = 0

    async def run(batch: Sequence[str]) -> Sequence[str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return ()

    stage = Stage("s", run, in_flight=2, batch_limit=1)
    stage.add([str(number) for number in range(10)])
    await until_empty(stage)
    assert most == 2
    assert stage.stats.processed == 10


def test_backoff_grows_to_its_limit_and_has_jitter() -> None:
    for attempt, longest in ((1, 1.0), (2, 2.0), (5, 16.0), (6, 20.0), (1_000, 20.0)):
        pauses = [backoff_s(attempt, 1.0, 20.0) for _ in range(50)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


async def test_an_item_that_trips_the_stage_holds_up_no_other() -> None:
    done: Counter[str] = Counter()
    tripped = 0

    async def run(batch: Sequence[str]) -> Sequence[str]:
        nonlocal tripped
        if "50" in batch and tripped < 20:
            tripped += 1
            raise FileNotFoundError
        done.update(batch)
        return ()

    stage = Stage("s", run, retry_s=FAST)
    stage.add([str(number) for number in range(100)])
    await until(lambda: len(done) >= 99)
    await until_empty(stage)
    assert set(done.values()) == {1}
