"""A work queue loses nothing, runs an item once at a time, and tries again what was left over."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from actors.work_queue import WorkQueue
from residency.retry import Backoff
from tests.support.waiting import until

FAST = Backoff(0.001, 0.002)


async def until_empty(queue: WorkQueue[str]) -> None:
    await until(lambda: not len(queue))


async def test_what_gathers_becomes_one_batch() -> None:
    batches: list[list[str]] = []
    entered, release = asyncio.Event(), asyncio.Event()

    async def run(batch: Sequence[str]) -> Sequence[str]:
        batches.append(list(batch))
        entered.set()
        await release.wait()
        return ()

    queue = WorkQueue("s", run)
    queue.add(["a"])
    await entered.wait()
    queue.add(["b", "c"])
    queue.add(["c", "d"])
    release.set()
    await until_empty(queue)
    assert batches == [["a"], ["b", "c", "d"]]


async def test_left_over_items_and_failed_batches_come_again() -> None:
    seen: Counter[str] = Counter()

    async def run(batch: Sequence[str]) -> Sequence[str]:
        seen.update(batch)
        if seen["a"] == 1:
            raise ConnectionError
        return [one for one in batch if seen[one] < 4]

    queue = WorkQueue("s", run, backoff=FAST)
    queue.add(["a", "b"])
    await until_empty(queue)
    assert seen == {"a": 4, "b": 4}


async def test_an_item_added_while_under_way_runs_once_more() -> None:
    runs = 0
    queue: WorkQueue[str]

    async def run(batch: Sequence[str]) -> Sequence[str]:
        nonlocal runs
        runs += 1
        if runs == 1:
            queue.add(["a"], delay_s=0.001)
        return ()

    queue = WorkQueue("s", run)
    queue.add(["a"])
    await until_empty(queue)
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

    queue = WorkQueue("s", run, in_flight=2, batch_limit=1)
    queue.add([str(number) for number in range(10)])
    await until_empty(queue)
    assert most == 2
    assert queue.stats.processed == 10


async def test_an_item_that_trips_the_queue_holds_up_no_other() -> None:
    done: Counter[str] = Counter()
    tripped = 0

    async def run(batch: Sequence[str]) -> Sequence[str]:
        nonlocal tripped
        if "50" in batch and tripped < 20:
            tripped += 1
            raise FileNotFoundError
        done.update(batch)
        return ()

    queue = WorkQueue("s", run, backoff=FAST)
    queue.add([str(number) for number in range(100)])
    await until(lambda: len(done) >= 99)
    await until_empty(queue)
    assert set(done.values()) == {1}
