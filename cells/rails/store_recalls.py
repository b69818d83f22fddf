"""Recalls as rows: of credits that we received, and of payments that we made. Batch-first; none commits; the caller holds the writer's
connection.

Invariants: a case is on record once per rail and direction; a row only moves forward, but for a credit that could not be given back,
which waits for a person again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final, Literal

from cells.backends.postgres import Connection, Read
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change, Life
from cells.rails import store_collections
from cells.rails.later import RecallAnswered, RecallReceived
from residency.classes import Confidential, Public
from residency.ids import mint

Direction = Literal["received", "sent"]
RecallState = Literal["asking", "asked", "granting", "granted", "refusing", "refused"]
# ISO 20022 ExternalPaymentCancellationRejection1Code: no such credit was received; it has been returned already.
_NO_ORIGINAL, _ALREADY_RETURNED = "NOOR", "ARDT"
_LOCKED = "order by recall_id for update"


@dataclass(frozen=True, slots=True)
class RecallRow:
    """One recall on record. `amount` in minor units of `currency`, of what we ask back."""

    recall_id: Annotated[str, Public]
    direction: Annotated[Direction, Public]
    rail: Annotated[str, Public]
    case_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    scheme_reference: Annotated[str, Confidential]
    end_to_end_id: Annotated[str, Confidential]
    reason_code: Annotated[str, Public]
    state: Annotated[RecallState, Public]
    at: Annotated[datetime, Public]
    transfer_id: Annotated[str | None, Public] = None
    collection_id: Annotated[str | None, Public] = None
    amount: Annotated[int | None, Confidential] = None
    currency: Annotated[str | None, Confidential] = None
    answer_code: Annotated[str | None, Public] = None
    order_id: Annotated[str | None, Public] = None
    version: Annotated[int, Public] = 1
    updated_at: Annotated[datetime | None, Public] = None


RECALL: Final = Life("recall", "recalls", "recall_id", RecallRow, money={"amount": "currency"}, may_exist=True)


async def receive(
    connection: Connection, region: str, cell: str, recalls: Sequence[RecallReceived], house: str, by: Author
) -> None:
    """Put recalls of credits on record; one that is there already stays as it is. What names no credit of ours, or one that has gone
    back, is refused by itself; the others wait for a person. `house`: whose it is when it names no credit.
    """
    named = await store_collections.by_reference(
        connection, region, [(one.rail, one.scheme_reference) for one in recalls]
    )
    births: list[Birth[RecallRow]] = []
    for one in recalls:
        credit = named.get((one.rail, one.scheme_reference))
        found = None if credit is None or credit.state == "refused" else credit
        code = _NO_ORIGINAL if found is None else _ALREADY_RETURNED if found.state == "returned" else None
        row = RecallRow(
            recall_id=mint("rcl", cell), direction="received", rail=one.rail, case_id=one.recall_id,
            tenant_id=found.tenant_id if found else house, collection_id=found.collection_id if found else None,
            scheme_reference=one.scheme_reference, end_to_end_id=one.end_to_end_id, reason_code=one.reason_code,
            state="refusing" if code else "asked", answer_code=code, at=one.received_at,
        )  # fmt: skip
        births.append(Birth(row, RECALL.kind("received"), by))
    await store_lives.begin(connection, region, RECALL, births)


async def insert(connection: Connection, region: str, recalls: Sequence[RecallRow], by: Author) -> set[str]:
    """Put recalls of ours on record; the ids of those that were. A payment that is being asked back already is left out."""
    births = [Birth(one, RECALL.kind("requested"), by) for one in recalls]
    return await store_lives.begin(connection, region, RECALL, births)


async def load(connection: Connection, region: str, recall_ids: Sequence[str]) -> dict[str, RecallRow]:
    """Recalls by id, locked for this transaction."""
    return await store_lives.load(connection, region, RECALL, recall_ids)


async def latest(connection: Connection, region: str, limit: int) -> list[RecallRow]:
    """All recalls, newest first."""
    return await store_lives.fetch(connection, region, RECALL, "true order by recall_id desc limit $2", limit)


async def due(
    connection: Connection, region: str, rail: str, limit: int, aside: Collection[str] = ()
) -> Read[RecallRow]:
    """What the scheme is to be told, oldest first: our requests, and our noes."""
    return await store_lives.apart(
        connection, region, RECALL,
        "rail = $2 and state in ('asking', 'refusing') and recall_id <> all ($4::text[]) order by recall_id limit $3",
        rail, limit, list(aside),
    )  # fmt: skip


async def told(connection: Connection, region: str, recall_ids: Sequence[str], by: Author) -> None:
    """The scheme has taken these: asking → asked, refusing → refused."""
    rows = (await load(connection, region, recall_ids)).values()
    after: dict[RecallState, RecallState] = {"asking": "asked", "refusing": "refused"}
    await _append(
        connection,
        region,
        "sent",
        [(one, replace(one, state=after[one.state])) for one in rows if one.state in after],
        by,
    )


async def refuse(connection: Connection, region: str, row: RecallRow, code: str, by: Author) -> RecallRow:
    """A person keeps a recalled credit, which the caller has locked: asked → refusing."""
    now = replace(row, state="refusing", answer_code=code)
    await _append(connection, region, "declined", [(row, now)], by)
    return now


async def grant(connection: Connection, region: str, row: RecallRow, order_id: str, by: Author) -> None:
    """A person gives a recalled credit, which the caller has locked, back by that order: asked → granting."""
    await _append(connection, region, "accepted", [(row, replace(row, state="granting", order_id=order_id))], by)


async def ordered(
    connection: Connection, region: str, settled: Sequence[str], failed: Sequence[str], by: Author
) -> None:
    """What has become of the orders that give recalled credits back: granted, or asked again where one came to nothing."""
    rows = await store_lives.fetch(
        connection, region, RECALL, f"order_id = any ($2::text[]) and state = 'granting' {_LOCKED}", [*settled, *failed]
    )
    done = [(one, replace(one, state="granted")) for one in rows if one.order_id in settled]
    again = [(one, replace(one, state="asked")) for one in rows if one.order_id not in settled]
    await _append(connection, region, "granted", done, by)
    await _append(connection, region, "reopened", again, by)


async def answered(
    connection: Connection, region: str, answers: Sequence[tuple[str, RecallAnswered]], by: Author
) -> set[str]:
    """The other banks' words on payments that we asked back, by transfer id; the payments whose recall was open. "Pending" closes
    nothing, and "granted" waits for the money.
    """
    rows = await _open(connection, region, [transfer_id for transfer_id, _ in answers])
    heard: dict[str, RecallAnswered] = {}
    for transfer_id, one in answers:
        # Of two words in one message the one that ends it stands.
        if (
            transfer_id in rows
            and rows[transfer_id].rail == one.rail
            and (transfer_id not in heard or heard[transfer_id].decision != "refused")
        ):
            heard[transfer_id] = one
    moved = [(rows[transfer_id], _answered(rows[transfer_id], one)) for transfer_id, one in heard.items()]
    await _append(connection, region, "answered", [(before, now) for before, now in moved if now != before], by)
    return set(heard)


async def came_back(connection: Connection, region: str, transfer_ids: Sequence[str], by: Author) -> None:
    """Money has come back of these payments: that is the yes to a recall."""
    rows = (await _open(connection, region, transfer_ids)).values()
    await _append(connection, region, "granted", [(one, replace(one, state="granted")) for one in rows], by)


async def _open(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, RecallRow]:
    """Our own recalls that are open, by payment, locked."""
    rows = await store_lives.fetch(
        connection, region, RECALL,
        f"transfer_id = any ($2::text[]) and direction = 'sent' and state in ('asking', 'asked') {_LOCKED}", transfer_ids,
    )  # fmt: skip
    return {one.transfer_id or "": one for one in rows}


def _answered(row: RecallRow, one: RecallAnswered) -> RecallRow:
    return replace(row, state="refused" if one.decision == "refused" else row.state, answer_code=one.reason_code)


async def _append(
    connection: Connection, region: str, event: str, moved: Sequence[tuple[RecallRow, RecallRow]], by: Author
) -> None:
    changes = [Change(before, now, RECALL.kind(event), by) for before, now in moved]
    await store_lives.append(connection, region, RECALL, changes)
