"""What was sent to an endpoint, and sending it again. None of it commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from cells.backends.postgres import Connection, Record
from cells.journal.entry import Position
from cells.journal.store import CHANNEL
from cells.webhooks.store import Listener
from residency.classes import Public


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """One event's way to one endpoint. `attempt_log`: the last attempts, oldest first, each with `at`, `sending`,
    `status`, `error`, `took_ms`. `delivered_at`: when it was first taken, whatever became of it when it was sent again."""

    event_id: Annotated[str, Public]
    event_type: Annotated[str, Public]
    endpoint_id: Annotated[str, Public]
    state: Annotated[str, Public]
    sending: Annotated[int, Public]
    attempts: Annotated[int, Public]
    due_at: Annotated[datetime, Public]
    last_status: Annotated[int | None, Public]
    last_error: Annotated[str | None, Public]
    attempt_log: Annotated[list[dict[str, Any]], Public]
    delivered_at: Annotated[datetime | None, Public]
    created_at: Annotated[datetime, Public]


_COLUMNS = """d.event_id, d.event_type, d.endpoint_id, d.state, d.sending, d.attempts, d.due_at, d.last_status, d.last_error, d.attempt_log,
    d.delivered_at, d.created_at"""


async def list_deliveries(
    connection: Connection,
    region: str,
    tenant_id: str,
    endpoint_id: str,
    *,
    state: str | None = None,
    since_id: str = "",
    before_id: str | None = None,
    limit: int = 50,
) -> list[LoggedDelivery]:
    """An endpoint's deliveries of events between two event ids, newest event first."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from webhook_deliveries d
        where d.compliance_region = $1 and d.tenant_id = $2 and d.endpoint_id = $3
          and d.event_id >= $4 and d.event_id < coalesce($5, '~') and ($6::text is null or d.state = $6)
        order by d.event_id desc limit $7
        """,
        region, tenant_id, endpoint_id, since_id, before_id, state, limit,
    )  # fmt: skip
    return [LoggedDelivery(**dict(row)) for row in rows]


async def resend(connection: Connection, region: str, endpoint_id: str, event_id: str) -> LoggedDelivery | None:
    """Send an event to an endpoint again from now on, with a fresh schedule. None if it was never to go there."""
    row: Record | None = await connection.fetchrow(
        f"""
        with again as (
            update webhook_deliveries set state = 'pending', sending = sending + (attempts > 0)::integer, attempts = 0, due_at = now(),
                dead_lettered_at = null
            where compliance_region = $1 and endpoint_id = $2 and event_id = $3 returning *
        )
        select {_COLUMNS}, pg_notify($4, '') from again d
        """,
        region, endpoint_id, event_id, CHANNEL,
    )  # fmt: skip
    return LoggedDelivery(**{name: row[name] for name in LoggedDelivery.__slots__}) if row is not None else None


async def start_replay(connection: Connection, region: str, endpoint_id: str, after: Position) -> None:
    """Have sent again what an endpoint wants of all that was recorded after a place and before now."""
    await connection.execute(
        """
        with started as (
            update webhook_endpoints set replay_after_xact = $3::text::xid8, replay_after_stream = $4, replay_after_version = $5,
                replay_until = pg_current_xact_id()
            where compliance_region = $1 and endpoint_id = $2 returning 1
        )
        select pg_notify($6, '') from started
        """,
        region, endpoint_id, str(after.recorded_in), after.stream, after.version, CHANNEL,
    )  # fmt: skip


class Replay(NamedTuple):
    """A replay under way: `until`: the transaction that it was asked for in. `closed`: nothing from before that one can be committed any more."""

    listener: Listener
    after: Position
    until: str
    closed: bool


async def lock_replay(connection: Connection, region: str) -> Replay | None:
    """One endpoint's replay, for this transaction alone: of one that has nothing due already, since a replay goes on as fast as its own endpoint
    takes it."""
    row = await connection.fetchrow(
        """
        select endpoint_id, tenant_id, event_types, replay_after_xact::text, replay_after_stream, replay_after_version, replay_until::text,
            pg_snapshot_xmin(pg_current_snapshot()) >= replay_until as closed
        from webhook_endpoints p
        where compliance_region = $1 and replay_until is not null and disabled_at is null
          and not exists (
            select from webhook_deliveries d
            where d.compliance_region = $1 and d.endpoint_id = p.endpoint_id and d.state = 'pending' and d.due_at <= now()
          )
        order by endpoint_id limit 1 for update skip locked
        """,
        region,
    )
    if row is None:
        return None
    listener = Listener(row["endpoint_id"], row["tenant_id"], tuple(row["event_types"]), 0)
    after = Position(int(row["replay_after_xact"]), row["replay_after_stream"], row["replay_after_version"])
    return Replay(listener, after, row["replay_until"], row["closed"])


async def keep_replay(connection: Connection, region: str, endpoint_id: str, after: Position, *, ended: bool) -> None:
    """A replay has come so far. It ends when it has passed every entry of a transaction that had begun when it was asked for, and not before
    the last of those is over."""
    await connection.execute(
        """
        update webhook_endpoints set replay_after_xact = $3::text::xid8, replay_after_stream = $4, replay_after_version = $5,
            replay_until = case when $6 then null else replay_until end
        where compliance_region = $1 and endpoint_id = $2
        """,
        region, endpoint_id, str(after.recorded_in), after.stream, after.version, ended,
    )  # fmt: skip
