"""The export gate: the only way out of the cell. Signs, numbers, records and queues a batch, in the caller's
transaction.

Invariants: a corridor's sequences have no hole; a message is in the customs log exactly when it is in the
outbox; of the payer crosses what the rules name for this corridor and amount and nothing more, whatever the
caller handed over.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.customs import store, store_outbox
from cells.customs.chain import Crossing
from cells.spec import CellSpec
from residency.crossing import BorderMessage
from residency.directory import Directory
from residency.envelope import Envelope, roll, seal_and_sign
from residency.ids import compact
from residency.keys import CellKeys
from residency.links import Corridor
from residency.messages import Instructed
from residency.travel_rule import SealedParties, TravelRuleIncomplete, demand, select

# Signing and sealing take some 0.2 ms a message: other work of the process gets its turn this often.
YIELD_EVERY = 32


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to a cell. `sealed`: all that is on file of the parties; the gate takes from it what the law
    names.
    """

    to_cell: str
    message: BorderMessage
    sealed: SealedParties | None = field(default=None, repr=False)

    @property
    def transfer_id(self) -> str:
        return str(getattr(self.message, "transfer_id", ""))


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of an Outbound. `hash` (hex) is what replies to it must name; `position` its place in the
    customs log.
    """

    transfer_id: str
    kind: str
    to_cell: str
    sequence: int
    sha256: bytes
    subject: str
    message_id: str
    position: int
    crossed_fields: tuple[str, ...]

    @property
    def hash(self) -> str:
        return self.sha256.hex()


async def export(
    connection: Connection,
    spec: CellSpec,
    keys: CellKeys,
    directory: Directory,
    outbound: Sequence[Outbound],
    *,
    at: datetime | None = None,
) -> list[Exported]:
    """Send `outbound` (order kept within a corridor); six statements, whatever the size. Returns one result
    per message, in order.

    Raises TravelRuleIncomplete or CrossingRefused before anything is written, with `extra["transfer_id"]`, so
    that the caller can set that message aside and send the rest.
    """
    if not outbound:
        return []
    at = at or datetime.now(UTC)
    sealed = [_least(one, spec, directory) for one in outbound]
    head = await store.lock_head(connection, spec)
    corridors = await store.lock_corridors(connection, spec, {one.to_cell for one in outbound})
    moved = {peer: (state.exported_sequence, state.exported_roll) for peer, state in corridors.items()}
    envelopes: list[Envelope] = []
    rows: list[store_outbox.OutboxRow] = []
    for place, (one, parties) in enumerate(zip(outbound, sealed, strict=True)):
        if place % YIELD_EVERY == YIELD_EVERY - 1:
            await asyncio.sleep(0)
        sequence, rolled = moved[one.to_cell]
        envelope = seal_and_sign(one.message, parties, sequence + 1, keys, directory, to_cell=one.to_cell, at=at)
        moved[one.to_cell] = (sequence + 1, roll(rolled, [envelope.sha256]))
        envelopes.append(envelope)
        rows.append(_outbox_row(one, envelope, moved[one.to_cell][1]))
    entries = await store.append(
        connection,
        spec,
        head,
        [_crossing(row, envelope, at) for row, envelope in zip(rows, envelopes, strict=True)],
    )
    await store_outbox.fill_outbox(connection, spec, rows, at)
    await store.save_exported(connection, spec, moved)
    return [
        Exported(
            row.transfer_id,
            row.kind,
            row.to_cell,
            row.sequence,
            envelope.sha256,
            row.subject,
            row.message_id,
            entry.position,
            envelope.header.sealed_fields,
        )
        for row, envelope, entry in zip(rows, envelopes, entries, strict=True)
    ]


def _least(one: Outbound, spec: CellSpec, directory: Directory) -> SealedParties | None:
    """What of the parties may cross with this message."""
    if one.sealed is None or not isinstance(one.message, Instructed):
        return one.sealed
    wanted = demand(spec.region, directory.cell(one.to_cell).region, one.message.currency, one.message.amount_minor)
    try:
        return select(one.sealed, wanted)
    except TravelRuleIncomplete as error:
        raise TravelRuleIncomplete(error.detail, **error.extra, transfer_id=one.transfer_id) from None


def _outbox_row(one: Outbound, envelope: Envelope, rolled: bytes) -> store_outbox.OutboxRow:
    header = envelope.header
    origin, destination = compact(header.from_cell), compact(header.to_cell)
    return store_outbox.OutboxRow(
        to_cell=one.to_cell,
        sequence=header.sequence,
        kind=header.kind,
        transfer_id=one.transfer_id,
        subject=Corridor(origin, destination).subject(header.kind),
        message_id=f"{origin}-{destination}-{header.sequence}",
        envelope=envelope.data,
        roll=rolled,
    )


def _crossing(row: store_outbox.OutboxRow, envelope: Envelope, at: datetime) -> Crossing:
    header = envelope.header
    return Crossing(
        direction="exported",
        from_cell=header.from_cell,
        to_cell=header.to_cell,
        kind=header.kind,
        sequence=header.sequence,
        transfer_id=row.transfer_id,
        envelope_sha256=envelope.sha256,
        allow_list=header.allow_list,
        crossed_fields=header.sealed_fields,
        reason="",
        at=at,
    )
