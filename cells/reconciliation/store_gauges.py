"""What stands open in a cell's record right now, for its gauges. SQL only; reads; one row for each label.

Every query reads by an index of what is open alone, so that its cost grows with what is under way and not with what is past.
"""

from dataclasses import dataclass

from cells.backends.postgres import Connection
from residency.errors import needed


@dataclass(frozen=True, slots=True)
class MovingLegs:
    """Legs of one kind that are not at rest in one state; `oldest_s`: since anything touched the one that stands longest."""

    leg: str
    state: str
    count: int
    in_doubt: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class OpenEnvelopes:
    """Envelopes to one peer without its receipt; ages in seconds since the oldest was exported."""

    peer: str
    count: int
    unpublished: int
    oldest_s: float
    oldest_unpublished_s: float


@dataclass(frozen=True, slots=True)
class OpenSubmissions:
    """Payments with one rail that are not acknowledged. `in_doubt_s`: how long the scheme has been silent on the oldest in doubt."""

    rail: str
    count: int
    in_doubt: int
    in_doubt_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Things of one kind that wait; `oldest_s`: how long the first of them has been due, in seconds."""

    count: int
    oldest_s: float


async def moving_legs(connection: Connection, region: str) -> list[MovingLegs]:
    # The list of states is written out, as in the partial index that serves it.
    rows = await connection.fetch(
        """
        select leg, state, count(*) as count, count(*) filter (where in_doubt) as in_doubt,
            extract(epoch from clock_timestamp() - min(updated_at))::float8 as oldest_s
        from transfers
        where compliance_region = $1 and state not in ('COMPLETED', 'REFUNDED', 'REJECTED', 'CANCELLED', 'BLOCKED', 'LOST', 'PARTIALLY_RETURNED', 'RETURNED')
        group by leg, state
        """,
        region,
    )
    return [MovingLegs(**dict(row)) for row in rows]


async def open_envelopes(connection: Connection, region: str) -> list[OpenEnvelopes]:
    rows = await connection.fetch(
        """
        select to_cell as peer, count(*) as count, count(*) filter (where published_at is null) as unpublished,
            extract(epoch from clock_timestamp() - min(exported_at))::float8 as oldest_s,
            coalesce(extract(epoch from clock_timestamp() - min(exported_at) filter (where published_at is null)), 0)::float8
                as oldest_unpublished_s
        from customs_outbox where compliance_region = $1 and closed_at is null group by to_cell
        """,
        region,
    )
    return [OpenEnvelopes(**dict(row)) for row in rows]


async def open_submissions(connection: Connection, region: str) -> list[OpenSubmissions]:
    rows = await connection.fetch(
        """
        select rail, count(*) as count, count(*) filter (where state = 'asked' and in_doubt_since is not null) as in_doubt,
            coalesce(extract(epoch from clock_timestamp() - min(in_doubt_since) filter (where state = 'asked')), 0)::float8
                as in_doubt_s
        from submissions where compliance_region = $1 and state <> 'acknowledged' group by rail
        """,
        region,
    )
    return [OpenSubmissions(**dict(row)) for row in rows]


async def pending_deliveries(connection: Connection, region: str) -> Waiting:
    """Webhook deliveries that are not settled. One whose next attempt lies ahead has been due for no time."""
    row = await connection.fetchrow(
        """
        select count(*) as count,
            greatest(coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0), 0)::float8 as oldest_s
        from webhook_deliveries where compliance_region = $1 and state = 'pending'
        """,
        region,
    )
    return Waiting(**dict(needed(row, "a count is one row")))


async def open_collections(connection: Connection, region: str) -> Waiting:
    """Money that came in and is not credited yet; its age counts from the settlement date, before which nobody waits for it."""
    row = await connection.fetchrow(
        """
        select count(*) as count, coalesce(extract(epoch from greatest(clock_timestamp() - min(coalesce(available_at, received_at)), interval '0')), 0)::float8 as oldest_s
        from collections where compliance_region = $1 and state = 'received'
        """,
        region,
    )
    return Waiting(**dict(needed(row, "a count is one row")))


async def contradictions(connection: Connection, region: str) -> dict[tuple[str, str], int]:
    """Payments of which a scheme has said what cannot both be true, by rail and kind."""
    rows = await connection.fetch(
        """
        select rail, 'paid_after_refund' as kind, count(*) from transfers
        where compliance_region = $1 and state in ('LOSING', 'LOST') group by 1
        union all
        select rail, case said when 'refused' then 'refused_after_settled' else 'settled_and_refused' end, count(*)
        from contradictions where compliance_region = $1 and said in ('refused', 'both') group by 1, said
        """,
        region,
    )
    return {(row[0], row[1]): row[2] for row in rows}
