"""The journal as rows: fragments by which other rooms write entries in their own statements, and what reads them. Nothing commits here.

An entry is never written alone: the statement that writes a life's row writes its entry too, so neither can be without the other.

    with drafts as (select * from jsonb_to_recordset($2::jsonb) as d ({DRAFT})), moved as (update … returning …)
    written as ({INTO} select $1, {DRAFTED}, moved.updated_at, d.facts, moved.recorded_in from drafts d join moved … returning stream)
    select stream, ({WAKE}) from written

Of two writers that would write the same version of a stream, the second finds the row moved on, and writes nothing; had it not looked, the
primary key would refuse it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final

from cells.backends.postgres import Connection, Record
from cells.journal.entry import Draft, Entry, Place, Position, born_of
from cells.journal.kinds import check

# A draft as a statement takes it in.
DRAFT: Final = (
    "born date, stream text, version integer, kind text, tenant_id text, actor text, request_id text, facts jsonb"
)
INTO: Final = (
    "insert into journal (compliance_region, born, stream, version, kind, tenant_id, actor, request_id, at, facts,"
    " recorded_in)"
)
# What INTO takes of `drafts d` between the region and the time.
DRAFTED: Final = "d.born, d.stream, d.version, d.kind, d.tenant_id, d.actor, d.request_id"
CHANNEL: Final = "kovra_events"
# Wakes who sends events, at the commit, and only where an endpoint of that tenant is sent any: NOTIFY makes commits queue.
WAKE: Final = f"""
    select pg_notify('{CHANNEL}', '') where exists (
        select from drafts d join webhook_endpoints e on e.compliance_region = $1 and e.tenant_id = d.tenant_id
        where is_public(d.kind, d.facts, d.tenant_id) and e.deleted_at is null and e.disabled_at is null
    )
"""
READ: Final = "stream, version, kind, tenant_id, actor, request_id, at, recorded_in::text as recorded_in, facts"


def document(draft: Draft) -> dict[str, Any]:
    """A draft as DRAFT reads it. Raises UnknownKind, MalformedId."""
    check(draft.kind, draft.facts)
    return {
        "born": born_of(draft.stream).isoformat(),
        "stream": draft.stream,
        "version": draft.version,
        "kind": draft.kind,
        "tenant_id": draft.tenant_id,
        "actor": draft.author.actor,
        "request_id": draft.author.request_id,
        "facts": draft.facts,
    }


async def write(connection: Connection, region: str, drafts: Sequence[Draft]) -> list[Entry]:
    """The next entries of lives whose rows count no versions, at most one of each stream, as they stand. The caller has locked the rows: of two
    who write at once one meets the primary key."""
    if not drafts:
        return []
    rows = await connection.fetch(
        f"""
        with drafts as (select * from jsonb_to_recordset($2::jsonb) as d ({DRAFT})),
        written as (
            {INTO}
            select $1, d.born, d.stream, coalesce(last.version, 0) + 1, d.kind, d.tenant_id, d.actor, d.request_id, clock_timestamp(), d.facts,
                greatest(last.recorded_in, pg_current_xact_id())
            from drafts d left join lateral (
                select j.version, j.recorded_in from journal j
                where j.compliance_region = $1 and j.born = d.born and j.stream = d.stream order by j.version desc limit 1
            ) last on true
            returning *
        )
        select {READ}, ({WAKE}) from written
        """,
        region, [document(one) for one in drafts],
    )  # fmt: skip
    return [entry_of(row) for row in rows]


async def read(connection: Connection, region: str, streams: Sequence[str]) -> dict[str, list[Entry]]:
    """Whole streams, oldest entry first; one without an entry is absent. Raises MalformedId."""
    rows = await connection.fetch(
        f"""
        select {READ} from journal
        where compliance_region = $1 and born = any ($2::date[]) and stream = any ($3::text[]) order by stream, version
        """,
        region, sorted({born_of(one) for one in streams}), list(streams),
    )  # fmt: skip
    return by_stream([entry_of(row) for row in rows])


async def stream(connection: Connection, region: str, stream_id: str) -> list[Entry]:
    """All that happened in one life, in order; none where there is no such life. Raises MalformedId."""
    return (await read(connection, region, [stream_id])).get(stream_id, [])


async def read_on(
    connection: Connection, region: str, after: Position | None, limit: int
) -> list[tuple[Position, Entry]]:
    """The next entries in the order of commits, whatever is committed later: read on from the last one's position and none is missed. Of a
    stream they come in the order of their versions. What a transaction that is still open might yet come before waits for it."""
    at = after or Position(0, "", 0)
    rows = await connection.fetch(
        f"""
        select {READ} from journal
        where compliance_region = $1 and recorded_in < pg_snapshot_xmin(pg_current_snapshot())
          and recorded_in >= $2::text::xid8 and (recorded_in, stream, version) > ($2::text::xid8, $3::text, $4::integer)
        order by journal.recorded_in, stream, version limit $5
        """,
        region, str(at.recorded_in), at.stream, at.version, limit,
    )  # fmt: skip
    entries = [entry_of(row) for row in rows]
    return [(Position(one.recorded_in, one.stream, one.version), one) for one in entries]


async def page(
    connection: Connection, region: str, after: Place | None, limit: int
) -> tuple[list[Entry], Place | None]:
    """The next entries in the order of the key, in which a stream's stand together; and the place to read on from, None at the end."""
    at = after or Place(date.min, "", 0)
    rows = await connection.fetch(
        f"""
        select born, {READ} from journal
        where compliance_region = $1 and (born, stream, version) > ($2::date, $3::text, $4::integer)
        order by born, stream, version limit $5
        """,
        region, *at, limit,
    )  # fmt: skip
    last = rows[-1] if len(rows) == limit else None
    following = None if last is None else Place(last["born"], last["stream"], last["version"])
    return [entry_of(row) for row in rows], following


async def streams(connection: Connection, region: str, limit: int) -> AsyncIterator[dict[str, list[Entry]]]:
    """Every stream, whole, as many at a time as `limit` entries hold, in the order of the key."""
    begun: list[Entry] = []
    after: Place | None = None
    while True:
        entries, after = await page(connection, region, after, limit)
        begun += entries
        # The last stream of a page may go on in the next.
        rest = [] if after is None else [one for one in begun if one.stream == begun[-1].stream]
        yield by_stream(begun[: len(begun) - len(rest)])
        if after is None:
            return
        begun = rest


async def count(connection: Connection, region: str) -> int:
    """How many entries there are."""
    found: int = await connection.fetchval("select count(*) from journal where compliance_region = $1", region)
    return found


async def make_months(connection: Connection, ahead: int) -> int:
    """Make the partitions of the months to come, where they are missing; how many were made."""
    made: int = await connection.fetchval("select make_months($1)", ahead)
    return made


def entry_of(row: Record | Mapping[str, Any]) -> Entry:
    return Entry(
        row["stream"], row["version"], row["kind"], row["tenant_id"], row["actor"], row["request_id"], row["at"],
        int(row["recorded_in"]), row["facts"],
    )  # fmt: skip


def by_stream(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Entries that stand together by stream, apart. Pure."""
    return {stream: list(several) for stream, several in groupby(entries, key=lambda one: one.stream)}
