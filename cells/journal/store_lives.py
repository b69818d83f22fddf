"""Lives as rows, each written with its entry by one statement, so that neither is ever without the other. Nothing commits here.

What a statement is made of follows from the life (life.py). `jsonb_populate_record` is the fold: it lays what the entry says over the row
as it is, or, at a birth, over one of which nothing is said. One document for a batch: an array per column takes twice the time.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.journal.entry import Overtaken
from cells.journal.life import Birth, Change, Life, Row
from cells.journal.store import DRAFT, DRAFTED, INTO, WAKE, document


async def begin(connection: Connection, region: str, life: Life[Row], births: Sequence[Birth[Row]]) -> set[str]:
    """New rows, each with the first entry of its stream; the ids of those that began. Of a life that may exist, one that meets what is
    unique in another row does not."""
    if not births:
        return set()
    words = ({"words": life.words_of(one.now)} for one in births) if life.unrecorded else ({} for _ in births)
    drafts = [document(life.birth(one)) | also for one, also in zip(births, words, strict=True)]
    columns = life.said_by([one.kind for one in births])
    rows = await connection.fetch(_begin(life, columns), region, drafts, life.unsaid)
    return {row["stream"] for row in rows}


async def append(connection: Connection, region: str, life: Life[Row], changes: Sequence[Change[Row]]) -> None:
    """Carry out changes, at most one of each stream, each on the version that it was decided on. Raises Overtaken where a row is at another
    by now: roll back, load again and decide anew."""
    if not changes:
        return
    drafts = [life.change(one) for one in changes]
    columns = life.said_by([one.kind for one in drafts])
    ids = [one.stream for one in drafts]
    written = await connection.fetch(_append(life, columns), region, ids, [document(one) for one in drafts])
    if len(written) != len(changes):
        late = set(ids) - {row["stream"] for row in written}
        raise Overtaken(f"{', '.join(sorted(late))} moved on.")


async def load(connection: Connection, region: str, life: Life[Row], ids: Sequence[str]) -> dict[str, Row]:
    """Rows by id, locked for this transaction; taken in one order, so that two batches cannot deadlock."""
    return await _found(connection, region, life, ids, f"order by {life.key} for update")


async def read(connection: Connection, region: str, life: Life[Row], ids: Sequence[str]) -> dict[str, Row]:
    """Rows by id, as they are, without a lock."""
    return await _found(connection, region, life, ids, "")


async def fetch(connection: Connection, region: str, life: Life[Row], where: str, *arguments: Any) -> list[Row]:
    """The rows of a region that a condition, with what follows it, finds. `arguments` begin with $2."""
    rows = await connection.fetch(_where(life, where), region, *arguments)
    return [life.of_row(row) for row in rows]


async def apart(connection: Connection, region: str, life: Life[Row], where: str, *arguments: Any) -> Read[Row]:
    """The same, where one row that cannot be read spoils no other."""
    return await fetch_apart(connection, life.of_row, life.key, _where(life, where), region, *arguments)


async def _found(connection: Connection, region: str, life: Life[Row], ids: Sequence[str], how: str) -> dict[str, Row]:
    found = await fetch(connection, region, life, f"{life.key} = any ($2::text[]) {how}", list(ids))
    return {life.id_of(one): one for one in found}


def _where(life: Life[Any], where: str) -> str:
    return f"select {', '.join(life.columns)} from {life.table} where compliance_region = $1 and {where}"


@cache
def _begin(life: Life[Any], said: Sequence[str]) -> str:
    """What no first entry says is as the table has it by default: so a role may insert no more than that."""
    own, whole = ("", "d.facts") if not life.unrecorded else (", words jsonb", "d.words || d.facts")
    columns = [one for one in life.columns if one in {*said, *life.unrecorded}]
    values = [_in_bytes(one) if one in life.in_bytes else f"f.{one}" for one in columns]
    unique = "on conflict do nothing" if life.may_exist else ""
    return f"""
        with drafts as (select * from jsonb_to_recordset($2::jsonb) as d ({DRAFT}{own})),
        born as (
            insert into {life.table} (compliance_region, {life.key}, tenant_id, {", ".join(columns)})
            select $1, d.stream, d.tenant_id, {", ".join(values)}
            from drafts d, jsonb_populate_record(
                (select n from jsonb_populate_record(null::{life.table}, $3::jsonb) n), ({whole}){_without(life.in_bytes)}
            ) f
            {unique} returning {life.key} as stream
        ),
        written as (
            {INTO} select $1, {DRAFTED}, now(), d.facts, pg_current_xact_id()
            from drafts d join born on born.stream = d.stream
            returning stream
        )
        select stream, ({WAKE}) from written
    """


@cache
def _append(life: Life[Any], columns: Sequence[str]) -> str:
    overlaid = [one for one in columns if one not in life.in_bytes]
    written = [f"{one} = coalesce({_in_bytes(one)}, t.{one})" for one in columns if one in life.in_bytes]
    if overlaid:
        record = f"jsonb_populate_record(t, d.facts{_without(life.in_bytes)})"
        written.append(
            f"({', '.join(overlaid)}) = (select {', '.join(f'f.{one}' for one in overlaid)} from {record} f)"
        )
    if life.changes_hands:
        written.append("tenant_id = d.tenant_id")
    return f"""
        with drafts as (select * from jsonb_to_recordset($3::jsonb) as d ({DRAFT})),
        moved as (
            update {life.table} t set version = d.version, updated_at = clock_timestamp(),
                recorded_in = greatest(t.recorded_in, pg_current_xact_id()), {", ".join(written)}
            from drafts d
            where t.compliance_region = $1 and t.{life.key} = any ($2) and t.{life.key} = d.stream and t.version = d.version - 1
            returning t.{life.key} as stream, t.updated_at, t.recorded_in
        ),
        written as (
            {INTO} select $1, {DRAFTED}, moved.updated_at, d.facts, moved.recorded_in
            from drafts d join moved on moved.stream = d.stream
            returning stream
        )
        select stream, ({WAKE}) from written
    """


def _in_bytes(column: str) -> str:
    return f"decode(d.facts->>'{column}', 'hex')"


def _without(columns: frozenset[str]) -> str:
    return "".join(f" - '{one}'" for one in sorted(columns))
