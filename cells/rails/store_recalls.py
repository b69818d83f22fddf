"""Recalls as rows: of credits that we received, and of payments that we made. Batch-first; none commits; the caller holds the writer's
connection.

Invariants: a case is on record once per rail and direction; a row only moves forward, but for a credit that could not be given back,
which waits for a person again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Literal

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.backends.rows import Rows
from cells.rails.later import RecallAnswered, RecallReceived
from residency.classes import Confidential, Public
from residency.ids import mint

Direction = Literal["received", "sent"]
RecallState = Literal["asking", "asked", "granting", "granted", "refusing", "refused"]
# ISO 20022 ExternalPaymentCancellationRejection1Code: no such credit was received; it has been returned already.
_NO_ORIGINAL, _ALREADY_RETURNED = "NOOR", "ARDT"


@dataclass(frozen=True, slots=True)
class RecallRow:
    """One recall on record. `amount` in minor units of `currency`, of what we ask back."""

    recall_id: Annotated[str, Public]
    direction: Annotated[Direction, Public]
    rail: Annotated[str, Public]
    case_id: Annotated[str, Public]
    transfer_id: Annotated[str | None, Public]
    collection_id: Annotated[str | None, Public]
    tenant_id: Annotated[str | None, Public]
    scheme_reference: Annotated[str, Confidential]
    end_to_end_id: Annotated[str, Confidential]
    amount: Annotated[int | None, Confidential]
    currency: Annotated[str | None, Confidential]
    reason_code: Annotated[str, Public]
    state: Annotated[RecallState, Public]
    answer_code: Annotated[str | None, Public]
    order_id: Annotated[str | None, Public]
    at: Annotated[datetime, Public]
    answered_at: Annotated[datetime | None, Public] = None


_COLUMNS = ", ".join(field.name for field in fields(RecallRow))
_RECEIVED = Rows("recalls", "recall_id rail case_id scheme_reference end_to_end_id reason_code at:timestamptz")
_ROWS = Rows("recalls", RecallRow)
_ANSWERS = Rows("recalls", "transfer_id rail state answer_code answered_at:timestamptz")


async def receive(connection: Connection, region: str, cell: str, recalls: Sequence[RecallReceived]) -> None:
    """Put recalls of credits on record; one that is there already stays as it is. What names no credit of ours, or one that has gone
    back, is refused by itself; the others wait for a person.
    """
    rows = (
        (
            mint("rcl", cell),
            one.rail,
            one.recall_id,
            one.scheme_reference,
            one.end_to_end_id,
            one.reason_code,
            one.received_at,
        )
        for one in recalls
    )
    await connection.execute(
        f"""
        insert into recalls (compliance_region, recall_id, direction, rail, case_id, collection_id, tenant_id, scheme_reference,
            end_to_end_id, reason_code, state, answer_code, at)
        select $1, n.recall_id, 'received', n.rail, n.case_id, c.collection_id, c.tenant_id, n.scheme_reference, n.end_to_end_id,
            n.reason_code, case when c.state in ('received', 'credited', 'suspended') then 'asked' else 'refusing' end,
            case when c.collection_id is null then $2 when c.state = 'returned' then $3 end, n.at
        from {_RECEIVED.source(4, "n")}
        left join collections c on c.compliance_region = $1 and c.rail = n.rail and c.scheme_reference = n.scheme_reference
            and c.state <> 'refused'
        on conflict do nothing
        """,
        region, _NO_ORIGINAL, _ALREADY_RETURNED, *_RECEIVED.arguments(rows),
    )  # fmt: skip


async def insert(connection: Connection, region: str, recalls: Sequence[RecallRow]) -> set[str]:
    """Put recalls of ours on record; the ids of those that were. A payment that is being asked back already is left out."""
    rows = await _ROWS.insert(
        connection, recalls, "on conflict do nothing returning recall_id", compliance_region=region
    )
    return {row["recall_id"] for row in rows}


async def load(connection: Connection, region: str, recall_ids: Sequence[str]) -> dict[str, RecallRow]:
    """Recalls by id, locked for this transaction."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from recalls where compliance_region = $1 and recall_id = any ($2::text[])"
        " order by recall_id for update",
        region, recall_ids,
    )  # fmt: skip
    return {row["recall_id"]: RecallRow(**row) for row in rows}


async def latest(connection: Connection, region: str, limit: int) -> list[RecallRow]:
    """All recalls, newest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from recalls where compliance_region = $1 order by recall_id desc limit $2", region, limit
    )
    return [RecallRow(**row) for row in rows]


async def due(
    connection: Connection, region: str, rail: str, limit: int, aside: Collection[str] = ()
) -> Read[RecallRow]:
    """What the scheme is to be told, oldest first: our requests, and our noes."""
    return await fetch_apart(
        connection, lambda row: RecallRow(**row), "recall_id",
        f"select {_COLUMNS} from recalls where compliance_region = $1 and rail = $2 and state in ('asking', 'refusing')"
        " and recall_id <> all ($4::text[]) order by recall_id limit $3",
        region, rail, limit, list(aside),
    )  # fmt: skip


async def told(connection: Connection, region: str, recall_ids: Sequence[str]) -> None:
    """The scheme has taken these: asking → asked, refusing → refused."""
    await connection.execute(
        """
        update recalls set state = case state when 'asking' then 'asked' else 'refused' end,
            answered_at = case state when 'refusing' then now() end
        where compliance_region = $1 and recall_id = any ($2::text[]) and state in ('asking', 'refusing')
        """,
        region, recall_ids,
    )  # fmt: skip


async def refuse(connection: Connection, region: str, recall_id: str, code: str) -> None:
    """A person keeps a recalled credit: asked → refusing."""
    await connection.execute(
        "update recalls set state = 'refusing', answer_code = $3 where compliance_region = $1 and recall_id = $2"
        " and direction = 'received' and state = 'asked'",
        region, recall_id, code,
    )  # fmt: skip


async def grant(connection: Connection, region: str, recall_id: str, order_id: str) -> None:
    """A person gives a recalled credit back, by that order: asked → granting."""
    await connection.execute(
        "update recalls set state = 'granting', order_id = $3 where compliance_region = $1 and recall_id = $2"
        " and direction = 'received' and state = 'asked'",
        region, recall_id, order_id,
    )  # fmt: skip


async def ordered(connection: Connection, region: str, settled: Sequence[str], failed: Sequence[str]) -> None:
    """What has become of the orders that give recalled credits back: granted, or asked again where one came to nothing."""
    await connection.execute(
        """
        update recalls set state = case when order_id = any ($2::text[]) then 'granted' else 'asked' end,
            answered_at = case when order_id = any ($2::text[]) then now() end
        where compliance_region = $1 and order_id = any ($2::text[] || $3::text[]) and state = 'granting'
        """,
        region, settled, failed,
    )  # fmt: skip


async def answered(connection: Connection, region: str, answers: Sequence[tuple[str, RecallAnswered]]) -> set[str]:
    """The other banks' words on payments that we asked back, by transfer id; the payments whose recall was open. "Pending" closes
    nothing, and "granted" waits for the money.
    """
    given = ((transfer_id, one.rail, one.decision, one.reason_code, one.received_at) for transfer_id, one in answers)
    rows = await connection.fetch(
        f"""
        update recalls r set state = case when n.state = 'refused' then 'refused' else r.state end, answer_code = n.answer_code,
            answered_at = case when n.state = 'refused' then n.answered_at end
        from {_ANSWERS.source(3, "n")}
        where r.compliance_region = $1 and r.transfer_id = any ($2::text[]) and r.transfer_id = n.transfer_id and r.rail = n.rail
          and r.direction = 'sent' and r.state in ('asking', 'asked')
        returning r.transfer_id
        """,
        region, [one for one, _ in answers], *_ANSWERS.arguments(given),
    )  # fmt: skip
    return {row["transfer_id"] for row in rows}


async def came_back(connection: Connection, region: str, transfer_ids: Sequence[str]) -> None:
    """Money has come back of these payments: that is the yes to a recall."""
    await connection.execute(
        "update recalls set state = 'granted', answered_at = now() where compliance_region = $1"
        " and transfer_id = any ($2::text[]) and direction = 'sent' and state in ('asking', 'asked')",
        region, transfer_ids,
    )  # fmt: skip
