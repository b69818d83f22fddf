"""Writing a leg: its row and its entry in the journal by one statement, so that neither is ever without the other. Nothing commits here."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.journal import store as journal
from cells.journal.entry import Author, Entry, Overtaken
from cells.payments.stream import AT_BIRTH, CHANGING, Change, birth
from cells.payments.transfer import Transfer

# What the first entry has, by type; what is text is left out.
_TYPE_OF = {
    **dict.fromkeys(("principal", "margin", "fee", "target_amount", "recipient_fee"), "bigint"),
    **dict.fromkeys(("review_until", "deadline"), "timestamptz"), "review_reasons": "text[]",
}  # fmt: skip
_READ_BORN = ", ".join("decode(f.instruction_sha256, 'hex')" if one == "instruction_sha256" else f"f.{one}" for one in AT_BIRTH)  # fmt: skip
# One document for a batch: a statement per row, or an array per column, takes twice the time. The row is read out of the entry's own facts.
_BEGIN = f"""
    with drafts as (select * from jsonb_to_recordset($2::jsonb) as d ({journal.DRAFT}, metadata jsonb)),
    born as (
        insert into transfers (compliance_region, transfer_id, tenant_id, version, metadata, {", ".join(AT_BIRTH)}, created_at, updated_at)
        select $1, d.stream, d.tenant_id, d.version, d.metadata, {_READ_BORN}, now(), now()
        from drafts d,
            jsonb_to_record(d.facts) as f ({", ".join(f"{one} {_TYPE_OF.get(one, 'text')}" for one in AT_BIRTH)})
    )
    {journal.INTO} select $1, {journal.DRAFTED}, now(), d.facts, pg_current_xact_id() from drafts d
"""
# jsonb_populate_record is the fold: it lays what the entry says over the row as it is. A hash is written once, and as bytes.
_OVERLAID = [one for one in CHANGING if one != "instruction_sha256"]
_APPEND = f"""
    with drafts as (select * from jsonb_to_recordset($3::jsonb) as d ({journal.DRAFT})),
    moved as (
        update transfers t set version = d.version, updated_at = clock_timestamp(),
            recorded_in = greatest(t.recorded_in, pg_current_xact_id()),
            instruction_sha256 = coalesce(decode(d.facts->>'instruction_sha256', 'hex'), t.instruction_sha256),
            ({", ".join(_OVERLAID)}) = (
                select {", ".join(f"f.{one}" for one in _OVERLAID)} from jsonb_populate_record(t, d.facts - 'instruction_sha256') f
            )
        from drafts d
        where t.compliance_region = $1 and t.transfer_id = any ($2) and t.transfer_id = d.stream and t.version = d.version - 1
        returning t.transfer_id, t.updated_at, t.recorded_in
    ),
    written as (
        {journal.INTO} select $1, {journal.DRAFTED}, moved.updated_at, d.facts, moved.recorded_in
        from drafts d join moved on moved.transfer_id = d.stream
        returning stream
    )
    select stream, ({journal.WAKE}) from written
"""


async def begin(connection: Connection, region: str, legs: Sequence[tuple[Transfer, Author]], kind: str) -> None:
    """New legs, each with the first entry of its stream and who made it."""
    if legs:
        drafts = [journal.document(birth(leg, kind, author)) | {"metadata": leg.metadata} for leg, author in legs]
        await connection.execute(_BEGIN, region, drafts)


async def append(connection: Connection, region: str, changes: Sequence[Change]) -> None:
    """Carry out changes, at most one of each leg, each on the version that it was decided on. Raises Overtaken where a leg is at another
    by now: roll back, load again and decide anew."""
    if not changes:
        return
    written = await connection.fetch(
        _APPEND, region, [one.now.transfer_id for one in changes], [journal.document(one.draft()) for one in changes]
    )
    if len(written) != len(changes):
        late = {one.now.transfer_id for one in changes} - {row["stream"] for row in written}
        raise Overtaken(f"{', '.join(sorted(late))} moved on.")


async def stream(connection: Connection, region: str, transfer_id: str) -> list[Entry]:
    """All that happened to a leg, in order; none where there is no such leg."""
    return (await journal.read(connection, region, [transfer_id])).get(transfer_id, [])
