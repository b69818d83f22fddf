"""The whole journey: EUR to IDR through both cells and the instant rail, timed by the journal and counted by the counters."""

import asyncio
import time
from typing import Any

from cells.backends.postgres import transaction
from cells.journal.entry import born_of
from tests.bench import counters
from tests.bench.accepting import percentiles
from tests.bench.partner import lock_in
from tests.bench.rig import Rig
from tests.bench.tree import ORIGIN
from tests.support.waiting import until

_DONE_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.25
# As the index `transfers_moving` has them.
_ENDS = "('COMPLETED', 'REFUNDED', 'REJECTED', 'CANCELLED', 'BLOCKED', 'LOST', 'PARTIALLY_RETURNED', 'RETURNED')"


async def journeys(rig: Rig, payments: int) -> dict[str, Any]:
    """A stream of payments, closed loop at the actor, until the last is COMPLETED: the rate, what each cost, and how long
    each took. Then the same at half of that rate, open loop."""
    await settled(rig)
    await lock_in(rig.partner, rig.origin, 2 * payments)
    before = await counters.snapshot(rig.observed, rig.status)
    ids = await _send(rig, payments, None)
    await _at_rest(rig, _DONE_WITHIN_S)
    rate = payments / await _span_s(rig, ids)
    after = await counters.snapshot(rig.observed, rig.status)
    cost = counters.spent(before, after, payments)
    paced = await _send(rig, payments // 2, rate / 2)
    await _at_rest(rig, _DONE_WITHIN_S)
    times = percentiles(await _durations_s(rig, paced))
    return {
        "completed_per_s": round(rate, 1),
        **{f"e2e_{name}": value for name, value in times.items()},
        **_summary(cost, after, before),
        "cost_per_payment": cost,
    }


def _summary(cost: dict[str, float], after: Any, before: Any) -> dict[str, Any]:
    batches = after[f"{ORIGIN}.wallet_ledger_requests"] - before[f"{ORIGIN}.wallet_ledger_requests"]
    postings = after[f"{ORIGIN}.wallet_postings"] - before[f"{ORIGIN}.wallet_postings"]
    return {
        "ledger_batch_mean": round(postings / max(batches, 1), 1),
        "rows_per_payment": counters.total(cost, "rows_written"),
        "ledger_rows_per_payment": counters.total(cost, "ledger_rows_written"),
        "commits_per_payment": counters.total(cost, "transactions"),
        "flushes_per_payment": counters.total(cost, "flushes"),
        "wal_bytes_per_payment": counters.total(cost, "wal_bytes"),
        "ledger_requests_per_payment": counters.total(cost, "wallet_ledger_requests"),
        "ray_calls_per_payment": round(counters.total(cost, "wallet_calls") + counters.total(cost, "rail_calls"), 3),
        "broker_messages_per_payment": counters.total(cost, "broker_messages"),
        "cpu_us_per_payment": round(sum(value for name, value in cost.items() if ".cpu_us_" in name)),
    }


async def _send(rig: Rig, payments: int, rate_per_s: float | None) -> list[str]:
    """Ask the wallet's actor for `payments`, all at once or at a rate; returns when all are accepted."""
    commands = [rig.partner.acceptance(ORIGIN) for _ in range(payments)]
    started_at = time.perf_counter()
    asked = []
    for place, command in enumerate(commands):
        if rate_per_s is not None and (wait := started_at + place / rate_per_s - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.create_task(rig.wallets.ask(command, deadline_s=60)))
    for answer in await asyncio.gather(*asked):
        assert answer.status == 202, answer
    return [one.body.transfer_id for one in commands]


async def settled(rig: Rig) -> None:
    """Wait until nothing at all is under way any more, such as what an earlier measurement began."""
    await _at_rest(rig, 5 * _DONE_WITHIN_S)


async def _at_rest(rig: Rig, within_s: float) -> None:
    """Looked at seldom, and by the index of what is under way: what looks costs those that it looks at."""

    async def looked() -> bool:
        await asyncio.sleep(_LOOK_EVERY_S)
        async with transaction(rig.journal.pool) as connection:
            moving = await connection.fetchval(f"select exists (select from transfers where state not in {_ENDS})")
        return not moving

    await until(looked, timeout_s=within_s)


async def _span_s(rig: Rig, ids: list[str]) -> float:
    """From the first payment's first commit to the last one's last, by the origin's clock."""
    async with transaction(rig.journal.pool) as connection:
        span: float = await connection.fetchval(
            "select extract(epoch from max(at) - min(at))::float8 from journal"
            " where compliance_region = $1 and born = any ($2::date[]) and stream = any ($3::text[])",
            rig.journal.spec.region, sorted(set(map(born_of, ids))), ids,
        )  # fmt: skip
    return span


async def _durations_s(rig: Rig, ids: list[str]) -> list[float]:
    """From the commit of the intent's row to that of COMPLETED, by the origin's clock."""
    async with transaction(rig.journal.pool) as connection:
        rows = await connection.fetch(
            "select extract(epoch from max(at) - min(at))::float8 as took from journal"
            " where compliance_region = $1 and born = any ($2::date[]) and stream = any ($3::text[]) group by stream",
            rig.journal.spec.region, sorted(set(map(born_of, ids))), ids,
        )  # fmt: skip
    return [row["took"] for row in rows]
