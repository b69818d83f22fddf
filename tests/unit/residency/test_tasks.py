"""Nothing that runs in the background dies unnoticed."""

import asyncio

import pytest

from residency import tasks
from residency.retry import Backoff
from tests.support.waiting import until


async def _dies() -> None:
    raise ValueError("a person's name")


async def test_a_task_that_dies_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    tasks.start(_dies(), "the telling")
    await until(lambda: "the telling died: ValueError" in caplog.text)
    assert "person" not in caplog.text


async def test_a_loop_that_dies_begins_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BACKOFF", Backoff(0.01, 0.01))
    times = 0

    async def loop() -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise OSError
        await asyncio.Event().wait()

    kept = tasks.keep(loop, "the loop")
    await until(lambda: times == 3)
    assert caplog.text.count("the loop died and begins again") == 2
    kept.cancel()
    await asyncio.wait({kept})
    assert kept.cancelled()


async def test_what_is_asked_is_raised_where_it_is_read(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="person"):
        await tasks.asked(_dies(), "a question")
    assert not caplog.records
