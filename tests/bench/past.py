"""Whether cost grows with the past: the same holds and the same journeys before and after a million transfers are put on record."""

from typing import Any

import asyncpg

from cells.backends.postgres import Connection, transaction
from tests.bench.alone import alone
from tests.bench.growth import holds
from tests.bench.journey import journeys
from tests.bench.rig import Rig

_PAST = 1_000_000
_AT_ONCE = 50_000
_PAST_ID = "'tr_eu1_0' || lpad(n::text, 25, '0')"
# By table, what a copy has of its own; the payment's id first.
_COPIED: dict[str, dict[str, str]] = {
    "transfers": {"transfer_id": _PAST_ID, "quote_id": "null"},
    "journal": {"stream": _PAST_ID, "born": "'1970-01-01'"},
    "customs_outbox": {"transfer_id": _PAST_ID, "sequence": "-1 - n"},
}


async def past(rig: Rig, payments: int) -> dict[str, Any]:
    """Holds a second before and after, and what a journey takes after; `journeys` has told what it takes before."""
    with alone(rig.status):
        before = await holds(rig, [rig.partner], payments)
    await _fill(rig)
    with alone(rig.status):
        after = await holds(rig, [rig.partner], payments)
    later = await journeys(rig, payments)
    return {
        "holds_per_s_before_a_million": round(before),
        "holds_per_s_after_a_million": round(after),
        **{f"{name}_after_a_million": later[name] for name in ("completed_per_s", "e2e_p50_ms", "cpu_us_per_payment")},
    }


async def _fill(rig: Rig) -> None:
    """Copies of one completed transfer with its stream and its closed row in the outbox, under ids and sequences of long ago."""
    async with transaction(rig.journal.pool) as connection:
        template = await connection.fetchval("select transfer_id from transfers where state = 'COMPLETED' limit 1")
        columns = {table: await _columns(connection, table, own) for table, own in _COPIED.items()}
    for start in range(0, _PAST, _AT_ONCE):
        async with transaction(rig.journal.pool) as connection:
            for table, own in _COPIED.items():
                await connection.execute(
                    f"insert into {table} ({', '.join(own)}, {columns[table]})"
                    f" select {', '.join(own.values())}, {columns[table]}"
                    f" from {table}, generate_series($2::integer, $3::integer) n where {next(iter(own))} = $1",
                    template, start, start + _AT_ONCE - 1,
                )  # fmt: skip
    async with transaction(rig.journal.pool) as connection:
        count = await connection.fetchval("select count(*) from transfers")
    assert count > _PAST, "a copy that nobody saw was not made"
    # What the server would do by itself within the minute, in the middle of the measurement.
    owner = await asyncpg.connect(rig.journal.spec.settings.postgres.owner)
    try:
        await owner.execute(f"vacuum (analyze) {', '.join(_COPIED)}")
    finally:
        await owner.close()


async def _columns(connection: Connection, table: str, own: dict[str, str]) -> str:
    """The table's columns that a copy has from its original."""
    names: str = await connection.fetchval(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and attname <> all ($2::text[])",
        table, list(own),
    )  # fmt: skip
    return names
