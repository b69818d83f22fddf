"""The record of screenings: one row per check, never changed. Multi-row statements; never commits."""

from collections.abc import Sequence
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.compliance.checker import OFFICER, Attestation, Block, Clear, Hit, Review, Verdict


class Screened(NamedTuple):
    tenant_id: str
    subject_id: str
    verdict: Verdict


_ROWS = Rows(
    "screenings",
    "tenant_id subject_id checked_at:timestamptz result reason lists:jsonb entry_list entry_reference score:integer officer",
)


async def insert(connection: Connection, region: str, items: Sequence[Screened]) -> None:
    await _ROWS.insert(connection, [_row(one) for one in items], compliance_region=region)


async def latest(connection: Connection, region: str, subject_ids: Sequence[str]) -> dict[str, Verdict]:
    """The verdict that stands on each subject that was ever screened and is visible to the connection's role: the last one, but that an
    officer's block stands until officers release it, whatever is screened meanwhile."""
    rows = await connection.fetch(
        """
        select last.*, decided.checked_at as decided_at, decided.result as decided, decided.officer, decided.lists as decided_lists
        from unnest($2::text[]) as wanted (subject_id)
        cross join lateral (
            select subject_id, checked_at, result, reason, lists from screenings s
            where s.compliance_region = $1 and s.subject_id = wanted.subject_id
            order by checked_at desc limit 1
        ) as last
        left join lateral (
            select checked_at, result, lists, officer from screenings s
            where s.compliance_region = $1 and s.subject_id = wanted.subject_id and officer <> ''
            order by checked_at desc limit 1
        ) as decided on true
        """,
        region,
        subject_ids,
    )
    return {row["subject_id"]: _standing(row) for row in rows}


async def found(connection: Connection, region: str) -> list[str]:
    """The subjects that were ever a possible match, or blocked: among them are all those that officers have to look at."""
    rows = await connection.fetch(
        "select distinct subject_id from screenings where compliance_region = $1 and result in ('review', 'block') order by 1",
        region,
    )
    return [row["subject_id"] for row in rows]


async def hits(connection: Connection, region: str, subject_ids: Sequence[str]) -> dict[str, Hit]:
    """The entry that was last met by each subject, for the officer who looks at it."""
    rows = await connection.fetch(
        """
        select distinct on (subject_id) subject_id, entry_list, entry_reference, score from screenings
        where compliance_region = $1 and subject_id = any ($2::text[]) and entry_list is not null
        order by subject_id, checked_at desc
        """,
        region,
        subject_ids,
    )
    return {row["subject_id"]: Hit(row["entry_list"], row["entry_reference"], row["score"]) for row in rows}


def _row(one: Screened) -> tuple[object, ...]:
    verdict, said = one.verdict, one.verdict.attestation
    hit = None if isinstance(verdict, Clear) else verdict.hit
    return (
        one.tenant_id, one.subject_id, said.at, said.result, _reason(verdict), dict(said.lists),
        hit and hit.list, hit and hit.reference, hit and hit.score, "" if isinstance(verdict, Review) else verdict.by,
    )  # fmt: skip


def _reason(verdict: Verdict) -> str:
    if isinstance(verdict, Review):
        return verdict.reason
    return verdict.list if isinstance(verdict, Block) else verdict.by


def _standing(row: Record) -> Verdict:
    if row["decided"] == "block":
        attestation = Attestation(row["decided_lists"], "block", row["decided_at"])
        return Block(attestation, OFFICER, "", by=row["officer"])
    return _verdict(row)


def _verdict(row: Record) -> Verdict:
    attestation = Attestation(row["lists"], row["result"], row["checked_at"])
    if row["result"] in ("clear", "reviewed"):
        return Clear(attestation, row["reason"])
    if row["result"] == "block":
        return Block(attestation, row["reason"], row["lists"][row["reason"]])
    return Review(attestation, row["reason"])
