"""The outbox of envelopes (migration 0020). SQL only, inside the caller's transaction.

Invariant: a row keeps its envelope until the destination's signed receipt closes it, whatever the broker says
or loses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.spec import CellSpec


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An envelope to put in the outbox; `roll` is the corridor's rolling hash with it."""

    to_cell: str
    sequence: int
    kind: str
    transfer_id: str
    subject: str
    message_id: str
    envelope: bytes
    roll: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """An envelope to publish: `message_id` goes into Nats-Msg-Id and is the same at every attempt."""

    to_cell: str
    sequence: int
    kind: str
    transfer_id: str
    subject: str
    message_id: str
    envelope: bytes


_ROWS = Rows("customs_outbox", OutboxRow)
_SEQUENCES = Rows("customs_outbox", "to_cell sequence:bigint")


async def fill_outbox(connection: Connection, spec: CellSpec, rows: Sequence[OutboxRow], at: datetime) -> None:
    await _ROWS.insert(connection, rows, compliance_region=spec.region, exported_at=at)


_PUBLICATION = "to_cell, sequence, kind, transfer_id, subject, message_id, envelope"


async def unpublished(connection: Connection, limit: int) -> list[Publication]:
    """Envelopes not yet given to the broker, each corridor in its order."""
    rows = await connection.fetch(
        f"""
        select {_PUBLICATION} from customs_outbox
        where published_at is null and closed_at is null order by to_cell, sequence limit $1
        """,
        limit,
    )
    return [Publication(**dict(row)) for row in rows]


async def overdue(connection: Connection, age: timedelta, limit: int = 1_000) -> list[Publication]:
    """Envelopes published longer than `age` ago and not receipted: publish them again (a wiped broker has
    lost them).

    `age` must exceed the broker's deduplication window, or a broker that has lost nothing drops the repetition; 0 when it
    may have lost everything.
    """
    rows = await connection.fetch(
        f"""
        select {_PUBLICATION} from customs_outbox where closed_at is null and published_at < clock_timestamp()
        - $1::interval order by to_cell, sequence limit $2
        """,
        age,
        limit,
    )
    return [Publication(**dict(row)) for row in rows]


async def mark_published(connection: Connection, published: Sequence[Publication]) -> None:
    """The broker has acknowledged these."""
    await connection.execute(
        f"""
        update customs_outbox o set published_at = clock_timestamp() from {_SEQUENCES.source(3)}
        where o.to_cell = any ($1::text[]) and o.sequence = any ($2::bigint[]) and o.to_cell = new.to_cell and o.sequence = new.sequence
          and o.closed_at is null
        """,
        [one.to_cell for one in published],
        [one.sequence for one in published],
        *_SEQUENCES.arguments((one.to_cell, one.sequence) for one in published),
    )


async def roll_at(connection: Connection, spec: CellSpec, to_cell: str, sequence: int) -> bytes | None:
    """The corridor's rolling hash at one exported sequence."""
    value: bytes | None = await connection.fetchval(
        "select roll from customs_outbox where compliance_region = $1 and to_cell = $2 and sequence = $3",
        spec.region,
        to_cell,
        sequence,
    )
    return value


async def close_outbox(
    connection: Connection, spec: CellSpec, to_cell: str, after: int, through: int, receipt: bytes
) -> list[tuple[str, str]]:
    """Close the corridor's rows beyond `after`, which is receipted already, up to `through`; delete their envelopes and keep the
    receipt. The kind and transfer of each row that was open.
    """
    closed = await connection.fetch(
        """
        update customs_outbox set envelope = null, closed_at = clock_timestamp() where compliance_region = $1
        and to_cell = $2 and sequence > $3 and sequence <= $4 and closed_at is null returning kind, transfer_id
        """,
        spec.region,
        to_cell,
        after,
        through,
    )
    await connection.execute(
        """
        update customs_corridors set receipted_sequence = $3, receipt = $4
        where compliance_region = $1 and peer = $2 and receipted_sequence < $3
        """,
        spec.region,
        to_cell,
        through,
        receipt,
    )
    return [(row["kind"], row["transfer_id"]) for row in closed]
