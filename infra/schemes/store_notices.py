"""What the scheme sends to its participant, and what the participant gave back: durable until answered, and counted.

A message's body is kept sealed with the connection's secret, so that no name or account number lies here in clear.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.fernet import Fernet

from infra.schemes.store import SchemeStore, Table

_TABLES = """
create table if not exists notices (
    rail text not null,
    reference text not null,
    kind text not null,
    end_to_end_id text not null,
    tx_id text not null,
    currency text not null,
    amount_minor integer not null,
    why text not null,
    body blob not null,
    deliveries_wanted integer not null,
    deliveries integer not null,
    status text not null,
    reason text not null,
    primary key (rail, reference)
);
create index if not exists notices_open on notices (rail, reference) where deliveries < deliveries_wanted;
create index if not exists notices_tx on notices (rail, tx_id);
create table if not exists given_back (
    rail text not null,
    return_id text not null,
    tx_id text not null,
    currency text not null,
    amount_minor integer not null,
    why text not null,
    asked integer not null,
    status text not null,
    reason text not null,
    primary key (rail, return_id)
);
create index if not exists given_back_tx on given_back (rail, tx_id);
create table if not exists recalls (
    rail text not null,
    recall_id text not null,
    tx_id text not null,
    end_to_end_id text not null,
    why text not null,
    asked integer not null,
    primary key (rail, recall_id)
);
"""
CREDIT, RETURN, REPORT, NEGATIVE, NOTIFICATION = "pacs.008", "pacs.004", "pacs.002", "camt.029", "camt.054"
RECALL = "camt.056"
# A credit that the bank tells of by SNAP, where a participant speaks that.
SNAP_CREDIT = "snap.25"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the participant. `kind`: its message name. `tx_id`: of the payment or credit that it is about.

    `status`: sent, accepted, refused (with the `reason` of the first answer), or undeliverable. `why`: the reason that it gives.
    """

    rail: str
    reference: str
    kind: str
    end_to_end_id: str
    tx_id: str
    currency: str
    amount_minor: int
    why: str
    body: bytes
    deliveries_wanted: int = 1
    deliveries: int = 0
    status: str = "sent"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A return that the participant asked for. `tx_id`: the reference of the credit that it gives back."""

    rail: str
    return_id: str
    tx_id: str
    currency: str
    amount_minor: int
    why: str
    asked: int
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recall:
    """The participant's request to have a payment back."""

    rail: str
    recall_id: str
    tx_id: str
    end_to_end_id: str
    why: str
    asked: int


_NOTICES, _GIVEN_BACK, _RECALLS = Table("notices", Notice), Table("given_back", GivenBack), Table("recalls", Recall)


class NoticeStore:
    """In the same file, and the same transactions, as `store`. `secrets` by rail seal the bodies."""

    def __init__(self, store: SchemeStore, secrets: Mapping[str, bytes]) -> None:
        self._connection = store.connection
        self._connection.executescript(_TABLES)
        self._seals = {
            rail: Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"scheme notices|" + secret).digest()))
            for rail, secret in secrets.items()
        }
        self.added = True

    def add(self, one: Notice) -> None:
        sealed = replace(one, body=self._seals[one.rail].encrypt(one.body))
        self._connection.execute(_NOTICES.insert, _NOTICES.values(sealed))
        self.added = True

    def find(self, rail: str, reference: str) -> Notice | None:
        row = self._connection.execute(
            f"{_NOTICES.select} where rail = ? and reference = ?", (rail, reference)
        ).fetchone()
        return None if row is None else self._opened(Notice(*row))

    def about(self, rail: str, tx_id: str, kind: str) -> list[Notice]:
        """The messages of one kind about one payment or credit, in order."""
        rows = self._connection.execute(
            f"{_NOTICES.select} where rail = ? and tx_id = ? and kind = ? order by rowid",
            (rail, tx_id, kind),
        )
        return [self._opened(Notice(*row)) for row in rows]

    def open(self) -> list[tuple[str, str]]:
        """(rail, reference) of all that still have deliveries to come, oldest first."""
        return self._connection.execute(
            "select rail, reference from notices where deliveries < deliveries_wanted order by rowid"
        ).fetchall()

    def send_again(self, rail: str, reference: str, times: int) -> None:
        self._connection.execute(
            "update notices set deliveries_wanted = deliveries_wanted + ? where rail = ? and reference = ?",
            (times, rail, reference),
        )
        self.added = True

    def answered(self, rail: str, reference: str, status: str, reason: str) -> bool:
        """Count one answered delivery. The first answer decides; True when this one did."""
        decides = self._connection.execute(
            "update notices set status = ?, reason = ? where rail = ? and reference = ? and status in ('sent', 'undeliverable')",
            (status, reason, rail, reference),
        ).rowcount
        gone = "deliveries_wanted" if status == "undeliverable" else "deliveries + 1"
        self._connection.execute(
            f"update notices set deliveries = {gone} where rail = ? and reference = ?", (rail, reference)
        )
        return decides > 0

    def resolved(self, rail: str, tx_id: str, reason: str) -> None:
        """The participant keeps a credit that was recalled."""
        self._connection.execute(
            "update notices set status = 'refused', reason = ? where rail = ? and tx_id = ? and kind = ?",
            (reason, rail, tx_id, RECALL),
        )

    def give_back(self, one: GivenBack) -> None:
        self._connection.execute(_GIVEN_BACK.insert, _GIVEN_BACK.values(one))

    def given_back(self, rail: str, return_id: str) -> GivenBack | None:
        row = self._connection.execute(
            f"{_GIVEN_BACK.select} where rail = ? and return_id = ?", (rail, return_id)
        ).fetchone()
        return None if row is None else GivenBack(*row)

    def given_back_of(self, rail: str, tx_id: str) -> list[GivenBack]:
        rows = self._connection.execute(
            f"{_GIVEN_BACK.select} where rail = ? and tx_id = ? order by rowid", (rail, tx_id)
        )
        return [GivenBack(*row) for row in rows]

    def count_given_back(self, rail: str, return_id: str) -> None:
        self._connection.execute(
            "update given_back set asked = asked + 1 where rail = ? and return_id = ?", (rail, return_id)
        )

    def recalled(self, one: Recall) -> bool:
        """Keep a recall, or count it again; True when it is new."""
        (asked,) = self._connection.execute(
            _RECALLS.insert + " on conflict (rail, recall_id) do update set asked = asked + 1 returning asked",
            _RECALLS.values(one),
        ).fetchone()
        return bool(asked == 1)

    def recalls_of(self, rail: str, tx_id: str) -> list[Recall]:
        rows = self._connection.execute(f"{_RECALLS.select} where rail = ? and tx_id = ? order by rowid", (rail, tx_id))
        return [Recall(*row) for row in rows]

    def _opened(self, one: Notice) -> Notice:
        return replace(one, body=self._seals[one.rail].decrypt(one.body))
