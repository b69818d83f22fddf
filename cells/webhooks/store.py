"""Events and deliveries as rows: appended with the change, taken by lease, settled in batches. None of it
commits.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.webhooks.events import NewEvent
from residency.errors import needed

CHANNEL = "kovra_webhooks"
ATTEMPTS_KEPT = 20
# The first so many are never dropped: all that the schedule makes of the first sending (schedule.toml).
FIRST_KEPT = 10


class Delivery(NamedTuple):
    """A delivery that a worker has taken. `attempts` counts this one."""

    event_id: str
    endpoint_id: str
    tenant_id: str
    attempts: int
    body: str


class Settlement(NamedTuple):
    """What became of an attempt. `retry_in_s` is None when delivered or dead; `state` says which of the
    three. `error` is a class of failure, such as `timeout`.
    """

    event_id: str
    endpoint_id: str
    attempts: int
    state: str
    retry_in_s: float | None
    status: int | None
    error: str | None
    took_ms: int


class Due(NamedTuple):
    """`in_s`: until the earliest pending delivery is due (0 if one is), None if there is none. `replaying`: some endpoint is."""

    in_s: float | None
    replaying: bool


_EVENTS = Rows("events", "event_id tenant_id event_type resource_id body occurred_at:timestamptz")
_SETTLED = Rows(
    "webhook_deliveries",
    "event_id endpoint_id attempts:integer state retry_in_s:float8 last_status:integer last_error took_ms:integer",
)


async def append_events(
    connection: Connection, region: str, events: Sequence[NewEvent], *, only_to: str | None = None
) -> None:
    """Store events and what is to be delivered of them, in one statement of the caller's transaction. `only_to`: to this endpoint
    alone, whatever it listens for.

    The worker is woken at the commit, and only if somebody listens: NOTIFY makes commits queue, so it is not
    said idly.
    """
    if not events:
        return
    await connection.execute(
        f"""
        with told as (
            insert into events (compliance_region, {_EVENTS.names}) select $1, new.* from {_EVENTS.source(4)}
            returning event_id, tenant_id, event_type
        ), queued as (
            insert into webhook_deliveries (compliance_region, event_id, endpoint_id, tenant_id)
            select $1, told.event_id, endpoint.endpoint_id, told.tenant_id
            from told join webhook_endpoints endpoint
              on endpoint.compliance_region = $1 and endpoint.tenant_id = told.tenant_id
            where endpoint.deleted_at is null and endpoint.disabled_at is null
              and case when $3::text is null then endpoint.event_types = '{{}}' or told.event_type = any (endpoint.event_types)
                       else endpoint.endpoint_id = $3 end
            returning 1
        )
        select pg_notify($2, '') where exists (select from queued)
        """,
        region,
        CHANNEL,
        only_to,
        *_EVENTS.arguments(
            (one.event_id, one.tenant_id, one.event_type, one.resource_id, one.body, one.occurred_at) for one in events
        ),
    )


async def claim_deliveries(
    connection: Connection, region: str, *, limit: int, lease_s: float, busy_endpoints: Sequence[str] = (),
    busy_tenants: Sequence[str] = (), aside: Collection[str] = (),
) -> list[Delivery]:  # fmt: skip
    """Take due deliveries, oldest due first: no other worker gets them for `lease_s`, and then one does.

    `busy_endpoints` and `busy_tenants` are passed over: they have their share of the sender's attention already.
    """
    due = """
        select d.event_id, d.endpoint_id from webhook_deliveries d
        where d.compliance_region = $1 and d.state = 'pending' and d.due_at <= now()
          and d.endpoint_id <> all ($4::text[]) and d.tenant_id <> all ($6::text[])
          and d.event_id || ':' || d.endpoint_id <> all ($5::text[])
        order by d.due_at limit $2 for update skip locked
    """
    rows = await connection.fetch(
        _taking(due), region, limit, timedelta(seconds=lease_s), busy_endpoints, list(aside), busy_tenants
    )
    return [Delivery(**dict(row)) for row in rows]


async def claim_one_each(
    connection: Connection, region: str, endpoints: Sequence[str], *, limit: int, lease_s: float, aside: Collection[str]
) -> list[Delivery]:
    """Take the oldest due delivery of each of these endpoints, `limit` at most."""
    due = """
        select one.event_id, one.endpoint_id from unnest($4::text[]) as endpoint
        cross join lateral (
            select d.event_id, d.endpoint_id from webhook_deliveries d
            where d.compliance_region = $1 and d.state = 'pending' and d.endpoint_id = endpoint and d.due_at <= now()
              and d.event_id || ':' || d.endpoint_id <> all ($5::text[])
            order by d.due_at limit 1 for update skip locked
        ) as one limit $2
    """
    rows = await connection.fetch(_taking(due), region, limit, timedelta(seconds=lease_s), endpoints, list(aside))
    return [Delivery(**dict(row)) for row in rows]


def _taking(due: str) -> str:
    """The statement that takes what `due` selects: leased for $3 from now."""
    return f"""
        with due as ({due}), taken as (
            update webhook_deliveries d set attempts = d.attempts + 1, due_at = now() + $3::interval
            from due where d.compliance_region = $1 and (d.event_id, d.endpoint_id) = (due.event_id,
            due.endpoint_id) returning d.event_id, d.endpoint_id, d.tenant_id, d.attempts
        )
        select taken.*, e.body from taken
        join events e on e.compliance_region = $1 and e.event_id = taken.event_id
    """


async def settle_deliveries(connection: Connection, region: str, settlements: Sequence[Settlement]) -> None:
    """Write down attempts, each also in its delivery's log; what became of an earlier sending stays. One whose lease ran out and that somebody else has taken since changes
    nothing."""
    await connection.execute(
        f"""
        update webhook_deliveries d
        set state = done.state, last_status = done.last_status, last_error = done.last_error,
            delivered_at = coalesce(d.delivered_at, case when done.state = 'delivered' then now() end),
            due_at = now() + make_interval(secs => coalesce(done.retry_in_s, 0)),
            attempt_log = case when jsonb_array_length(d.attempt_log) >= $2 then d.attempt_log - $3::integer else d.attempt_log end
                || jsonb_build_object('at', now(), 'sending', d.sending, 'status', done.last_status, 'error', done.last_error,
                    'took_ms', done.took_ms)
        from {_SETTLED.source(4, "done")}
        where d.compliance_region = $1 and (d.event_id, d.endpoint_id) = (done.event_id, done.endpoint_id)
          and d.attempts = done.attempts and d.state = 'pending'
        """,
        region,
        ATTEMPTS_KEPT,
        FIRST_KEPT,
        *_SETTLED.arguments(settlements),
    )


async def next_due(connection: Connection, region: str) -> Due:
    """What there is to wait for."""
    row = await connection.fetchrow(
        """
        select (select greatest(extract(epoch from min(due_at) - now()), 0)::float8 from webhook_deliveries
                where compliance_region = $1 and state = 'pending') as in_s,
               exists (select from webhook_endpoints
                       where compliance_region = $1 and replay_until is not null and disabled_at is null) as replaying
        """,
        region,
    )
    row = needed(row, "what is due is one row")
    return Due(row["in_s"], row["replaying"])
