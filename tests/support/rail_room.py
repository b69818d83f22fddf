"""A rail actor with a scheme and a record that a test decides: the actor is real, and so is the path to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.deployment import Deployment
from actors.in_process import InProcess
from cells.kit.command import Command
from cells.rails.desk import Submission
from cells.rails.rail import (
    Account,
    InDoubt,
    Outcome,
    Party,
    Payout,
    Refused,
    ReturnOut,
    Settled,
    transfer_id_of,
)
from cells.rails.registry import profile_of
from residency.ids import mint

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SETTLED = Settled("scheme-1", NOW)
FAST = {
    "closed_last_s": 0.005,
    "inquiry_first_s": 0.002,
    "inquiry_last_s": 0.004,
    "retry_first_s": 0.002,
    "retry_last_s": 0.004,
}


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

    async def give_back(self, returns: Sequence[ReturnOut]) -> Sequence[Outcome]:
        raise AssertionError("these tests give nothing back")

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
    breakers: list[str] = field(default_factory=list)
    falls_back_to: str = ""


class Desk:
    """A RailDesk over the test's scheme and record. Wallets are told through commands that the FolderHandler journals."""

    def __init__(self, rail: Scheme, record: Record) -> None:
        self.rail = rail
        self.book = record

    async def enqueue(self, transfer_ids: Sequence[str]) -> None:
        for one in transfer_ids:
            self.book.rows.setdefault(one, Submission(one, "queued"))

    async def mark_asked(self, transfer_ids: Sequence[str]) -> Mapping[str, datetime]:
        fresh = [one for one in transfer_ids if one in self.book.rows and self.book.rows[one].state == "queued"]
        now = datetime.now(UTC)
        for one in fresh:
            self.book.rows[one] = Submission(one, "asked", now)
        return dict.fromkeys(fresh, now)

    async def mark_queued(self, transfer_ids: Sequence[str]) -> None:
        for one in transfer_ids:
            self.book.rows[one] = Submission(one, "queued")

    async def record(self, answers: Sequence[tuple[str, Outcome]]) -> Mapping[str, Outcome]:
        standing: dict[str, Outcome] = {}
        for one, outcome in answers:
            kept = self.book.rows[one].outcome
            if outcome.final and kept is None:
                self.book.rows[one] = replace(self.book.rows[one], state="answered", outcome=outcome)
            elif outcome.final and kept is not None and type(kept) is not type(outcome):
                standing[one] = kept
        return standing

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

    async def fall_back(self, transfer_ids: Sequence[str], now: datetime) -> Mapping[str, Sequence[str]]:
        to = self.book.falls_back_to
        moved = [one for one in transfer_ids if to and self.book.rows[one].state == "queued"]
        for one in moved:
            del self.book.rows[one]  # it is another rail's now
        return {to: moved} if moved else {}

    async def note_breaker(self, state: str) -> None:
        self.book.breakers.append(state)

    async def own_wallets(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        return


def payout(transfer_id: str) -> Payout:
    account = Account("iban", "DE02120300000000202051")
    return Payout(transfer_id, 1_000, "EUR", Party("Payer"), Party("Payee", account))


_DESKS: dict[tuple[str, str], Desk] = {}
OTHER_RAIL = "faster_payments"


class Clock:
    """The rails' clock of a test."""

    at: datetime = NOW


def clock() -> datetime:
    return Clock.at


async def open_desk(cell: str, rail: str) -> Desk:
    return _DESKS[cell, rail]


@dataclass
class World:
    runtime: InProcess
    deployment: Deployment
    scheme: Scheme
    record: Record
    other: Scheme

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
    Clock.at = NOW
    other = Scheme()
    _DESKS[str(folder), "sepa_instant"] = Desk(scheme, record)
    _DESKS[str(folder), OTHER_RAIL] = Desk(other, Record())
    deployment = Deployment(
        str(folder),
        handler="tests.support.actor_doubles:open_folder_handler",
        desk=f"{__name__}:open_desk",
        clock=f"{__name__}:clock",
        rail_bounds=tuple({**FAST, **bounds}.items()),
    )
    runtime = InProcess()
    try:
        yield World(runtime, deployment, scheme, record, other)
    finally:
        await runtime.close()


def transfers(count: int) -> list[str]:
    return [mint("tr", "eu-1") for _ in range(count)]
