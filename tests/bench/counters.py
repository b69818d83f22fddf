"""What a run cost, counted and not timed: rows, commits, flushes, messages, calls, requests, and the CPU each process used.

The counts are exact and free of noise; the CPU seconds nearly so. All are differences between two snapshots.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import asyncpg
import psutil

from actors.listing import list_actors
from actors.runtime import Runtime
from cells.spec import CellSpec
from infra.local.record import StackStatus
from tests.bench.standing import Part

_ACTOR_COUNTS = ("calls", "batches", "processed", "journal_commits", "ledger_requests", "postings")
# Postgres reports a backend's counts to the rest of the server at most once a second.
_REPORTED_AFTER_S = 1.2


@dataclass(frozen=True, slots=True)
class Observed:
    """A cell that is watched: its spec, the port of its broker's monitor, and a runtime connected to its actors (or None)."""

    spec: CellSpec
    monitor_url: str
    runtime: Runtime | None


async def snapshot(observed: Sequence[Observed], status: StackStatus) -> Counter[str]:
    """All counters now, each as `<cell>.<what>`. Waits until Postgres has reported what it did."""
    await asyncio.sleep(_REPORTED_AFTER_S)
    counts: Counter[str] = Counter()
    for one in observed:
        found = {
            **await _database(one.spec.settings.postgres.owner),
            **await _broker(one.monitor_url),
            **await _actors(one.runtime),
        }
        counts.update({f"{one.spec.name}.{name}": value for name, value in found.items()})
    counts.update(cpu(status.parts))
    return counts


def spent(before: Mapping[str, int], after: Mapping[str, int], payments: int) -> dict[str, float]:
    """The difference per payment, without what did not move."""
    return {
        name: round((after[name] - before.get(name, 0)) / payments, 3)
        for name in sorted(after)
        if after[name] != before.get(name, 0)
    }


def total(per_payment: Mapping[str, float], what: str) -> float:
    """The sum over the cells of one count."""
    return round(sum(value for name, value in per_payment.items() if name.endswith(f".{what}")), 3)


async def of_trees(places: Sequence[tuple[str, str]], parts: Sequence[Part]) -> Counter[str]:
    """What Postgres and the processes of any tree tell; `places`: cells, each with a connection string."""
    await asyncio.sleep(_REPORTED_AFTER_S)
    counts = cpu(parts)
    for cell, dsn in places:
        counts.update({f"{cell}.{name}": value for name, value in (await _database(dsn)).items()})
    return counts


async def _database(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(
            """
            select (select xact_commit from pg_stat_database where datname = current_database()) as transactions,
                   (select coalesce(sum(fsyncs), 0)::bigint from pg_stat_io where object = 'wal') as flushes,
                   (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables
                    where schemaname <> 'ledger') as rows_written,
                   (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables
                    where schemaname = 'ledger') as ledger_rows_written,
                   (pg_current_wal_insert_lsn() - '0/0')::bigint as wal_bytes
            """
        )
    finally:
        await connection.close()
    return dict(row)


async def _broker(monitor_url: str) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"{monitor_url}/jsz?streams=1") as answer:
        found = await answer.json()
    accounts = found.get("account_details", [])
    streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
    # Each stream counts what was ever put into it: the publications of this cell and what it sourced from others.
    return {"broker_messages": sum(stream["state"]["last_seq"] for stream in streams) or found.get("messages", 0)}


async def _actors(runtime: Runtime | None) -> dict[str, int]:
    counts: Counter[str] = Counter()
    if runtime is not None:
        for row in await list_actors(runtime, deadline_s=10):
            kind = "rail" if row.kind == "rail" else "wallet"
            for name in _ACTOR_COUNTS:
                counts[f"{kind}_{name}"] += int(row.details.get(name, 0))
    return counts


def cpu(parts: Sequence[Part]) -> Counter[str]:
    """CPU microseconds of each part's process tree."""
    used: Counter[str] = Counter()
    for part in parts:
        if part.pid is None:
            continue
        try:
            root = psutil.Process(part.pid)
            for process in (root, *root.children(recursive=True)):
                times = process.cpu_times()
                name = process.name()
                what = "actors" if "RayActor" in " ".join(process.cmdline()[:1]) else part.name
                assert name
                used[f"{part.cell}.cpu_us_{what}"] += int((times.user + times.system) * 1e6)
        except psutil.NoSuchProcess:
            continue
    return used
