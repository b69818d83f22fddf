"""The rail actor: on record before it asks, asked once, in doubt until the scheme speaks, and pushed until the wallet has it."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actors.rail import RailFull
from cells.kit.breaker import Breaker
from cells.rails.desk import Submission
from cells.rails.rail import (
    InDoubt,
    Outcome,
    RailUnavailable,
    Refused,
    Settled,
)
from tests.support.rail_room import NOW, SETTLED, settle, silence, transfers, world
from tests.support.waiting import until


async def test_a_payment_is_asked_once_settled_told_and_acknowledged(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        ids = transfers(20)
        await one.submit(*ids)
        assert set(ids) <= set(one.record.rows)
        await until(lambda: sorted(one.record.acknowledged) == ids)
        assert sorted(one.scheme.submitted) == ids
        assert {outcome for _, outcome in one.record.told} == {SETTLED}
        assert one.scheme.inquired == []


async def test_told_again_of_the_same_payments_it_asks_nothing_new(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        (transfer,) = transfers(1)
        await one.submit(transfer)
        await one.submit(transfer, transfer)
        await until(lambda: one.record.acknowledged == [transfer])
        await one.submit(transfer)
        await until(lambda: one.record.rows[transfer].state == "answered")
        assert one.scheme.submitted == [transfer]


async def test_in_doubt_is_told_once_and_inquired_after_until_the_scheme_speaks(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        (transfer,) = transfers(1)
        answers: list[Outcome] = [
            silence(),
            InDoubt(NOW, "pending"),
            InDoubt(NOW, "not_found"),
            Refused("AC04", "Closed.", NOW),
        ]
        one.scheme.on_submit = lambda _: silence()
        one.scheme.on_inquire = lambda _: answers.pop(0)
        await one.submit(transfer)
        await until(lambda: one.record.acknowledged == [transfer])
        assert one.scheme.submitted == [transfer]
        assert one.scheme.inquired == [transfer] * 4
        assert [type(outcome) for _, outcome in one.record.told] == [InDoubt, Refused]


async def test_not_found_is_final_only_after_the_finality_time(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        (transfer,) = transfers(1)
        one.scheme.on_submit = lambda _: silence()
        one.scheme.on_inquire = lambda _: InDoubt(datetime.now(UTC), "not_found")
        await one.submit(transfer)
        await until(lambda: len(one.scheme.inquired) > 5)
        assert one.record.acknowledged == []
        row = one.record.rows[transfer]
        finality = timedelta(seconds=one.scheme.profile.finality_time_s)
        one.record.rows[transfer] = replace(row, asked_at=datetime.now(UTC) - finality)
        await one.restart()
        await until(lambda: one.record.acknowledged == [transfer])
        assert isinstance(one.record.told[-1][1], Refused)
        assert one.scheme.submitted == [transfer]


async def test_killed_after_recording_the_question_it_inquires_and_never_asks_again(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        asked, queued, answered = transfers(3)
        one.record.rows = {
            asked: Submission(asked, "asked", datetime.now(UTC)),
            queued: Submission(queued, "queued"),
            answered: Submission(answered, "answered", NOW, SETTLED),
        }
        await one.stats()
        await until(lambda: sorted(one.record.acknowledged) == [asked, queued, answered])
        assert one.scheme.submitted == [queued]
        assert set(one.scheme.inquired) == {asked}


async def test_a_scheme_that_cannot_be_reached_gets_the_same_payments_later(tmp_path: Path) -> None:
    async with world(tmp_path, breaker=Breaker(threshold=2, open_s=0.01, open_max_s=0.02)) as one:
        ids = transfers(5)
        down = True

        async def unreachable(_: str) -> None:
            if down:
                raise RailUnavailable()

        one.scheme.before_submit = unreachable
        await one.submit(*ids)

        async def opened() -> bool:
            return (await one.stats()).get("breaker") == "open"

        await until(opened)
        down = False
        await until(lambda: sorted(one.record.acknowledged) == ids)
        assert sorted(one.scheme.submitted) == ids
        assert one.scheme.inquired == []


async def test_an_open_breaker_holds_the_queue_back(tmp_path: Path) -> None:
    async with world(tmp_path, breaker=Breaker(threshold=1, open_s=60)) as one:
        first, second = transfers(2)
        one.scheme.on_submit = lambda _: silence()
        one.scheme.on_inquire = lambda _: silence()
        await one.submit(first)
        await until(lambda: len(one.scheme.inquired) > 0)
        await one.submit(second)
        await until(lambda: len(one.scheme.inquired) > 10)
        assert one.scheme.submitted == [first]
        one.scheme.on_inquire = settle  # the scheme is back: an answered inquiry says so
        await until(lambda: sorted(one.record.acknowledged) == [first] or second in one.scheme.submitted)
        await until(lambda: second in one.scheme.submitted)


async def test_one_silent_payment_delays_no_other(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        ids = transfers(10)
        release = asyncio.Event()

        async def wait_for_one(transfer: str) -> None:
            if transfer == ids[0]:
                await release.wait()

        one.scheme.before_submit = wait_for_one
        await one.submit(*ids)
        await until(lambda: sorted(one.record.acknowledged) == ids[1:])
        release.set()
        await until(lambda: sorted(one.record.acknowledged) == ids)


async def test_an_unexpected_failure_while_asking_leaves_the_payment_in_doubt(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        (transfer,) = transfers(1)

        async def stumble(_: str) -> None:
            one.scheme.submitted.append(transfer)
            raise ValueError

        one.scheme.before_submit = stumble
        await one.submit(transfer)
        await until(lambda: one.record.acknowledged == [transfer])
        assert one.scheme.submitted == [transfer]
        assert [type(outcome) for _, outcome in one.record.told] == [InDoubt, Settled]


async def test_a_payment_that_cannot_be_opened_is_refused_without_asking(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        good, bad = transfers(2)
        one.record.unopenable = {bad}
        await one.submit(good, bad)
        await until(lambda: sorted(one.record.acknowledged) == [good, bad])
        assert one.scheme.submitted == [good]


async def test_an_answer_is_pushed_until_the_wallet_has_taken_it(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        (transfer,) = transfers(1)
        one.record.refusing_pushes = 3
        await one.submit(transfer)
        await until(lambda: one.record.acknowledged == [transfer])
        assert one.record.refusing_pushes == 0
        assert Counter(one.scheme.submitted) == {transfer: 1}


async def test_the_queue_is_bounded(tmp_path: Path) -> None:
    async with world(tmp_path, queue_max=2) as one:
        with pytest.raises(RailFull):
            await one.submit(*transfers(3))
        assert one.record.rows == {}
