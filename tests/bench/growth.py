"""Whether cost grows with what is not a payment: many wallets, and a journal full of past transfers."""

import time
from statistics import median
from typing import Any

import asyncpg

from tests.bench.partner import lock_in, new_partner
from tests.bench.rig import Rig

_WALLETS = (1, 10, 100, 1_000)
_PAST = 1_000_000
_AT_ONCE = 100_000
_ROUNDS = 3


async def growth(rig: Rig, payments: int) -> dict[str, Any]:
    """Holds a second with payments spread over wallets, and again after a million past transfers have been put on record."""
    partners = [rig.partner]
    found: dict[str, Any] = {}
    for count in _WALLETS:
        while len(partners) < count:
            partners.append(await new_partner(rig.home, rig.origin, rig.destination, rig.wallets))
        found[f"holds_per_s_{count}_wallets"] = round(await _holds(rig, partners[:count], max(payments, count)))
    await _fill(rig)
    found["holds_per_s_after_a_million"] = round(await _holds(rig, partners[:1], payments))
    return found


async def _holds(rig: Rig, partners: list[Any], payments: int) -> float:
    rates = []
    for _ in range(_ROUNDS):
        each = payments // len(partners)
        for one in partners:
            await lock_in(one, rig.origin, each)
        commands = [one.acceptance(rig.origin.spec.name) for one in partners for _ in range(each)]
        started = time.perf_counter()
        replies = await rig.wallets.ask_many(commands, deadline_s=60)
        rates.append(len(commands) / (time.perf_counter() - started))
        assert all(one.status == 202 for one in replies), replies[0]
    return median(rates)


async def _fill(rig: Rig) -> None:
    """Copies of one completed transfer, with its postings and timeline, under ids of long ago."""
    connection = await asyncpg.connect(rig.journal.spec.settings.postgres.owner)
    try:
        template = await connection.fetchval("select transfer_id from transfers where state = 'COMPLETED' limit 1")
        columns = await connection.fetchval(
            "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
            " where attrelid = 'transfers'::regclass and attnum > 0 and attname not in ('transfer_id', 'quote_id')"
        )
        for start in range(0, _PAST, _AT_ONCE):
            await connection.execute(
                f"insert into transfers (transfer_id, {columns}) select 'tr_eu1_0' || lpad(n::text, 25, '0'), {columns}"
                " from transfers, generate_series($2::integer, $3::integer) n where transfer_id = $1",
                template, start, start + _AT_ONCE - 1,
            )  # fmt: skip
        await connection.execute("analyze transfers")
    finally:
        await connection.close()
