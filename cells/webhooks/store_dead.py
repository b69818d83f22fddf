"""Deliveries that were given up, until the cell's stream of dead letters has them. None of it commits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.backends.rows import Rows


class DeadLetter(NamedTuple):
    """A delivery that was given up, to be told to the cell's stream of dead letters: ids only."""

    event_id: str
    endpoint_id: str
    tenant_id: str
    attempts: int
    last_status: int | None
    last_error: str | None
    given_up_at: datetime


_KEYS = Rows("webhook_deliveries", "event_id endpoint_id")


async def dead_letters(
    connection: Connection, region: str, *, limit: int, aside: Collection[str] = ()
) -> Read[DeadLetter]:
    """Deliveries given up and not yet told to the stream."""
    return await fetch_apart(
        connection, lambda row: DeadLetter(*row[1:]), "delivery",
        """
        select event_id || ':' || endpoint_id as delivery, event_id, endpoint_id, tenant_id, attempts, last_status, last_error,
            due_at as given_up_at
        from webhook_deliveries
        where compliance_region = $1 and state = 'dead' and dead_lettered_at is null
          and event_id || ':' || endpoint_id <> all ($3::text[])
        order by event_id limit $2
        """,
        region, limit, list(aside),
    )  # fmt: skip


async def dead_lettered(connection: Connection, region: str, letters: Sequence[DeadLetter]) -> None:
    """They are in the stream."""
    await connection.execute(
        f"""
        update webhook_deliveries d set dead_lettered_at = now() from {_KEYS.source(2)}
        where d.compliance_region = $1 and (d.event_id, d.endpoint_id) = (new.event_id, new.endpoint_id) and d.state = 'dead'
        """,
        region, *_KEYS.arguments((one.event_id, one.endpoint_id) for one in letters),
    )  # fmt: skip
