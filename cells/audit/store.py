"""The trail as rows. Batch-first; none commits. Whoever appends holds the head's row until its commit, so
keep that short.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

from cells.audit.entry import Checkpoint, Entry, chain_name
from cells.audit.lines import checkpoint_line, entry_line, header_line
from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.kit.hashchain import Head, extend, genesis
from residency.errors import KovraError, needed

_ENTRY = "at, actor, tenant_id, action, resource_id, outcome, request_id"


class Growth(NamedTuple):
    """Where the chain stood before and after a batch."""

    before: Head
    after: Head


_ROWS = Rows(
    "audit_log", "sequence:bigint hash:bytea at:timestamptz actor tenant_id action resource_id outcome request_id"
)


async def append(connection: Connection, region: str, cell: str, entries: Sequence[Entry]) -> Growth:
    """Append entries in order to a cell's chain."""
    before = await _locked_head(connection, region, cell)
    heads = extend(before, [entry.body() for entry in entries])
    after = heads[-1] if heads else before
    rows = (
        (
            head.sequence,
            head.hash,
            one.at,
            one.actor,
            one.tenant_id,
            one.action,
            one.resource_id,
            one.outcome,
            one.request_id,
        )
        for head, one in zip(heads, entries, strict=True)
    )
    await connection.execute(
        f"""
        with written as (
            insert into audit_log (compliance_region, cell, {_ROWS.names}) select $1, $2, new.* from {_ROWS.source(5)}
        )
        update audit_heads set sequence = $3, hash = $4 where compliance_region = $1 and cell = $2
        """,
        region,
        cell,
        after.sequence,
        after.hash,
        *_ROWS.arguments(rows),
    )
    return Growth(before, after)


async def head(connection: Connection, region: str, cell: str) -> Head:
    """Where a cell's chain stands."""
    row = await connection.fetchrow(
        "select sequence, hash from audit_heads where compliance_region = $1 and cell = $2", region, cell
    )
    return Head(row["sequence"], row["hash"]) if row else genesis(chain_name(cell))


async def appended_here(connection: Connection, region: str, cell: str) -> bool:
    """Whether the transaction that is open has appended to the trail."""
    return bool(
        await connection.fetchval(
            """
            SELECT xmin = pg_current_xact_id_if_assigned()::xid FROM audit_heads WHERE compliance_region = $1 AND cell = $2
            """,
            region,
            cell,
        )
    )


async def add_checkpoint(connection: Connection, region: str, cell: str, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint; a head that has one already keeps the first."""
    await connection.execute(
        """
        insert into audit_checkpoints (compliance_region, cell, sequence, hash, at, kid, signature)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
        """,
        region,
        cell,
        checkpoint.head.sequence,
        checkpoint.head.hash,
        checkpoint.at,
        checkpoint.kid,
        checkpoint.signature,
    )


async def has_checkpoint(connection: Connection, region: str, cell: str, sequence: int) -> bool:
    """Whether a checkpoint vouches for the chain up to exactly this entry."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM audit_checkpoints WHERE compliance_region = $1 AND cell = $2 AND sequence = $3)
        """,
        region,
        cell,
        sequence,
    )
    return found


class EntryMissing(KovraError):
    """An entry that the trail has numbered is not in it: nothing that builds on it may leave as if it were whole."""

    code = "audit-entry-missing"
    title = "The audit trail lacks an entry"


class Span(NamedTuple):
    """Entries of a time: those after the entry `after` and up to `through`. `signed`: up to where a checkpoint vouches for them."""

    after: int
    through: int
    signed: int


async def span(connection: Connection, region: str, cell: str, since: datetime, until: datetime) -> Span:
    """The entries from `since` until before `until`, and on to the next checkpoint where there is one; `after` = `through` for none."""
    row = await connection.fetchrow(
        """
        WITH inside AS (
            SELECT min(sequence) AS first, max(sequence) AS last FROM audit_log
            WHERE compliance_region = $1 AND cell = $2 AND at >= $3 AND at < $4
        )
        SELECT first, last,
               (SELECT min(sequence) FROM audit_checkpoints WHERE compliance_region = $1 AND cell = $2 AND sequence >= last) AS next,
               (SELECT max(sequence) FROM audit_checkpoints WHERE compliance_region = $1 AND cell = $2 AND sequence <= last) AS before
        FROM inside
        """,
        region,
        cell,
        since,
        until,
    )
    if row["first"] is None:
        return Span(0, 0, 0)
    return Span(row["first"] - 1, row["next"] or row["last"], row["next"] or row["before"] or 0)


async def export(
    connection: Connection, region: str, cell: str, *, after_sequence: int = 0, through: int | None = None
) -> AsyncIterator[str]:
    """The trail as JSON lines, as verify reads it: a header, then entries up to number `through` (all by default), each checkpoint behind
    the entry it vouches for.

    Runs a cursor, so the connection must be in a transaction (repeatable read, for one consistent picture).
    """
    start = genesis(chain_name(cell))
    if after_sequence:
        start = Head(after_sequence, await _hash_at(connection, region, cell, after_sequence))
    yield header_line(cell, region, start)
    rows = connection.cursor(
        f"""
        select a.sequence, a.hash, {_ENTRY.replace("at,", "a.at,", 1)},
               c.hash as checkpoint_hash, c.at as checkpoint_at, c.kid, c.signature
        from audit_log a left join audit_checkpoints c using (compliance_region, cell, sequence)
        where a.compliance_region = $1 and a.cell = $2 and a.sequence > $3 and a.sequence <= coalesce($4, a.sequence)
        order by a.sequence
        """,
        region,
        cell,
        after_sequence,
        through,
        prefetch=1_000,
    )
    async for row in rows:
        at = Head(row["sequence"], row["hash"])
        yield entry_line(at, _entry(row))
        if row["kid"] is not None:
            vouched = Head(row["sequence"], row["checkpoint_hash"])
            yield checkpoint_line(Checkpoint(vouched, row["checkpoint_at"], row["kid"], row["signature"]))


async def of_request(connection: Connection, region: str, cell: str, request_id: str) -> list[Entry]:
    """What the trail has of one request, in its order: a caller may have sent the id more than once."""
    rows = await connection.fetch(
        f"""
        SELECT {_ENTRY} FROM audit_log WHERE compliance_region = $1 AND cell = $2 AND request_id = $3 AND request_id <> ''
        ORDER BY sequence
        """,
        region,
        cell,
        request_id,
    )
    return [_entry(row) for row in rows]


async def _locked_head(connection: Connection, region: str, cell: str) -> Head:
    query = "select sequence, hash from audit_heads where compliance_region = $1 and cell = $2 for update"
    row = await connection.fetchrow(query, region, cell)
    if row is None:
        start = genesis(chain_name(cell))
        await connection.execute(
            """
            insert into audit_heads (compliance_region, cell, sequence, hash) values ($1, $2, $3, $4)
            on conflict do nothing
            """,
            region,
            cell,
            start.sequence,
            start.hash,
        )
        row = needed(await connection.fetchrow(query, region, cell), "the head of the trail was just written")
    return Head(row["sequence"], row["hash"])


async def _hash_at(connection: Connection, region: str, cell: str, sequence: int) -> bytes:
    found: bytes | None = await connection.fetchval(
        "select hash from audit_log where compliance_region = $1 and cell = $2 and sequence = $3",
        region,
        cell,
        sequence,
    )
    if found is None:
        raise EntryMissing(f"The trail of {cell} has no entry {sequence}.")
    return found


def _entry(row: Record) -> Entry:
    return Entry(*(row[name.strip()] for name in _ENTRY.split(",")))
