"""Whether cost grows with what is not a payment: many wallets, how they are placed, and a journal full of past transfers."""

import time
from statistics import median
from typing import Any

from actors.placement import Placement
from cells.backends.postgres import Connection, transaction
from tests.bench.partner import Partner, lock_in, new_partner
from tests.bench.rig import Rig

_WALLETS = (1, 10, 100, 1_000)
# An actor to itself is a process: more of them than this say nothing new on two cores.
_FEW = 10
_SPAWNED_WITHIN_S = 60.0
_PAST = 1_000_000
_AT_ONCE = 50_000
_ROUNDS = 3
_PAST_ID = "'tr_eu1_0' || lpad(n::text, 25, '0')"
# By table, what a copy has of its own besides the transfer's id.
_COPIED: dict[str, dict[str, str]] = {
    "transfers": {"quote_id": "null"},
    "timeline": {},
    "customs_outbox": {"sequence": "-1 - n"},
}


async def partners_for_growth(rig: Rig) -> list[Partner]:
    """As many as are measured; they and the actors that the placements need come into being before anything stands still."""
    partners = [rig.partner]
    while len(partners) < max(_WALLETS):
        partners.append(await new_partner(rig.home, rig.origin, rig.destination, rig.wallets))
    for placement in _placements(partners).values():
        rig.wallets.move(placement)
        for one in partners[:_FEW]:
            await lock_in(one, rig.origin, 1)
            await rig.wallets.ask(one.acceptance(rig.origin.spec.name), deadline_s=_SPAWNED_WITHIN_S)
    return partners


async def growth(rig: Rig, partners: list[Partner], payments: int) -> dict[str, Any]:
    """Holds a second with payments spread over wallets, by how the wallets are placed, and after a million past transfers have
    been put on record."""
    found: dict[str, Any] = {}
    for name, placement in _placements(partners).items():
        rig.wallets.move(placement)
        found[f"holds_per_s_{_FEW}_wallets_on_{name}"] = round(await _holds(rig, partners[:_FEW], payments))
    rig.wallets.move(Placement(hosting_actors=rig.origin.spec.entry.capacity.hosting_actors))
    for count in _WALLETS:
        found[f"holds_per_s_{count}_wallets"] = round(await _holds(rig, partners[:count], max(payments, count)))
    await _fill(rig)
    found["holds_per_s_after_a_million"] = round(await _holds(rig, partners[:1], payments))
    return found


def _placements(partners: list[Partner]) -> dict[str, Placement]:
    own = [one.wallet_id for one in partners[:_FEW]]
    return {
        "1_actor": Placement(hosting_actors=1),
        "2_actors": Placement(hosting_actors=2),
        "own_actors": Placement(hosting_actors=1, wallet_actors_max=_FEW, own=own),
    }


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
    """Copies of one completed transfer with its timeline and its closed row in the outbox, under ids and sequences of long ago."""
    async with transaction(rig.journal.pool) as connection:
        template = await connection.fetchval("select transfer_id from transfers where state = 'COMPLETED' limit 1")
        columns = {table: await _columns(connection, table, own) for table, own in _COPIED.items()}
    for start in range(0, _PAST, _AT_ONCE):
        async with transaction(rig.journal.pool) as connection:
            for table, own in _COPIED.items():
                await connection.execute(
                    f"insert into {table} ({', '.join([*own, 'transfer_id'])}, {columns[table]})"
                    f" select {', '.join([*own.values(), _PAST_ID])}, {columns[table]}"
                    f" from {table}, generate_series($2::integer, $3::integer) n where transfer_id = $1",
                    template, start, start + _AT_ONCE - 1,
                )  # fmt: skip
    async with transaction(rig.journal.pool) as connection:
        past = await connection.fetchval("select count(*) from transfers where transfer_id like 'tr_eu1_0%'")
    assert past >= _PAST, past


async def _columns(connection: Connection, table: str, own: dict[str, str]) -> str:
    """The table's columns that a copy has from its original."""
    names: str = await connection.fetchval(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and attname <> all ($2::text[])",
        table, ["transfer_id", *own],
    )  # fmt: skip
    return names
