"""The scheme's own durable record, in one SQLite file: what it was asked, what it paid, and every movement of money.

WAL without a flush per commit: it survives a killed process, and a power cut may take the last payments of a
simulator. No names, no account numbers: a payment is told from a changed one by a fingerprint.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

_TABLES = """
create table if not exists payments (
    rail text not null,
    tx_id text not null,
    end_to_end_id text not null,
    currency text not null,
    amount_minor integer not null,
    fingerprint text not null,
    asked integer not null,
    paid integer not null,
    inquiries integer not null,
    pending_inquiries integer not null,
    pending_code text not null,
    late integer not null,
    recall text not null,
    deaf integer not null,
    fate text not null,
    reason text not null,
    at text not null,
    primary key (rail, tx_id)
);
create index if not exists payments_end_to_end on payments (rail, end_to_end_id);
create table if not exists entries (
    rail text not null,
    day text not null,
    direction text not null,
    kind text not null,
    currency text not null,
    amount_minor integer not null,
    reference text not null,
    end_to_end_id text not null,
    at text not null
);
create index if not exists entries_day on entries (rail, day);
create table if not exists plans (
    number integer primary key,
    rail text not null,
    due_at text not null,
    what text not null,
    tx_id text not null,
    amount_minor integer not null,
    reason text not null
);
create table if not exists moves (
    reference text not null,
    plan integer not null,
    primary key (reference, plan)
);
create table if not exists settings (
    rail text not null,
    name text not null,
    value text not null,
    primary key (rail, name)
);
"""
Fate = Literal["settled", "rejected", "lost", "open"]
Direction = Literal["CRDT", "DBIT"]
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as the scheme remembers it. `fate` open: nobody knows yet, and inquiries hear `pending_code`.

    `late`: the truth is pushed once an inquiry has heard "pending". `recall`: what a recall of it will hear. `deaf`: the first
    inquiry is refused itself.
    """

    rail: str
    tx_id: str
    end_to_end_id: str
    currency: str
    amount_minor: int
    fingerprint: str
    asked: int
    paid: int
    inquiries: int
    pending_inquiries: int
    pending_code: str
    late: int
    recall: str
    deaf: int
    fate: Fate
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on the participant's account at the scheme: CRDT is money in. `day` is simulator time."""

    rail: str
    day: str
    direction: Direction
    kind: str
    currency: str
    amount_minor: int
    reference: str
    end_to_end_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What the scheme will do by itself when simulator time reaches `due_at`."""

    rail: str
    due_at: str
    what: Literal["settled", "rejected", "return"]
    tx_id: str
    amount_minor: int
    reason: str


class Table(Generic[_Row]):
    """A table whose columns are the fields of a dataclass: its statements, written once."""

    def __init__(self, name: str, kind: type[_Row]) -> None:
        names = [one.name for one in fields(cast("type[Any]", kind))]
        self.kind = kind
        self.select = f"select {', '.join(names)} from {name}"
        self.insert = f"insert into {name} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
        self.values: Callable[[_Row], tuple[Any, ...]] = attrgetter(*names)


_PAYMENTS, _ENTRIES, _PLANS = Table("payments", Payment), Table("entries", Entry), Table("plans", Plan)


class SchemeStore:
    """Used from one thread. Each `transaction()` is one commit."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = normal")
        self.connection.executescript(_TABLES)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def payment(self, rail: str, tx_id: str) -> Payment | None:
        row = self.connection.execute(f"{_PAYMENTS.select} where rail = ? and tx_id = ?", (rail, tx_id)).fetchone()
        return None if row is None else Payment(*row)

    def payments_of(self, rail: str, end_to_end_id: str) -> list[Payment]:
        rows = self.connection.execute(
            f"{_PAYMENTS.select} where rail = ? and end_to_end_id = ?", (rail, end_to_end_id)
        )
        return [Payment(*row) for row in rows]

    def add_payment(self, one: Payment) -> None:
        self.connection.execute(_PAYMENTS.insert, _PAYMENTS.values(one))

    def count_asked(self, rail: str, tx_id: str) -> None:
        self.connection.execute("update payments set asked = asked + 1 where rail = ? and tx_id = ?", (rail, tx_id))

    def count_inquiry(self, rail: str, tx_id: str) -> None:
        self.connection.execute(
            "update payments set inquiries = inquiries + 1 where rail = ? and tx_id = ?", (rail, tx_id)
        )

    def decide(self, one: Payment) -> None:
        """Keep the payment's new fate, reason, time and count of having been paid."""
        self.connection.execute(
            "update payments set fate = ?, reason = ?, paid = ?, at = ?, pending_inquiries = 0"
            " where rail = ? and tx_id = ?",
            (one.fate, one.reason, one.paid, one.at, one.rail, one.tx_id),
        )

    def book(self, one: Entry) -> None:
        self.connection.execute(_ENTRIES.insert, _ENTRIES.values(one))

    def entries(self, rail: str, day: str) -> list[Entry]:
        """The day's movements, in order."""
        rows = self.connection.execute(f"{_ENTRIES.select} where rail = ? and day = ? order by rowid", (rail, day))
        return [Entry(*row) for row in rows]

    def page(self, rail: str, days: tuple[str, str], skip: int, limit: int) -> tuple[int, list[Entry]]:
        """Movements of a period, in order, after the first `skip` of it; and what those that are skipped add up to, in minor units."""
        within = "rail = ? and day between ? and ? order by rowid limit ? offset ?"
        rows = self.connection.execute(f"{_ENTRIES.select} where {within}", (rail, *days, limit, skip))
        (before,) = self.connection.execute(
            "select coalesce(sum(case direction when 'CRDT' then amount_minor else -amount_minor end), 0)"
            f" from (select direction, amount_minor from entries where {within})",
            (rail, *days, skip, 0),
        ).fetchone()
        return before, [Entry(*row) for row in rows]

    def totals(self, rail: str, before_day: str = "9999") -> tuple[int, int]:
        """(in, out) in minor units of all movements on days before the given one; of all, without one."""
        coming, going = self.connection.execute(
            "select coalesce(sum(amount_minor) filter (where direction = 'CRDT'), 0),"
            " coalesce(sum(amount_minor) filter (where direction = 'DBIT'), 0)"
            " from entries where rail = ? and day < ?",
            (rail, before_day),
        ).fetchone()
        return coming, going

    def add_plan(self, one: Plan) -> None:
        self.connection.execute(_PLANS.insert, _PLANS.values(one))

    def next_plan(self) -> str | None:
        """When the next plan is due; None without one."""
        (due_at,) = self.connection.execute("select min(due_at) from plans").fetchone()
        return None if due_at is None else str(due_at)

    def planned(self, rail: str, after: str, limit: int) -> list[str]:
        """The end-to-end ids of payments about which something is planned: so many, in order, after that one."""
        rows = self.connection.execute(
            "select distinct end_to_end_id from plans join payments using (rail, tx_id)"
            " where rail = ? and end_to_end_id > ? order by end_to_end_id limit ?",
            (rail, after, limit),
        )
        return [str(row[0]) for row in rows]

    def plans_of(self, rail: str, end_to_end_ids: Sequence[str]) -> list[tuple[int, str]]:
        """(number, when it is due) of what is planned about these payments."""
        found: list[tuple[int, str]] = []
        for one in end_to_end_ids:
            found += self.connection.execute(
                "select number, due_at from plans join payments using (rail, tx_id) where rail = ? and end_to_end_id = ?",
                (rail, one),
            )
        return found

    def move_plan(self, number: int, due_at: str, reference: str) -> None:
        """Have a plan due then; once for each reference."""
        new = self.connection.execute(
            "insert into moves (reference, plan) values (?, ?) on conflict do nothing", (reference, number)
        )
        if new.rowcount:
            self.connection.execute("update plans set due_at = ? where number = ?", (due_at, number))

    def take_due(self, now: str) -> Sequence[Plan]:
        """The plans that are due, oldest first; they are gone from the record."""
        rows = self.connection.execute(f"{_PLANS.select} where due_at <= ? order by due_at, number", (now,)).fetchall()
        self.connection.execute("delete from moves where plan in (select number from plans where due_at <= ?)", (now,))
        self.connection.execute("delete from plans where due_at <= ?", (now,))
        return [Plan(*row) for row in rows]

    def setting(self, rail: str, name: str) -> str | None:
        row = self.connection.execute("select value from settings where rail = ? and name = ?", (rail, name)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, rail: str, name: str, value: str) -> None:
        self.connection.execute(
            "insert into settings (rail, name, value) values (?, ?, ?)"
            " on conflict (rail, name) do update set value = excluded.value",
            (rail, name, value),
        )
