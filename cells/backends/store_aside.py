"""What workers have set aside, as rows (migration 0005): what each could not read or process, why, since when, and when it is tried
again. Multi-row statements; none commits; the caller holds the writer's connection.

Invariant: nothing is forgotten. A row is closed when the worker has tried it again and met no fault, never because time has passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Annotated

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from residency.classes import Public

# Until the next try; doubled each time.
RETRY_FIRST, RETRY_LAST = timedelta(seconds=15), timedelta(hours=1)
_DOUBLINGS_MAX = 16


@dataclass(frozen=True, slots=True)
class SetAside:
    """One item that a worker leaves alone until `retry_at`. `reason`: the kind and place of the error, never its words."""

    worker: Annotated[str, Public]
    item_id: Annotated[str, Public]
    reason: Annotated[str, Public]
    attempts: Annotated[int, Public]
    since: Annotated[datetime, Public]
    retry_at: Annotated[datetime, Public]


_COLUMNS = ", ".join(one.name for one in fields(SetAside))
_ITEMS = Rows("set_aside", "item_id reason envelope:bytea")


async def put(
    connection: Connection,
    region: str,
    worker: str,
    reasons: Mapping[str, str],
    envelopes: Mapping[str, bytes] | None = None,
) -> None:
    """Set items aside, by id with the reason; one that is aside already waits longer from now on."""
    kept = envelopes or {}
    await connection.execute(
        f"""
        insert into set_aside as a (compliance_region, worker, retry_at, {_ITEMS.names})
        select $1, $2, now() + $3::interval, new.* from {_ITEMS.source(6)}
        on conflict (compliance_region, worker, item_id) do update set reason = excluded.reason, closed_at = null,
            envelope = coalesce(excluded.envelope, a.envelope),
            since = case when a.closed_at is null then a.since else now() end,
            attempts = case when a.closed_at is null then a.attempts + 1 else 1 end,
            retry_at = now() + case when a.closed_at is null
                then least($4::interval, $3::interval * power(2, least(a.attempts, $5::integer))) else $3::interval end
        """,
        region, worker, RETRY_FIRST, RETRY_LAST, _DOUBLINGS_MAX,
        *_ITEMS.arguments((one, reason, kept.get(one)) for one, reason in reasons.items()),
    )  # fmt: skip


async def aside(connection: Connection, region: str, worker: str | None = None) -> list[SetAside]:
    """What is set aside now, by one worker or by all, oldest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from set_aside where compliance_region = $1 and closed_at is null"
        " and ($2::text is null or worker = $2) order by since, worker, item_id",
        region, worker,
    )  # fmt: skip
    return [SetAside(**row) for row in rows]


async def now_due(connection: Connection, region: str, worker: str) -> tuple[list[str], list[str]]:
    """The ids that a worker leaves alone now, and those whose time for another try has come."""
    rows = await connection.fetch(
        "select item_id, retry_at <= now() as due from set_aside where compliance_region = $1 and worker = $2"
        " and closed_at is null",
        region, worker,
    )  # fmt: skip
    return [row["item_id"] for row in rows if not row["due"]], [row["item_id"] for row in rows if row["due"]]


async def envelopes(
    connection: Connection, region: str, worker: str, item_ids: Sequence[str]
) -> dict[str, tuple[bytes, datetime]]:
    """The messages kept with these, by id, each with the instant since which it waits."""
    rows = await connection.fetch(
        "select item_id, envelope, since from set_aside where compliance_region = $1 and worker = $2"
        " and item_id = any ($3::text[]) and envelope is not null",
        region, worker, item_ids,
    )  # fmt: skip
    return {row["item_id"]: (row["envelope"], row["since"]) for row in rows}


async def close(connection: Connection, region: str, worker: str, item_ids: Sequence[str]) -> None:
    """These were tried again, and met no fault. A message kept with one goes."""
    await connection.execute(
        "update set_aside set closed_at = now(), envelope = null where compliance_region = $1 and worker = $2"
        " and item_id = any ($3::text[]) and closed_at is null and retry_at <= now()",
        region, worker, item_ids,
    )  # fmt: skip


async def release(connection: Connection, region: str, item_id: str, worker: str | None = None) -> list[SetAside]:
    """Let it be tried again at once, by one worker or by every one that has set it aside; which those are."""
    rows = await connection.fetch(
        f"update set_aside set retry_at = now() where compliance_region = $1 and item_id = $2 and closed_at is null"
        f" and ($3::text is null or worker = $3) returning {_COLUMNS}",
        region, item_id, worker,
    )  # fmt: skip
    return [SetAside(**row) for row in rows]
