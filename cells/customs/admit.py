"""The admission gate: the only way into the cell. Verifies, orders, records; never raises on what a peer or a
forger sent.

Invariants: a corridor is admitted strictly in order, each sequence once; what is refused is on record (once)
and moves nothing; what is authentic but must have no effect (a reply from a cell that was not instructed) is
admitted with a fault, so that the corridor goes on.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.compliance.attest import attestation_fault
from cells.customs import store
from cells.customs.chain import Crossing
from cells.customs.export import YIELD_EVERY
from cells.spec import CellSpec
from residency.crossing import message_type
from residency.directory import Directory
from residency.envelope import EnvelopeRefused, Header, OpenedEnvelope, open_envelope, roll, unseal
from residency.keys import CellKeys
from residency.messages import Instructed, Receipt, Rejected, Returned, Settled
from residency.sealing import SealUnreadable
from residency.travel_rule import SealedParties, crossed_fields, demand

NOT_INSTRUCTED = "not-instructed"
SEALED_UNREADABLE = "sealed-unreadable"
TRAVEL_RULE = "travel-rule"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Let in, now. With `faults` it must have no effect of its own:

    `not-instructed`        a reply that this cell never asked that cell for: ignore it, raise an alarm
    `sealed-unreadable`     an instruction whose sealed part does not open: reject the payment
    `travel-rule:<names>`   an instruction that lacks what the law asks for: reject or suspend
    `screening-<what>`      an instruction whose attestation does not show the screening that the law asks for: reject the payment
    """

    opened: OpenedEnvelope
    parties: SealedParties | None = field(default=None, repr=False)
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Admitted before, the same bytes: acknowledge it to the broker; its sender gets another receipt."""

    opened: OpenedEnvelope


@dataclass(frozen=True, slots=True)
class Refused:
    """Not let in, and recorded. `reason` is a stable token."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Came too early: `expected` is the next sequence of its corridor. Nothing is recorded; let it come
    again.
    """

    expected: int
    sequence: int


Admission = Admitted | Duplicate | Refused | Gap


@dataclass(frozen=True, slots=True)
class Candidate:
    sha256: bytes
    opened: OpenedEnvelope | None
    reason: str = ""
    claimed: Header | None = None
    parties: SealedParties | None = field(default=None, repr=False)
    faults: tuple[str, ...] = ()


async def admit(
    connection: Connection,
    spec: CellSpec,
    keys: CellKeys,
    directory: Directory,
    envelopes: Sequence[bytes],
    *,
    at: datetime | None = None,
) -> list[Admission]:
    """Decide on `envelopes` in the order given; one Admission each, in order. At most eight statements,
    whatever the number.

    Receipts do not come through here (cells.customs.receipts). Never raises on bad input.
    """
    if not envelopes:
        return []
    at = at or datetime.now(UTC)
    # Signatures and seals are checked before the lock is taken: they cost most, and need no state.
    candidates: list[Candidate] = []
    for data in envelopes:
        candidates.append(_examine(data, spec, keys, directory, at))
        if len(candidates) % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    head = await store.lock_head(connection, spec)
    authentic = [one.opened for one in candidates if one.opened is not None]
    corridors = (
        await store.lock_corridors(connection, spec, {opened.from_cell for opened in authentic}) if authentic else {}
    )
    register = Register(
        spec=spec,
        at=at,
        moved={peer: (state.admitted_sequence, state.admitted_roll) for peer, state in corridors.items()},
        known=await _known(connection, spec, authentic, corridors),
        recorded=await store.refused_hashes(connection, spec, [one.sha256 for one in candidates]),
        instructed=await _instructed(connection, spec, authentic),
    )
    decisions = [register.decide(candidate) for candidate in candidates]
    await store.append(connection, spec, head, register.crossings)
    if register.owed:
        await store.save_admitted(connection, spec, {peer: register.moved[peer] for peer in sorted(register.owed)})
    return decisions


async def admitted_before(
    connection: Connection, spec: CellSpec, keys: CellKeys, directory: Directory, data: bytes, at: datetime
) -> Admitted:
    """An envelope that this gate admitted at `at`, as it was decided then. Nothing is recorded again. Raises EnvelopeRefused."""
    opened = open_envelope(data, directory, here=spec.name, at=at)
    candidate = _examine(data, spec, keys, directory, at)
    register = Register(spec, at, {}, {}, set(), await _instructed(connection, spec, [opened]))
    return Admitted(opened, candidate.parties, (*candidate.faults, *register.reply_faults(opened)))


async def _known(
    connection: Connection,
    spec: CellSpec,
    authentic: Sequence[OpenedEnvelope],
    corridors: dict[str, store.CorridorState],
) -> dict[tuple[str, int], bytes]:
    past = [
        (opened.from_cell, opened.sequence)
        for opened in authentic
        if opened.sequence <= corridors[opened.from_cell].admitted_sequence
    ]
    return await store.admitted_hashes(connection, spec, past) if past else {}


async def _instructed(
    connection: Connection, spec: CellSpec, authentic: Sequence[OpenedEnvelope]
) -> dict[str, tuple[str, bytes]]:
    replies = [opened.transfer_id for opened in authentic if isinstance(opened.message, Settled | Rejected | Returned)]
    return await store.instructions(connection, spec, replies) if replies else {}


def _examine(data: bytes, spec: CellSpec, keys: CellKeys, directory: Directory, at: datetime) -> Candidate:
    """Everything that can be judged from the bytes alone."""
    sha256 = hashlib.sha256(data).digest()
    try:
        opened = open_envelope(data, directory, here=spec.name, at=at)
    except EnvelopeRefused as refusal:
        return Candidate(sha256, None, refusal.reason, refusal.claimed)
    if isinstance(opened.message, Receipt) or opened.sequence == 0:
        return Candidate(sha256, None, "not-sequenced", opened.header)
    if not isinstance(opened.message, Instructed):
        return Candidate(sha256, opened)
    try:
        parties = unseal(opened, keys)
    except SealUnreadable:
        return Candidate(sha256, opened, faults=(SEALED_UNREADABLE,))
    wanted = demand(
        directory.cell(opened.from_cell).region,
        spec.region,
        opened.message.currency,
        opened.message.amount_minor,
    )
    missing = wanted.missing(crossed_fields(parties))
    faults = [f"{TRAVEL_RULE}:{'+'.join(missing)}"] if missing else []
    unattested = attestation_fault(opened.message, directory.cell(opened.from_cell).region, spec.region)
    return Candidate(sha256, opened, parties=parties, faults=(*faults, *([unattested] if unattested else [])))


@dataclass(slots=True)
class Register:
    """The state that one batch of admissions moves, and the log entries it makes."""

    spec: CellSpec
    at: datetime
    moved: dict[str, tuple[int, bytes]]
    known: dict[tuple[str, int], bytes]
    recorded: set[bytes]
    instructed: dict[str, tuple[str, bytes]]
    crossings: list[Crossing] = field(default_factory=list)
    owed: set[str] = field(default_factory=set)

    def decide(self, candidate: Candidate) -> Admission:
        opened = candidate.opened
        if opened is None:
            return self._refuse(candidate, candidate.reason, candidate.claimed)
        admitted_sequence, rolled = self.moved[opened.from_cell]
        if opened.sequence <= admitted_sequence:
            if self.known.get((opened.from_cell, opened.sequence)) != opened.sha256:
                return self._refuse(candidate, "sequence-reused", opened.header, opened.transfer_id)
            self.owed.add(opened.from_cell)
            return Duplicate(opened)
        if opened.sequence > admitted_sequence + 1:
            return Gap(admitted_sequence + 1, opened.sequence)
        faults = (*candidate.faults, *self.reply_faults(opened))
        self.moved[opened.from_cell] = (opened.sequence, roll(rolled, [opened.sha256]))
        self.known[(opened.from_cell, opened.sequence)] = opened.sha256
        self.owed.add(opened.from_cell)
        self.crossings.append(self._crossing(opened, ";".join(faults)))
        return Admitted(opened, candidate.parties, faults)

    def reply_faults(self, opened: OpenedEnvelope) -> tuple[str, ...]:
        """Why a reply must have no effect; nothing for any other message."""
        if not isinstance(opened.message, Settled | Rejected | Returned):
            return ()
        asked = self.instructed.get(opened.message.transfer_id)
        answered = (opened.from_cell, bytes.fromhex(opened.message.instruction_hash))
        return () if asked == answered else (NOT_INSTRUCTED,)

    def _crossing(self, opened: OpenedEnvelope, reason: str) -> Crossing:
        header = opened.header
        return Crossing(
            direction="admitted",
            from_cell=header.from_cell,
            to_cell=header.to_cell,
            kind=header.kind,
            sequence=header.sequence,
            transfer_id=opened.transfer_id,
            envelope_sha256=opened.sha256,
            allow_list=header.allow_list,
            crossed_fields=header.sealed_fields,
            reason=reason,
            at=self.at,
        )

    def _refuse(self, candidate: Candidate, reason: str, claimed: Header | None, transfer_id: str = "") -> Refused:
        if candidate.sha256 not in self.recorded:
            self.recorded.add(candidate.sha256)
            self.crossings.append(refusal(self.spec, candidate.sha256, reason, claimed, transfer_id, self.at))
        return Refused(reason)


def refusal(
    spec: CellSpec, sha256: bytes, reason: str, claimed: Header | None, transfer_id: str, at: datetime
) -> Crossing:
    """The log entry of a refused envelope. Of an unverified header it keeps only what names a cell or a kind
    that exists: a forger's free text, which may hold anything, does not reach the log.
    """
    directory = spec.directory
    known = claimed is not None and claimed.from_cell in directory.cells and claimed.to_cell in directory.cells
    return Crossing(
        direction="refused",
        from_cell=claimed.from_cell if known and claimed else "",
        to_cell=claimed.to_cell if known and claimed else "",
        kind=claimed.kind if claimed and message_type(claimed.kind) else "",
        sequence=claimed.sequence if claimed else 0,
        transfer_id=transfer_id,
        envelope_sha256=sha256,
        allow_list=0,
        crossed_fields=(),
        reason=reason,
        at=at,
    )
