"""What was sent to an endpoint, and sending it again. None of it commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from cells.backends.postgres import Connection, Record
from cells.webhooks.store import CHANNEL
from cells.webhooks.store_feed import Position
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


_COLUMNS = """d.event_id, e.event_type, d.endpoint_id, d.state, d.sending, d.attempts, d.due_at, d.last_status, d.last_error, d.attempt_log,
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
        join events e on e.compliance_region = $1 and e.event_id = d.event_id
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
        join events e on e.compliance_region = $1 and e.event_id = d.event_id
        """,
        region, endpoint_id, event_id, CHANNEL,
    )  # fmt: skip
    return LoggedDelivery(**{name: row[name] for name in LoggedDelivery.__slots__}) if row is not None else None


async def start_replay(connection: Connection, region: str, endpoint_id: str, after: Position) -> None:
    """Have sent again what an endpoint wants of all that was recorded after a place and before now."""
    await connection.execute(
        """
        with started as (
            update webhook_endpoints set replay_after_xact = $3::text::xid8, replay_after_event = $4,
                replay_until = pg_current_xact_id()
            where compliance_region = $1 and endpoint_id = $2 returning 1
        )
        select pg_notify($5, '') from started
        """,
        region, endpoint_id, after.recorded_in, after.event_id, CHANNEL,
    )  # fmt: skip


async def go_on_replaying(connection: Connection, region: str, *, limit: int) -> int:
    """Queue the next page of one endpoint's replay, if one is due that has nothing due already: a replay goes on as fast as its own
    endpoint takes it. Answers how many events were looked at.

    It ends when it has passed every event of a transaction that had begun when it was asked for, and not before the last of
    those is over.
    """
    looked: int | None = await connection.fetchval(
        """
        with one as (
            select * from webhook_endpoints p
            where compliance_region = $1 and replay_until is not null and disabled_at is null
              and not exists (
                select from webhook_deliveries d
                where d.compliance_region = $1 and d.endpoint_id = p.endpoint_id and d.state = 'pending' and d.due_at <= now()
              )
            order by endpoint_id limit 1 for update skip locked
        ), page as (
            select e.event_id, e.event_type, e.recorded_in, e.tenant_id, one.endpoint_id, one.event_types from one
            cross join lateral (
                select * from events
                where compliance_region = $1 and tenant_id = one.tenant_id
                  and (recorded_in, event_id) > (one.replay_after_xact, one.replay_after_event)
                  and recorded_in < least(one.replay_until, pg_snapshot_xmin(pg_current_snapshot()))
                order by recorded_in, event_id limit $2
            ) e
        ), queued as (
            insert into webhook_deliveries as d (compliance_region, event_id, endpoint_id, tenant_id)
            select $1, event_id, endpoint_id, tenant_id from page
            where event_type <> 'webhook.test' and (event_types = '{}' or event_type = any (event_types))
            on conflict (compliance_region, event_id, endpoint_id)
            do update set state = 'pending', sending = d.sending + (d.attempts > 0)::integer, attempts = 0, due_at = now(),
                dead_lettered_at = null
            where d.state <> 'pending'
        ), reached as (
            select recorded_in, event_id from page order by recorded_in desc, event_id desc limit 1
        ), moved as (
            update webhook_endpoints p
            set replay_after_xact = coalesce((select recorded_in from reached), p.replay_after_xact),
                replay_after_event = coalesce((select event_id from reached), p.replay_after_event),
                replay_until = case when (select count(*) from page) < $2
                                     and pg_snapshot_xmin(pg_current_snapshot()) >= p.replay_until
                               then null else p.replay_until end
            from one where p.compliance_region = $1 and p.endpoint_id = one.endpoint_id
        )
        select count(*) from page
        """,
        region, limit,
    )  # fmt: skip
    return looked or 0
