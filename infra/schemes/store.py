"""The scheme's own durable count, in one SQLite file: what it was asked, what it paid, what it sent.

WAL without a flush per commit: it survives a killed process, and a power cut may take the last payments of a
simulator. No names, no account numbers: a payment is told from a changed one by a fingerprint.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    inquiries integer not null default 0,
    pending_inquiries integer not null,
    fate text not null,
    reason text not null,
    at text not null,
    primary key (rail, tx_id)
);
create index if not exists payments_end_to_end on payments (rail, end_to_end_id);
create table if not exists credits (
    reference text not null,
    rail text not null,
    currency text not null,
    amount_minor integer not null,
    body blob,
    deliveries_wanted integer not null,
    deliveries integer not null default 0,
    status text not null default 'sent',
    reason text not null default '',
    primary key (rail, reference)
);
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as the scheme remembers it."""

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
    fate: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Credit:
    """One inbound credit. `status`: sent, accepted or refused.
    `body` is gone once all deliveries are answered.
    """

    reference: str
    rail: str
    currency: str
    amount_minor: int
    body: bytes | None
    deliveries_wanted: int
    deliveries: int
    status: str
    reason: str


class SchemeStore:
    """Used from one thread. Each `transaction()` is one commit."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def payment(self, rail: str, tx_id: str) -> Payment | None:
        row = self._connection.execute("select * from payments where rail = ? and tx_id = ?", (rail, tx_id)).fetchone()
        return None if row is None else Payment(*row)

    def payments_of(self, rail: str, end_to_end_id: str) -> list[Payment]:
        rows = self._connection.execute(
            "select * from payments where rail = ? and end_to_end_id = ?", (rail, end_to_end_id)
        )
        return [Payment(*row) for row in rows]

    def add_payment(self, one: Payment) -> None:
        self._connection.execute(
            "insert into payments (rail, tx_id, end_to_end_id, currency, amount_minor, fingerprint, asked,"
            " paid, inquiries, pending_inquiries, fate, reason, at) values (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                one.rail,
                one.tx_id,
                one.end_to_end_id,
                one.currency,
                one.amount_minor,
                one.fingerprint,
                one.asked,
                one.paid,
                one.inquiries,
                one.pending_inquiries,
                one.fate,
                one.reason,
                one.at,
            ),
        )

    def count_asked(self, rail: str, tx_id: str) -> None:
        self._connection.execute("update payments set asked = asked + 1 where rail = ? and tx_id = ?", (rail, tx_id))

    def count_inquiry(self, rail: str, tx_id: str) -> None:
        self._connection.execute(
            "update payments set inquiries = inquiries + 1 where rail = ? and tx_id = ?", (rail, tx_id)
        )

    def credit(self, rail: str, reference: str) -> Credit | None:
        row = self._connection.execute(
            "select * from credits where rail = ? and reference = ?", (rail, reference)
        ).fetchone()
        return None if row is None else Credit(*row)

    def add_credit(self, one: Credit) -> None:
        self._connection.execute(
            "insert into credits (reference, rail, currency, amount_minor, body, deliveries_wanted)"
            " values (?,?,?,?,?,?)",
            (one.reference, one.rail, one.currency, one.amount_minor, one.body, one.deliveries_wanted),
        )

    def credit_answered(self, rail: str, reference: str, status: str, reason: str) -> None:
        """Count one answered delivery. The first answer decides; the body goes with the last."""
        self._connection.execute(
            "update credits set deliveries = deliveries + 1,"
            " status = case when status = 'sent' then ? else status end,"
            " reason = case when status = 'sent' then ? else reason end,"
            " body = case when deliveries + 1 >= deliveries_wanted then null else body end"
            " where rail = ? and reference = ?",
            (status, reason, rail, reference),
        )

    def undelivered(self) -> list[tuple[str, str]]:
        """(rail, reference) of every credit that still has deliveries to come, oldest first."""
        return self._connection.execute(
            "select rail, reference from credits where body is not null order by rowid"
        ).fetchall()

    def statement(self, rail: str) -> tuple[int, int]:
        """(in, out) in minor units: credits that their receiver accepted, payments made."""
        coming, going = self._connection.execute(
            "select (select coalesce(sum(amount_minor), 0) from credits"
            " where rail = ?1 and status = 'accepted'),"
            " (select coalesce(sum(amount_minor * paid), 0) from payments where rail = ?1)",
            (rail,),
        ).fetchone()
        return coming, going
