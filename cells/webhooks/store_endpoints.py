"""Endpoints as rows. None of it commits; under the API's role a tenant sees its own only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

from cells.backends.postgres import Connection, Record
from cells.journal import store as journal
from cells.journal.entry import Author, Draft, Entry
from residency.classes import Confidential, Public
from residency.errors import needed


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tenant wants its events. `event_types` is empty for all; a disabled one gets no new deliveries. `disabled_reason`:
    `owner`, `gone` or `failing`."""

    endpoint_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    url: Annotated[str, Confidential]
    event_types: Annotated[tuple[str, ...], Public]
    created_at: Annotated[datetime, Public]
    failing_since: Annotated[datetime | None, Public]
    disabled_at: Annotated[datetime | None, Public]
    disabled_reason: Annotated[str | None, Public]
    replaying: Annotated[bool, Public]


class Owned(NamedTuple):
    """An endpoint, and whose it is."""

    endpoint_id: str
    tenant_id: str


_COLUMNS = """endpoint_id, tenant_id, url, event_types, created_at, failing_since, disabled_at, disabled_reason,
    replay_until is not null as replaying"""


async def insert_endpoint(
    connection: Connection, region: str, endpoint_id: str, tenant_id: str, *, url: str, event_types: Sequence[str]
) -> Endpoint:
    row = await connection.fetchrow(
        f"""
        insert into webhook_endpoints (compliance_region, endpoint_id, tenant_id, url, event_types)
        values ($1, $2, $3, $4, $5) returning {_COLUMNS}
        """,
        region, endpoint_id, tenant_id, url, sorted(event_types),
    )  # fmt: skip
    return _endpoint(needed(row, "what is inserted is returned"))


async def lock_count(connection: Connection, tenant_id: str) -> None:
    """Until the transaction ends nobody else counts this tenant's endpoints in order to add one."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || $1, 0))", tenant_id)


async def list_endpoints(connection: Connection, region: str, tenant_id: str) -> list[Endpoint]:
    """A tenant's endpoints, oldest first, disabled ones included."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from webhook_endpoints
        where compliance_region = $1 and tenant_id = $2 and deleted_at is null order by endpoint_id
        """,
        region, tenant_id,
    )  # fmt: skip
    return [_endpoint(row) for row in rows]


async def find_endpoint(
    connection: Connection, region: str, tenant_id: str, endpoint_id: str, *, lock: bool = False
) -> Endpoint | None:
    """One of a tenant's endpoints; `lock` keeps it as it is until the end of the transaction."""
    row = await connection.fetchrow(
        f"""
        select {_COLUMNS} from webhook_endpoints
        where compliance_region = $1 and tenant_id = $2 and endpoint_id = $3 and deleted_at is null
        {"for update" if lock else ""}
        """,
        region, tenant_id, endpoint_id,
    )  # fmt: skip
    return _endpoint(row) if row is not None else None


async def change_endpoint(
    connection: Connection, region: str, endpoint_id: str, *, url: str, event_types: Sequence[str]
) -> None:
    await connection.execute(
        "update webhook_endpoints set url = $3, event_types = $4 where compliance_region = $1 and endpoint_id = $2",
        region, endpoint_id, url, sorted(event_types),
    )  # fmt: skip


async def enable_endpoint(connection: Connection, region: str, endpoint_id: str) -> None:
    """Send to it again, from this transaction on. What it missed, a replay brings."""
    await connection.execute(
        """
        update webhook_endpoints set disabled_at = null, disabled_reason = null, failing_since = null,
            listens_from = pg_current_xact_id()
        where compliance_region = $1 and endpoint_id = $2
        """,
        region, endpoint_id,
    )  # fmt: skip


async def delete_endpoint(connection: Connection, region: str, endpoint_id: str) -> None:
    """Its row stays on record; nobody sees it again."""
    await disable_endpoints(connection, region, [endpoint_id], "owner")
    await connection.execute(
        "update webhook_endpoints set deleted_at = now() where compliance_region = $1 and endpoint_id = $2",
        region, endpoint_id,
    )  # fmt: skip


async def disable_endpoints(
    connection: Connection, region: str, endpoint_ids: Sequence[str], reason: str
) -> list[Owned]:
    """Stop endpoints from now on, with what was still to be sent to them; answers those not stopped before.

    What is dropped is dead; it is told to the dead letters unless the owner wanted it so."""
    rows = await connection.fetch(
        """
        with stopped as (
            update webhook_endpoints set disabled_at = now(), disabled_reason = $3,
                replay_after_xact = null, replay_after_stream = null, replay_after_version = null, replay_until = null
            where compliance_region = $1 and endpoint_id = any ($2::text[]) and disabled_at is null
            returning endpoint_id, tenant_id
        ), dropped as (
            update webhook_deliveries d set state = 'dead', due_at = now(), dead_lettered_at = case when $3 = 'owner' then now() end
            from stopped where d.compliance_region = $1 and d.endpoint_id = stopped.endpoint_id and d.state = 'pending'
        )
        select endpoint_id, tenant_id from stopped
        """,
        region,
        endpoint_ids,
        reason,
    )
    return [Owned(**dict(row)) for row in rows]


async def note_health(
    connection: Connection, region: str, *, well: Sequence[str], failing: Sequence[str], patience: timedelta
) -> list[str]:
    """Remember since when endpoints have been failing without one success; answers those that have for longer than `patience`.

    `failing` must hold no endpoint that is in `well`. An endpoint that goes on as it was is not written to."""
    rows = await connection.fetch(
        """
        with recovered as (
            update webhook_endpoints set failing_since = null
            where compliance_region = $1 and endpoint_id = any ($2::text[]) and failing_since is not null
        ), fallen as (
            update webhook_endpoints set failing_since = now()
            where compliance_region = $1 and endpoint_id = any ($3::text[]) and failing_since is null
        )
        select endpoint_id from webhook_endpoints
        where compliance_region = $1 and endpoint_id = any ($3::text[]) and failing_since < now() - $4::interval
        """,
        region, well, failing, patience,
    )  # fmt: skip
    return [row["endpoint_id"] for row in rows]


async def record(
    connection: Connection,
    region: str,
    endpoints: Sequence[Owned],
    event: str,
    facts: Mapping[str, Any],
    author: Author,
) -> list[Entry]:
    """Write the next entry of each endpoint's stream. The caller has locked them."""
    drafts = [Draft(one.endpoint_id, 1, f"endpoint.{event}.1", one.tenant_id, author, facts) for one in endpoints]
    return await journal.write(connection, region, drafts)


def _endpoint(row: Record) -> Endpoint:
    return Endpoint(**{**dict(row), "event_types": tuple(row["event_types"])})
