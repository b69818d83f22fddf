"""Why payments leave by which rail, and how the rails stand, as rows. Batch-first; none commits; the caller holds the connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.rails.routing import Route

Cause = Literal["accepted", "admitted", "fallback"]


@dataclass(frozen=True, slots=True)
class Routed:
    """A choice of a rail for one payment; `route.rail` is what was chosen."""

    transfer_id: str
    tenant_id: str
    route: Route


_CHOICES = Rows("routes", "transfer_id tenant_id rail candidates:jsonb")
_MOVES = Rows("submissions", "transfer_id rail")


async def keep(connection: Connection, region: str, cause: Cause, routed: Sequence[Routed]) -> None:
    """Journal choices, each after those made before for its payment."""
    if not routed:
        return
    await connection.execute(
        f"""
        insert into routes (compliance_region, transfer_id, tenant_id, number, cause, rail, candidates)
        select $1, n.transfer_id, n.tenant_id,
            1 + (select count(*) from routes r where r.compliance_region = $1 and r.transfer_id = n.transfer_id),
            $2, n.rail, n.candidates
        from {_CHOICES.source(3, "n")}
        """,
        region,
        cause,
        *_CHOICES.arguments((one.transfer_id, one.tenant_id, one.route.rail, one.route.document()) for one in routed),
    )


async def choices(connection: Connection, region: str, transfer_id: str) -> list[Record]:
    """The choices made for a payment, in order: cause, rail, candidates, at."""
    rows: list[Record] = await connection.fetch(
        "select cause, rail, candidates, at from routes where compliance_region = $1 and transfer_id = $2"
        " order by number",
        region,
        transfer_id,
    )
    return rows


async def waits(connection: Connection, region: str, transfer_id: str) -> bool:
    """Whether the payment is on record at its rail and was not handed to the scheme yet."""
    found: bool = await connection.fetchval(
        "select exists (select from submissions where compliance_region = $1 and transfer_id = $2 and state = 'queued')",
        region,
        transfer_id,
    )
    return found


async def move(connection: Connection, region: str, rail: str, moves: Sequence[tuple[str, str]]) -> set[str]:
    """Hand submissions of `rail` that the scheme was never asked for to another, as (transfer id, new rail).

    The ids that moved; the caller has their legs follow. One that was asked, or is with another rail already, stays as it is.
    """
    rows = await connection.fetch(
        f"""
        update submissions s set rail = new.rail from {_MOVES.source(3)}
        where s.compliance_region = $1 and s.transfer_id = new.transfer_id and s.rail = $2 and s.state = 'queued'
        returning s.transfer_id
        """,
        region,
        rail,
        *_MOVES.arguments(moves),
    )
    return {row["transfer_id"] for row in rows}


async def breakers(connection: Connection, region: str) -> dict[str, str]:
    """The state of each rail's circuit, by rail, as its actor last said."""
    rows = await connection.fetch("select rail, breaker from rail_standing where compliance_region = $1", region)
    return {row["rail"]: row["breaker"] for row in rows}


async def note_breaker(connection: Connection, region: str, rail: str, breaker: str) -> None:
    """What the rail's actor says of its circuit; the time is when it came to be so."""
    await connection.execute(
        """
        insert into rail_standing (compliance_region, rail, breaker) values ($1, $2, $3)
        on conflict (compliance_region, rail) do update set breaker = excluded.breaker, since = now()
        where rail_standing.breaker <> excluded.breaker
        """,
        region,
        rail,
        breaker,
    )
