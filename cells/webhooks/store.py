"""Events and deliveries as rows: appended with the change, taken by lease, settled in batches. None of it
commits.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
from cells.backends.vault import Sealed, WrappedKey
from cells.webhooks.events import NewEvent

CHANNEL = "kovra_webhooks"


class Delivery(NamedTuple):
    """A delivery that a worker has taken: everything it needs to send it. `attempts` counts this one."""

    event_id: str
    endpoint_id: str
    tenant_id: str
    attempts: int
    body: str
    url: str
    secret: Sealed
    signer_kid: str
    signer: Sealed


class Settlement(NamedTuple):
    """What became of an attempt. `retry_in_s` is None when delivered or dead; `state` says which of the
    three.
    """

    event_id: str
    endpoint_id: str
    attempts: int
    state: str
    retry_in_s: float | None
    status: int | None
    error: str | None


class StoredEvent(NamedTuple):
    event_id: str
    event_type: str
    resource_id: str
    body: str
    occurred_at: datetime


async def append_events(connection: Connection, region: str, events: Sequence[NewEvent]) -> None:
    """Store events and what is to be delivered of them, in one statement of the caller's transaction.

    The worker is woken at the commit, and only if somebody listens: NOTIFY makes commits queue, so it is not
    said idly.
    """
    if not events:
        return
    await connection.execute(
        """
        with told as (
            insert into events (compliance_region, event_id, tenant_id, event_type, resource_id, body,
            occurred_at) select $1, n.* from jsonb_to_recordset($2::jsonb) as n (event_id text, tenant_id text,
            event_type text, resource_id text, body text, occurred_at timestamptz)
            returning event_id, tenant_id, event_type
        ), queued as (
            insert into webhook_deliveries (compliance_region, event_id, endpoint_id, tenant_id)
            select $1, told.event_id, endpoint.endpoint_id, told.tenant_id
            from told join webhook_endpoints endpoint
              on endpoint.compliance_region = $1 and endpoint.tenant_id = told.tenant_id
            where endpoint.disabled_at is null
              and (endpoint.event_types = '{}' or told.event_type = any (endpoint.event_types))
            returning 1
        )
        select pg_notify($3, '') where exists (select from queued)
        """,
        region,
        [
            {
                "event_id": one.event_id,
                "tenant_id": one.tenant_id,
                "event_type": one.event_type,
                "resource_id": one.resource_id,
                "body": one.body,
                "occurred_at": one.occurred_at,
            }
            for one in events
        ],
        CHANNEL,
    )


async def list_events(
    connection: Connection, region: str, tenant_id: str, *, before: str | None = None, limit: int = 50
) -> list[StoredEvent]:
    """A tenant's events, newest first, older than the event `before`."""
    rows = await connection.fetch(
        """
        select event_id, event_type, resource_id, body, occurred_at from events
        where compliance_region = $1 and tenant_id = $2 and event_id < coalesce($3, '~') order by event_id
        desc limit $4 """,
        region, tenant_id, before, limit,
    )  # fmt: skip
    return [StoredEvent(**dict(row)) for row in rows]


async def claim_deliveries(
    connection: Connection, region: str, *, limit: int, lease_s: float, busy_endpoints: Sequence[str] = ()
) -> list[Delivery]:
    """Take due deliveries, oldest due first: no other worker gets them for `lease_s`, and then one does.

    `busy_endpoints` are passed over: they have their share of the sender's attention already.
    """
    rows = await connection.fetch(
        """
        with due as (
            select d.event_id, d.endpoint_id from webhook_deliveries d
            where d.compliance_region = $1 and d.state = 'pending' and d.due_at <= now()
              and d.endpoint_id <> all ($4::text[])
            order by d.due_at limit $2 for update skip locked
        ), taken as (
            update webhook_deliveries d set attempts = d.attempts + 1, due_at = now() + $3::interval
            from due where d.compliance_region = $1 and (d.event_id, d.endpoint_id) = (due.event_id,
            due.endpoint_id) returning d.event_id, d.endpoint_id, d.tenant_id, d.attempts
        )
        select taken.*, e.body, p.url, p.secret_kid, p.secret_key, p.secret_nonce, p.secret_sealed, s.kid as
        signer_kid,
               s.secret_kid as signer_secret_kid, s.secret_key as signer_key, s.secret_nonce as signer_nonce,
               s.secret_sealed as signer_sealed
        from taken
        join events e on e.compliance_region = $1 and e.event_id = taken.event_id
        join webhook_endpoints p on p.compliance_region = $1 and p.endpoint_id = taken.endpoint_id
        join webhook_signers s on s.compliance_region = $1 and s.tenant_id = taken.tenant_id
        """,
        region, limit, timedelta(seconds=lease_s), busy_endpoints,
    )  # fmt: skip
    return [_delivery(row) for row in rows]


async def settle_deliveries(connection: Connection, region: str, settlements: Sequence[Settlement]) -> None:
    """Write down attempts. One whose lease ran out and that somebody else has taken since changes nothing."""
    await connection.execute(
        """
        update webhook_deliveries d
        set state = done.state, last_status = done.status, last_error = done.error,
            delivered_at = case when done.state = 'delivered' then now() end,
            due_at = now() + make_interval(secs => coalesce(done.retry_in_s, 0))
        from unnest($2::text[], $3::text[], $4::integer[], $5::text[], $6::float8[], $7::integer[],
        $8::text[])
             as done (event_id, endpoint_id, attempts, state, retry_in_s, status, error)
        where d.compliance_region = $1 and (d.event_id, d.endpoint_id) = (done.event_id, done.endpoint_id)
          and d.attempts = done.attempts and d.state = 'pending'
        """,
        region,
        *([list(column) for column in zip(*settlements, strict=True)] if settlements else [[]] * 7),
    )


async def next_due_in_s(connection: Connection, region: str) -> float | None:
    """Seconds until the earliest pending delivery is due (0 if one is), None if there is none."""
    seconds: float | None = await connection.fetchval(
        """
        select greatest(extract(epoch from min(due_at) - now()), 0)::float8 from webhook_deliveries
        where compliance_region = $1 and state = 'pending'
        """,
        region,
    )
    return seconds


async def replay_deliveries(
    connection: Connection, region: str, endpoint_id: str, event_ids: Sequence[str]
) -> list[str]:
    """Send events to an endpoint again from now on, with a fresh schedule; answers the event ids that it
    concerns.
    """
    rows = await connection.fetch(
        """
        with again as (
            update webhook_deliveries set state = 'pending', attempts = 0, due_at = now()
            where compliance_region = $1 and endpoint_id = $2 and event_id = any ($3::text[])
            returning event_id
        )
        select event_id, pg_notify($4, '') from again
        """,
        region, endpoint_id, event_ids, CHANNEL,
    )  # fmt: skip
    return [row["event_id"] for row in rows]


def _delivery(row: Record) -> Delivery:
    secret = WrappedKey(row["secret_kid"], row["secret_key"])
    signer = WrappedKey(row["signer_secret_kid"], row["signer_key"])
    return Delivery(
        row["event_id"],
        row["endpoint_id"],
        row["tenant_id"],
        row["attempts"],
        row["body"],
        row["url"],
        Sealed(secret, row["secret_nonce"], row["secret_sealed"]),
        row["signer_kid"],
        Sealed(signer, row["signer_nonce"], row["signer_sealed"]),
    )
