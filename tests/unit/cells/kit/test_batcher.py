"""A batcher answers each item once, and the bug of one item answers no other."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from cells.backends.postgres import StoreUnavailable
from cells.kit.batcher import Batcher
from tests.support.waiting import until

CULPRIT = 41


class Work:
    """Doubles what it is given, once `opened`; an item that is among the `bugs` fails the whole batch."""

    def __init__(self, bugs: dict[int, Exception] | None = None) -> None:
        self.bugs = bugs or {}
        self.batches: list[list[int]] = []
        self.done: list[int] = []
        self.entered, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        self.entered.set()
        await self.opened.wait()
        for item in batch:
            if item in self.bugs:
                raise self.bugs[item]
        self.done += batch
        return [2 * item for item in batch]


async def test_what_is_asked_while_a_batch_runs_is_the_next_batch() -> None:
    work = Work()
    batcher = Batcher("doubling", work)
    first = asyncio.ensure_future(batcher.ask(0))
    await work.entered.wait()
    others = asyncio.gather(*(batcher.ask(item) for item in range(1, 100)))
    await asyncio.sleep(0)
    work.opened.set()
    assert [await first, *await others] == [2 * item for item in range(100)]
    assert work.batches == [[0], list(range(1, 100))]


async def test_a_batch_has_a_limit() -> None:
    work = Work()
    work.opened.set()
    batcher = Batcher("doubling", work, batch_limit=40)
    await asyncio.gather(*(batcher.ask(item) for item in range(100)))
    assert [len(batch) for batch in work.batches] == [40, 40, 20]


@pytest.mark.parametrize(
    "bug", [asyncpg.DataError("no int64"), FileNotFoundError("codes.csv"), TimeoutError(), KeyError("x")]
)
@pytest.mark.parametrize("culprits", [[CULPRIT], [0, 1, CULPRIT, 99], range(100)])
async def test_a_bug_in_the_middle_of_a_hundred_answers_its_item_only(bug: Exception, culprits: Sequence[int]) -> None:
    work = Work(dict.fromkeys(culprits, bug))
    work.opened.set()
    batcher = Batcher("doubling", work)
    answers = await asyncio.gather(*(batcher.ask(item) for item in range(100)), return_exceptions=True)
    assert answers == [bug if item in culprits else 2 * item for item in range(100)]
    assert work.done == [item for item in range(100) if item not in culprits], "each once, in its order"
    assert await batcher.ask(100) == 200


async def test_an_outage_answers_all_that_are_not_done() -> None:
    outage = StoreUnavailable()
    work = Work({CULPRIT: outage, 70: KeyError("x")})
    work.opened.set()
    batcher = Batcher("doubling", work)
    answers = await asyncio.gather(*(batcher.ask(item) for item in range(100)), return_exceptions=True)
    assert answers == [outage] * 100
    assert len(work.batches) == 1, "nothing was done, and nothing was tried again"


async def test_an_outage_amid_the_halves_leaves_what_was_done() -> None:
    work = Work({60: KeyError("x")})
    work.opened.set()
    batcher = Batcher("doubling", work, passing=lambda _: len(work.batches) > 2)
    answers = await asyncio.gather(*(batcher.ask(item) for item in range(100)), return_exceptions=True)
    assert answers[:50] == [2 * item for item in range(50)]
    assert all(isinstance(answer, KeyError) for answer in answers[50:])


async def test_a_caller_that_is_cancelled_holds_up_no_other() -> None:
    work = Work()
    batcher = Batcher("doubling", work)
    asked = [asyncio.ensure_future(batcher.ask(item)) for item in range(3)]
    await work.entered.wait()
    asked.append(asyncio.ensure_future(batcher.ask(3)))
    await asyncio.sleep(0)
    asked[1].cancel()
    asked[3].cancel()
    work.opened.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, asyncio.CancelledError, int, asyncio.CancelledError]
    await batcher.close()
    assert work.done == [0, 1, 2, 3], "what was asked is done all the same"


async def test_close_waits_for_each_answer_and_for_what_comes_after() -> None:
    followed: list[int] = []

    async def after() -> None:
        followed.append(len(work.done))

    work = Work()
    batcher = Batcher("doubling", work, after=after)
    asked = asyncio.ensure_future(batcher.ask(1))
    await work.entered.wait()
    closing = asyncio.ensure_future(batcher.close())
    later = asyncio.ensure_future(batcher.ask(2))
    await asyncio.sleep(0)
    assert not closing.done()
    work.opened.set()
    await closing
    assert (asked.result(), later.result(), followed) == (2, 4, [1, 2])
    await batcher.close()


async def test_what_fails_after_a_batch_ends_no_other() -> None:
    async def after() -> None:
        raise asyncpg.UniqueViolationError("a bug")

    work = Work()
    batcher = Batcher("doubling", work, after=after)
    first = asyncio.ensure_future(batcher.ask(1))
    await work.entered.wait()
    second = asyncio.ensure_future(batcher.ask(2))
    await asyncio.sleep(0)
    work.opened.set()
    assert [await first, await second] == [2, 4]


async def test_nobody_waits_for_ever_when_the_batch_itself_is_ended() -> None:
    work = Work()
    batcher = Batcher("doubling", work)
    asked = [asyncio.ensure_future(batcher.ask(item)) for item in range(2)]
    await work.entered.wait()
    asked.append(asyncio.ensure_future(batcher.ask(2)))
    await asyncio.sleep(0)
    [task] = [one for one in asyncio.all_tasks() if one.get_name() == "doubling"]
    task.cancel()
    await until(lambda: all(one.done() for one in asked))
    assert all(one.cancelled() for one in asked)


async def test_work_that_answers_too_few_answers_nobody_wrongly() -> None:
    async def work(batch: Sequence[int]) -> list[int]:
        return [0]

    batcher = Batcher("wrong", work)
    answers = await asyncio.gather(*(batcher.ask(item) for item in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError] * 3
