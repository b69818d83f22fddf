"""The rail actor: on record before it asks, asked once, in doubt until the scheme speaks, and pushed until the wallet has it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.breaker import Breaker
from actors.deployment import Deployment
from actors.in_process import InProcess
from actors.rail import RailFull
from cells.kit.command import Command
from cells.rails.desk import Submission
from cells.rails.rail import (
    Account,
    InDoubt,
    Outcome,
    Party,
    Payout,
    RailUnavailable,
    Refused,
    Settled,
    transfer_id_of,
)
from cells.rails.registry import profile_of
from residency.ids import mint
from tests.waiting import until

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SETTLED = Settled("scheme-1", NOW)
FAST = {"inquiry_first_s": 0.002, "inquiry_last_s": 0.004, "retry_first_s": 0.002, "retry_last_s": 0.004}


def silence() -> InDoubt:
    return InDoubt(datetime.now(UTC))


def settle(_: str) -> Outcome:
    return SETTLED


@dataclass
class Scheme:
    """A Rail whose answers a test decides. `profile` is SEPA Instant's: one payment a message."""

    submitted: list[str] = field(default_factory=list)
    inquired: list[str] = field(default_factory=list)
    on_submit: Callable[[str], Outcome] = settle
    on_inquire: Callable[[str], Outcome] = settle
    before_submit: Callable[[str], Awaitable[None]] | None = None
    profile: Any = field(default_factory=lambda: profile_of("sepa_instant"))

    async def submit(self, payouts: Sequence[Payout]) -> Sequence[Outcome]:
        ids = [payout.transfer_id for payout in payouts]
        for one in ids:
            if self.before_submit:
                await self.before_submit(one)
        self.submitted += ids
        return [self.on_submit(one) for one in ids]

    async def inquire(self, end_to_end_ids: Sequence[str]) -> Sequence[Outcome]:
        ids = [transfer_id_of(one) for one in end_to_end_ids]
        self.inquired += ids
        return [self.on_inquire(one) for one in ids]

    async def close(self) -> None:
        return


@dataclass
class Record:
    """The submissions table of the test, which outlives the actor."""

    rows: dict[str, Submission] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    told: list[tuple[str, Outcome]] = field(default_factory=list)
    unopenable: set[str] = field(default_factory=set)
    refusing_pushes: int = 0


class Desk:
    """A RailDesk over the test's scheme and record. Wallets are told through commands that the FolderHandler journals."""

    def __init__(self, rail: Scheme, record: Record) -> None:
        self.rail = rail
        self.book = record

    async def enqueue(self, transfer_ids: Sequence[str]) -> None:
        for one in transfer_ids:
            self.book.rows.setdefault(one, Submission(one, "queued"))

    async def mark_asked(self, transfer_ids: Sequence[str]) -> Mapping[str, datetime]:
        fresh = [one for one in transfer_ids if self.book.rows[one].state == "queued"]
        now = datetime.now(UTC)
        for one in fresh:
            self.book.rows[one] = Submission(one, "asked", now)
        return dict.fromkeys(fresh, now)

    async def mark_queued(self, transfer_ids: Sequence[str]) -> None:
        for one in transfer_ids:
            self.book.rows[one] = Submission(one, "queued")

    async def record(self, answers: Sequence[tuple[str, Outcome]]) -> None:
        for one, outcome in answers:
            if outcome.final:
                self.book.rows[one] = replace(self.book.rows[one], state="answered", outcome=outcome)

    async def acknowledge(self, transfer_ids: Sequence[str]) -> None:
        self.book.acknowledged += transfer_ids

    async def unfinished(self, after: str, limit: int) -> Sequence[Submission]:
        owed = [row for one, row in sorted(self.book.rows.items()) if one > after and one not in self.book.acknowledged]
        return owed[:limit]

    async def prepare(self, transfer_ids: Sequence[str]) -> Sequence[Payout | Refused]:
        return [
            Refused("AC01", "The account is gone.", NOW) if one in self.book.unopenable else payout(one)
            for one in transfer_ids
        ]

    async def commands(self, answers: Sequence[tuple[str, Outcome]]) -> Sequence[Command]:
        if self.book.refusing_pushes:
            self.book.refusing_pushes -= 1
            raise ConnectionError
        self.book.told += answers
        return [Command(f"{one}-{type(outcome).__name__}", "wallet", "told") for one, outcome in answers]

    async def own_wallets(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        return


def payout(transfer_id: str) -> Payout:
    account = Account("iban", "DE02120300000000202051")
    return Payout(transfer_id, 1_000, "EUR", Party("Payer"), Party("Payee", account))


_DESKS: dict[str, Desk] = {}


async def open_desk(cell: str, rail: str) -> Desk:
    return _DESKS[cell]


@dataclass
class World:
    runtime: InProcess
    deployment: Deployment
    scheme: Scheme
    record: Record

    async def submit(self, *transfer_ids: str) -> None:
        await self.deployment.rails(self.runtime).submit("sepa_instant", transfer_ids)

    async def restart(self) -> None:
        await self.runtime.crash("rail-sepa_instant")

    async def stats(self) -> Mapping[str, Any]:
        handle = await self.runtime.spawn(self.deployment.rail_service("sepa_instant"))
        return (await handle.described()).stats


@asynccontextmanager
async def world(folder: Path, **bounds: Any) -> AsyncIterator[World]:
    scheme, record = Scheme(), Record()
    _DESKS[str(folder)] = Desk(scheme, record)
    deployment = Deployment(
        str(folder),
        handler="tests.actor_doubles:open_folder_handler",
        desk=f"{__name__}:open_desk",
        rail_bounds=tuple({**FAST, **bounds}.items()),
    )
    runtime = InProcess()
    try:
        yield World(runtime, deployment, scheme, record)
    finally:
        await runtime.close()


def transfers(count: int) -> list[str]:
    return [mint("tr", "eu-1") for _ in range(count)]


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
