"""Receipts: the destination signs how far it has admitted; the origin then closes its outbox up to there and
deletes the envelopes.

Cumulative per corridor, so a lost receipt is made good by the next one. A receipt names the rolling hash of
what was admitted: it closes only if that is what was sent. Receipts carry nothing of a payment, have no
sequence, and are not receipted.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.customs import store, store_outbox
from cells.customs.admit import Refused, refusal
from cells.spec import CellSpec
from residency.directory import Directory
from residency.envelope import EnvelopeRefused, Header, open_envelope, seal_and_sign
from residency.ids import compact
from residency.keys import CellKeys
from residency.links import Corridor
from residency.messages import Instructed, Receipt


@dataclass(frozen=True, slots=True)
class OutgoingReceipt:
    """A signed receipt to publish."""

    to_cell: str
    subject: str
    message_id: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The outbox towards `peer` is closed up to `through`; until now the instructions of these transfers
    were open in it (none: an old receipt came again).
    """

    peer: str
    through: int
    instructed: tuple[str, ...]


async def make_receipts(
    connection: Connection,
    spec: CellSpec,
    keys: CellKeys,
    directory: Directory,
    *,
    at: datetime | None = None,
) -> list[OutgoingReceipt]:
    """A receipt for every corridor with admissions (or repetitions) since its last one. Publish them after
    the commit; if one is lost, the origin publishes again, which makes another due.
    """
    at = at or datetime.now(UTC)
    made: list[OutgoingReceipt] = []
    for peer, through, rolled in await store.take_receipts_due(connection, spec):
        message = Receipt(through_sequence=through, rolling_hash=rolled.hex(), at=at)
        envelope = seal_and_sign(message, None, 0, keys, directory, to_cell=peer, at=at)
        corridor = Corridor(compact(spec.name), compact(peer))
        # Each issue has an id of its own: a repetition must get past the broker's deduplication.
        message_id = f"{corridor.origin}-{corridor.destination}-receipt-{through}-{envelope.sha256.hex()[:16]}"
        made.append(OutgoingReceipt(peer, corridor.subject(message.kind), message_id, envelope.data))
    return made


async def close_through(
    connection: Connection,
    spec: CellSpec,
    directory: Directory,
    receipt: bytes,
    *,
    at: datetime | None = None,
) -> Closed | Refused:
    """Take in a receipt: verify it, close the outbox rows it covers, delete their envelopes. A bad one is
    refused and recorded.

    A good one takes no lock of the border: what was exported only grows, and closing twice closes nothing.
    """
    at = at or datetime.now(UTC)
    try:
        opened = open_envelope(receipt, directory, here=spec.name, at=at)
    except EnvelopeRefused as error:
        return await _refuse(connection, spec, receipt, error.reason, error.claimed, at)
    if not isinstance(opened.message, Receipt):
        return await _refuse(connection, spec, receipt, "not-a-receipt", opened.header, at)
    peer, through = opened.from_cell, opened.message.through_sequence
    exported, receipted = await store.exported_and_receipted(connection, spec, peer)
    if through > exported:
        return await _refuse(connection, spec, receipt, "receipt-beyond-export", opened.header, at)
    if await store_outbox.roll_at(connection, spec, peer, through) != bytes.fromhex(opened.message.rolling_hash):
        return await _refuse(connection, spec, receipt, "receipt-of-other-bytes", opened.header, at)
    closed = await store_outbox.close_outbox(connection, spec, peer, receipted, through, receipt)
    instructed = tuple(transfer_id for kind, transfer_id in closed if kind == Instructed.kind)
    return Closed(peer, through, instructed)


async def _refuse(
    connection: Connection,
    spec: CellSpec,
    data: bytes,
    reason: str,
    claimed: Header | None,
    at: datetime,
) -> Refused:
    sha256 = hashlib.sha256(data).digest()
    head = await store.lock_head(connection, spec)
    if not await store.refused_hashes(connection, spec, [sha256]):
        await store.append(connection, spec, head, [refusal(spec, sha256, reason, claimed, "", at)])
    return Refused(reason)
