"""Whether cost grows with what is not a payment: many wallets, how they are placed, and a journal full of past transfers."""

import time
from statistics import median
from typing import Any

import asyncpg

from actors.placement import Placement
from tests.bench.partner import Partner, lock_in, new_partner
from tests.bench.rig import Rig

_WALLETS = (1, 10, 100, 1_000)
# An actor to itself is a process: more of them than this say nothing new on two cores.
_OWN = 10
_PAST = 1_000_000
_AT_ONCE = 100_000
_ROUNDS = 3


async def partners_for_growth(rig: Rig) -> list[Partner]:
    """As many as are measured; they need both cells to come into being."""
    partners = [rig.partner]
    while len(partners) < max(_WALLETS):
        partners.append(await new_partner(rig.home, rig.origin, rig.destination, rig.wallets))
    return partners


async def growth(rig: Rig, partners: list[Partner], payments: int) -> dict[str, Any]:
    """Holds a second with payments spread over wallets on the shared hosting actors, over wallets with an actor each, and after a
    million past transfers have been put on record."""
    found: dict[str, Any] = {}
    for count in _WALLETS:
        found[f"holds_per_s_{count}_wallets"] = round(await _holds(rig, partners[:count], max(payments, count)))
    await _fill(rig)
    found["holds_per_s_after_a_million"] = round(await _holds(rig, partners[:1], payments))
    own = tuple(one.wallet_id for one in partners[:_OWN])
    rig.wallets.move(Placement(hosting_actors=1, wallet_actors_max=_OWN, own=own))
    found[f"holds_per_s_{_OWN}_own_actors"] = round(await _holds(rig, partners[:_OWN], payments))
    return found


async def _holds(rig: Rig, partners: list[Partner], payments: int) -> float:
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
