"""The journal's tables: transfers, postings, timeline. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from cells.backends.postgres import Connection, Read, Record, fetch_apart
from cells.transfers.machine import FINAL, Leg, State
from cells.transfers.transfer import Transfer

COLUMNS = ", ".join(field.name for field in fields(Transfer))
_AT_REST = [str(state) for state in FINAL]
# What an insert says, by type; the times of a row are the database's.
_TYPE_OF = {
    **dict.fromkeys(("principal", "margin", "fee", "target_amount", "recipient_fee"), "bigint"),
    **dict.fromkeys(("version", "attempt"), "integer"), **dict.fromkeys(("metadata", "answer"), "jsonb"),
    **dict.fromkeys(("in_doubt", "released"), "boolean"), "review_reasons": "text[]", "instruction_sha256": "bytea", **dict.fromkeys(("review_until", "deadline"), "timestamptz"),
}  # fmt: skip
_WRITTEN = [field.name for field in fields(Transfer) if field.name not in ("created_at", "updated_at")]
_read_written = attrgetter(*_WRITTEN)
# One document for a batch: a statement per row, or an array per column, takes twice the time. A leg's line of its timeline is written by
# the statement that moves the leg.
_LINE = "insert into timeline (compliance_region, transfer_id, tenant_id, version, event, state, room)"
_INSERT = f"""
    with born as (
        insert into transfers (compliance_region, {", ".join(_WRITTEN)})
        select $1, n.* from jsonb_to_recordset($2::jsonb)
            as n ({", ".join(f"{name} {_TYPE_OF.get(name, 'text')}" for name in _WRITTEN)})
        returning transfer_id, tenant_id, version, state
    )
    {_LINE} select $1, transfer_id, tenant_id, version, $3, state, $4 from born
"""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of one transfer: as loaded, as it shall be, the event that did it and the room that told it."""

    before: Transfer
    now: Transfer
    event: str
    room: str


async def load(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, locked for this transaction; taken in one order, so that two batches cannot deadlock."""
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and transfer_id = any ($2::text[])"
        " order by transfer_id for update",
        region, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: transfer_of(row) for row in rows}


async def read(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Transfer]:
    """The legs by id, as they are, without a lock."""
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and transfer_id = any ($2::text[])",
        region, transfer_ids,
    )  # fmt: skip
    return {row["transfer_id"]: transfer_of(row) for row in rows}


async def due_for_export(
    connection: Connection, region: str, limit: int, aside: Collection[str] = (), only: Collection[str] | None = None
) -> Read[Transfer]:
    """Legs that wait for the exporter, oldest first, locked; those that somebody else holds are left for the next round. `only`: none
    but these."""
    return await fetch_apart(
        connection, transfer_of, "transfer_id",
        f"select {COLUMNS} from transfers where compliance_region = $1 and export_due is not null"
        " and transfer_id <> all ($3::text[]) and ($4::text[] is null or transfer_id = any ($4))"
        " order by transfer_id limit $2 for update skip locked",
        region, limit, list(aside), None if only is None else list(only),
    )  # fmt: skip


async def ids_due_for_export(connection: Connection, region: str, limit: int, aside: Collection[str]) -> list[str]:
    """The ids alone of what due_for_export finds, whoever holds them."""
    rows = await connection.fetch(
        "select transfer_id from transfers where compliance_region = $1 and export_due is not null"
        " and transfer_id <> all ($3::text[]) order by transfer_id limit $2",
        region, limit, list(aside),
    )  # fmt: skip
    return [row["transfer_id"] for row in rows]


async def moving(
    connection: Connection, region: str, *, older_than: timedelta, after: str, limit: int, aside: Collection[str] = ()
) -> Read[Transfer]:
    """Legs not at rest that nothing has touched for a while, by id: what the sweep takes up."""
    return await fetch_apart(
        connection, transfer_of, "transfer_id",
        f"""
        select {COLUMNS} from transfers
        where compliance_region = $1 and state <> all ($2::text[]) and updated_at < now() - $3::interval and transfer_id > $4
          and transfer_id <> all ($6::text[])
        order by transfer_id limit $5
        """,
        region, _AT_REST, older_than, after, limit, list(aside),
    )  # fmt: skip


async def under_review(connection: Connection, region: str, limit: int) -> list[Transfer]:
    """Legs that officers have to look at, or that are frozen, oldest first."""
    rows = await connection.fetch(
        f"select {COLUMNS} from transfers where compliance_region = $1 and state in ('IN_REVIEW', 'BLOCKED')"
        " order by transfer_id limit $2",
        region, limit,
    )  # fmt: skip
    return [transfer_of(row) for row in rows]


async def insert(connection: Connection, region: str, transfers: Sequence[Transfer], event: str, room: str) -> None:
    """New legs, with the first line of their timeline."""
    if not transfers:
        return
    await connection.execute(_INSERT, region, [_document(one) for one in transfers], event, room)


async def advance(connection: Connection, region: str, transitions: Sequence[Transition]) -> set[str]:
    """Carry out transitions, each on the version it was decided on. The ids that were still at that version."""
    if not transitions:
        return set()
    rows = await connection.fetch(
        f"""
        with moved as (
            update transfers t set state = n.state, version = t.version + 1, attempt = n.attempt, in_doubt = n.in_doubt,
                export_due = n.export_due, instruction_sha256 = n.instruction_sha256, answer = n.answer,
                reason_code = n.reason_code, scheme_reference = n.scheme_reference, released = n.released,
                screening = n.screening, review_reasons = n.review_reasons, review_until = n.review_until,
                updated_at = clock_timestamp()
            from jsonb_to_recordset($3::jsonb) as n (transfer_id text, version integer, state text, attempt integer,
                in_doubt boolean, export_due text, instruction_sha256 bytea, answer jsonb, reason_code text,
                scheme_reference text, released boolean, screening text, review_reasons text[], review_until timestamptz,
                event text, room text)
            where t.compliance_region = $1 and t.transfer_id = any ($2) and t.transfer_id = n.transfer_id
              and t.version = n.version
            returning t.transfer_id, t.tenant_id, t.version, n.event, t.state, n.room
        )
        {_LINE} select $1, transfer_id, tenant_id, version, event, state, room from moved returning transfer_id
        """,
        region,
        [one.before.transfer_id for one in transitions],
        [_facts(one) for one in transitions],
    )
    return {row["transfer_id"] for row in rows}


async def keep_answers(connection: Connection, region: str, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Note what the instructed cell said of each origin leg; the first word stands."""
    await connection.execute(
        """
        update transfers t set answer = n.answer, updated_at = clock_timestamp()
        from unnest($2::text[], $3::jsonb[]) as n (transfer_id, answer)
        where t.compliance_region = $1 and t.transfer_id = any ($2) and t.transfer_id = n.transfer_id and t.answer is null
        """,
        region, list(answers), list(answers.values()),
    )  # fmt: skip


async def keep_instruction_hashes(connection: Connection, region: str, hashes: Mapping[str, bytes]) -> None:
    """SHA-256 of the envelope that instructed each origin leg: what every reply to it must name."""
    await connection.execute(
        """
        update transfers t set instruction_sha256 = n.sha256
        from unnest($2::text[], $3::bytea[]) as n (transfer_id, sha256)
        where t.compliance_region = $1 and t.transfer_id = any ($2) and t.transfer_id = n.transfer_id
        """,
        region, list(hashes), list(hashes.values()),
    )  # fmt: skip


async def mark_in_doubt(connection: Connection, region: str, transfer_ids: Sequence[str]) -> None:
    """Show that the rail has not answered; a mark beside PENDING_RAIL, not a transition."""
    await connection.execute(
        "update transfers set in_doubt = true where compliance_region = $1 and transfer_id = any ($2::text[])"
        " and state = 'PENDING_RAIL'",
        region, transfer_ids,
    )  # fmt: skip


async def transaction_time(connection: Connection) -> datetime:
    """The database's now(): the one instant of this transaction."""
    at: datetime = await connection.fetchval("select now()")
    return at


async def wake(connection: Connection, channel: str) -> None:
    """Tell whoever listens on `channel`, once this transaction commits."""
    await connection.execute("select pg_notify($1, '')", channel)


async def timeline(connection: Connection, region: str, transfer_id: str) -> list[Record]:
    """What happened to a leg, in order: version, event, state, room, at."""
    rows: list[Record] = await connection.fetch(
        "select version, event, state, room, at from timeline where compliance_region = $1 and transfer_id = $2"
        " order by version",
        region, transfer_id,
    )  # fmt: skip
    return rows


def _document(transfer: Transfer) -> dict[str, Any]:
    return {**dict(zip(_WRITTEN, _read_written(transfer), strict=True)), "instruction_sha256": _bytea(transfer)}


def _facts(one: Transition) -> dict[str, Any]:
    """What a transition changes in its row, found by the version that it was decided on."""
    now = one.now
    return {
        "transfer_id": now.transfer_id,
        "version": one.before.version,
        "state": now.state,
        "attempt": now.attempt,
        "in_doubt": now.in_doubt,
        "export_due": now.export_due,
        "instruction_sha256": _bytea(now),
        "answer": now.answer,
        "reason_code": now.reason_code,
        "scheme_reference": now.scheme_reference,
        "released": now.released,
        "screening": now.screening,
        "review_reasons": now.review_reasons,
        "review_until": now.review_until,
        "event": one.event,
        "room": one.room,
    }


def _bytea(transfer: Transfer) -> str | None:
    digest = transfer.instruction_sha256
    return None if digest is None else f"\\x{digest.hex()}"


def transfer_of(row: Record) -> Transfer:
    """A row of COLUMNS."""
    whole = {
        **row,
        "leg": Leg(row["leg"]),
        "state": State(row["state"]),
        "review_reasons": tuple(row["review_reasons"]),
    }
    return Transfer(**whole)
