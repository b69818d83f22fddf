"""Deliveries as rows: queued by who reads the journal, taken by lease, settled in batches. None of it commits."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.journal.entry import Position
from residency.errors import needed

# Whoever has a webhook endpoint that is sent anything.
LISTENING: Final = (
    "select e.tenant_id from webhook_endpoints e"
    " where e.compliance_region = $1 and e.deleted_at is null and e.disabled_at is null"
)
ATTEMPTS_KEPT = 20
# The first so many are never dropped: all that the schedule makes of the first sending (schedule.toml).
FIRST_KEPT = 10


class Listener(NamedTuple):
    """An endpoint that is sent events: of those types, or all where there are none, of the transaction `listens_from` and later."""

    endpoint_id: str
    tenant_id: str
    event_types: tuple[str, ...]
    listens_from: int


class NewDelivery(NamedTuple):
    """An event that an endpoint is to be sent: the entry `version` of `stream`."""

    event_id: str
    endpoint_id: str
    tenant_id: str
    event_type: str
    stream: str
    version: int


class Delivery(NamedTuple):
    """A delivery that a worker has taken. `attempts` counts this one. `body`: None until it is made."""

    event_id: str
    endpoint_id: str
    tenant_id: str
    attempts: int
    stream: str
    version: int
    body: str | None = None


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


_NEW = Rows("webhook_deliveries", "event_id endpoint_id tenant_id event_type stream version:integer")
_SETTLED = Rows(
    "webhook_deliveries",
    "event_id endpoint_id attempts:integer state retry_in_s:float8 last_status:integer last_error took_ms:integer",
)
_QUEUE = f"""
    insert into webhook_deliveries as d (compliance_region, {_NEW.names}) select $1, new.* from {_NEW.source(2)}
"""


async def lock_place(connection: Connection, region: str, reader: str) -> Position | None:
    """How far a reader of the journal has come, for this transaction alone; None while another has it. A new one begins where the first endpoint
    began to listen."""
    row = await connection.fetchrow(
        """
        select recorded_in::text, stream, version from journal_readers
        where compliance_region = $1 and reader = $2 for update skip locked
        """,
        region, reader,
    ) or await connection.fetchrow(
        """
        insert into journal_readers (compliance_region, reader, recorded_in, stream, version)
        select $1, $2, coalesce(min(listens_from), pg_snapshot_xmin(pg_current_snapshot())), '', 0 from webhook_endpoints
        where compliance_region = $1 and deleted_at is null and disabled_at is null
        on conflict do nothing returning recorded_in::text, stream, version
        """,
        region, reader,
    )  # fmt: skip
    return None if row is None else Position(int(row["recorded_in"]), row["stream"], row["version"])


async def keep_place(connection: Connection, region: str, reader: str, place: Position) -> None:
    await connection.execute(
        """
        update journal_readers set recorded_in = $3::text::xid8, stream = $4, version = $5
        where compliance_region = $1 and reader = $2
        """,
        region, reader, str(place.recorded_in), place.stream, place.version,
    )  # fmt: skip


async def listeners(connection: Connection, region: str, tenants: Sequence[str]) -> list[Listener]:
    """The endpoints of these tenants that are sent events now."""
    rows = await connection.fetch(
        """
        select endpoint_id, tenant_id, event_types, listens_from::text from webhook_endpoints
        where compliance_region = $1 and tenant_id = any ($2::text[]) and deleted_at is null and disabled_at is null
        """,
        region, tenants,
    )  # fmt: skip
    return [Listener(row[0], row[1], tuple(row[2]), int(row[3])) for row in rows]


async def queue(connection: Connection, region: str, new: Sequence[NewDelivery]) -> None:
    """Deliveries that are due at once; one that is on record stays as it is."""
    if new:
        await connection.execute(
            f"{_QUEUE} on conflict (compliance_region, event_id, endpoint_id) do nothing", region, *_NEW.arguments(new)
        )


async def queue_again(connection: Connection, region: str, again: Sequence[NewDelivery]) -> None:
    """The same, and what has been sent before is sent anew."""
    if again:
        await connection.execute(
            f"""
            {_QUEUE} on conflict (compliance_region, event_id, endpoint_id)
            do update set state = 'pending', sending = d.sending + (d.attempts > 0)::integer, attempts = 0, due_at = now(),
                dead_lettered_at = null
            where d.state <> 'pending'
            """,
            region, *_NEW.arguments(again),
        )  # fmt: skip


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
            due.endpoint_id) returning d.event_id, d.endpoint_id, d.tenant_id, d.attempts, d.stream, d.version
        )
        select * from taken
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
