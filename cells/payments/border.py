"""Across the border: what leaves (the exporter's batch) and what the instructed cell answers. Each is one transaction.

`export_due` is the only place where INSTRUCT and EXPORT are told, so that the transition, the customs entry and the outbox row are
one commit: a cancel that came first leaves nothing to export, and one that comes later is too late.
`admit_answers` keeps the destination's word on the row of the origin leg; the wallet's actor then acts upon it.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.attest import crossing_attestation, may_cross
from cells.compliance.checker import Clear, Review, Verdict
from cells.compliance.store import latest
from cells.customs.admit import Admitted
from cells.customs.export import Exported, Outbound, export
from cells.journal.entry import component
from cells.payments import marks, personal, store, watch
from cells.payments.machine import Event, Leg, State
from cells.payments.recovery import REVIEW_LIFETIME
from cells.payments.step import plan, take, take_loaded
from cells.payments.transfer import Told, Transfer
from cells.rails.rail import end_to_end_id
from cells.returns import handoff as return_handoff
from cells.returns import store as store_returns
from cells.spec import CellSpec
from cells.tenants import store as tenants
from residency.errors import UnexpectedAnswer, needed
from residency.keys import CellKeys
from residency.messages import Instructed, Rejected, Settled
from residency.travel_rule import SealedParties

_log = logging.getLogger("kovra.handoff")
EXPORT_BATCH = 500
_ROOM = "border"
# ISO 20022 ExternalStatusReason1Code, where nobody gave a better one: not specified, reason narrative.
REASON_UNSPECIFIED = "MS03"
# As residency.messages.SchemeReference has it.
_CLEAR_REFERENCE = re.compile(r"[A-Za-z0-9/._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Gate:
    """What the exporter needs of its cell."""

    spec: CellSpec
    keys: CellKeys
    vault: Vault


async def waiting(connection: Connection, region: str, aside: Collection[str]) -> list[str]:
    """The ids of the transfers and returns that export_due would take."""
    transfers = await store.ids_due_for_export(connection, region, EXPORT_BATCH, aside)
    return [*transfers, *await store_returns.ids_due_for_export(connection, region, EXPORT_BATCH, aside)]


async def export_due(
    connection: Connection, gate: Gate, aside: Collection[str] = (), only: Collection[str] | None = None
) -> tuple[list[Exported], Mapping[str, Exception]]:
    """Export what waits, oldest first, in one transaction of the caller's: what was exported, and by id what could not be read.
    `aside`: transfers and returns to leave out; `only`: none but these.

    Raises what one of them cannot be exported for: roll back, and find the culprit by `only`.
    """
    region, at = gate.spec.region, datetime.now(UTC)
    due, unreadable = await store.due_for_export(connection, region, EXPORT_BATCH, aside, only)
    returns, unreadable_returns = await return_handoff.due(connection, region, at, aside, only)
    faults = {**unreadable, **unreadable_returns}
    if not due and not returns:
        return [], faults
    verdicts = await _verdicts(connection, gate, [one for one in due if one.leg is Leg.ORIGIN])
    told = [told_at_export(one, verdicts.get(one.payer_id or ""), at) for one in due]
    loaded = {one.transfer_id: one for one in due}
    leaving = {one.transfer_id for one in told if one.event is not Event.REFERRED}
    if {one.transfer_id for one in plan(loaded, told).export} != leaving:
        raise UnexpectedAnswer("what is due for export can be exported")
    due = [one for one in due if one.transfer_id in leaving]
    parties = await _parties(connection, gate, [one for one in due if one.leg is Leg.ORIGIN])
    outbound = [*(_outbound(one, parties, verdicts, at) for one in due), *returns]
    exported = await export(connection, gate.spec, gate.keys, gate.spec.directory, outbound, at=at)
    # What every reply must name: the envelope's hash, which the step that instructs has with it.
    hashes = {one.transfer_id: one.sha256 for one in exported if one.kind == Instructed.kind}
    told = [_with_hash(one, hashes) for one in told]
    await take_loaded(connection, region, loaded, told, room=_ROOM)
    return exported, faults


def _with_hash(told: Told, hashes: Mapping[str, bytes]) -> Told:
    if told.event is not Event.INSTRUCT:
        return told
    return told._replace(facts={**told.facts, "instruction_sha256": hashes[told.transfer_id]})


def told_at_export(transfer: Transfer, verdict: Verdict | None, at: datetime) -> Told:
    """What the exporter tells of a leg that is due; `verdict`: of the payer, where the leg instructs. Pure.

    A payer whom screening has found since the payment was accepted (another payment's screening, under newer lists) does not leave: the
    payment becomes a case for review, or is frozen by its wallet's actor.
    """
    if transfer.leg is not Leg.ORIGIN:
        return Told(transfer.transfer_id, Event.EXPORT)
    if verdict is None:
        raise UnexpectedAnswer("a payer was screened when the payment was accepted")
    if may_cross(verdict, reviewed=transfer.screening == "review"):
        return Told(transfer.transfer_id, Event.INSTRUCT)
    assert not isinstance(verdict, Clear)
    facts = {
        "screening": verdict.attestation.result,
        "review_reasons": (verdict.reason if isinstance(verdict, Review) else verdict.list,),
        "review_until": at + REVIEW_LIFETIME,
    }
    return Told(transfer.transfer_id, Event.REFERRED, facts)


async def admit_answers(connection: Connection, region: str, admitted: Sequence[Admitted]) -> list[Transfer]:
    """Keep what instructed cells answered; the origin legs to act upon. Answers with a fault have no effect.

    The admission gate has checked that each comes from the cell that was instructed, and names the instruction's hash.
    """
    answers, amounts = answers_of(admitted)
    if not answers:
        return []
    transfers = await store.load(connection, region, sorted(answers))
    for transfer_id, settled_amount in amounts.items():
        transfer = transfers[transfer_id]
        if settled_amount != (transfer.target_currency, transfer.target_amount):
            # Neither post nor void on it: somebody must look, and until then the hold stands.
            _log.critical("%s was settled for another amount than it was instructed for", transfer_id)
            del answers[transfer_id]
    watch.answered([transfers[transfer_id] for transfer_id in answers])
    answered = await marks.answer(connection, region, transfers, answers, component(_ROOM))
    return [one for one in answered if one.leg is Leg.ORIGIN]


def answers_of(admitted: Sequence[Admitted]) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, int]]]:
    """What instructed cells answered, by transfer id, and the (currency, amount in minor units) of those that settled. Pure.

    One with a fault says nothing.
    """
    answers: dict[str, dict[str, Any]] = {}
    amounts: dict[str, tuple[str, int]] = {}
    for one in admitted:
        if one.faults:
            continue
        match one.opened.message:
            case Settled() as settled:
                amounts[settled.transfer_id] = (settled.currency, settled.amount_minor)
                answers[settled.transfer_id] = {
                    "event": str(Event.SETTLED),
                    "scheme_reference": settled.scheme_reference,
                    "rail": settled.rail,
                    "at": settled.settled_at.isoformat(),
                }
            case Rejected() as rejected:
                event = Event.RAIL_REJECTED if rejected.stage == "rail" else Event.DESTINATION_REJECTED
                answers[rejected.transfer_id] = {
                    "event": str(event),
                    "reason_code": rejected.reason_code,
                    "at": rejected.rejected_at.isoformat(),
                }
    return answers, amounts


async def receipted(connection: Connection, region: str, instructed: Sequence[str]) -> list[str]:
    """The instructions of these transfers are with the peer now: its receipt closed their outbox rows. Ids that moved on."""
    step = await take(connection, region, [Told(one, Event.RECEIPTED) for one in instructed], room=_ROOM)
    return [one.transfer_id for one in step.now.values() if one.state is State.PENDING_RAIL]


async def _parties(connection: Connection, gate: Gate, transfers: Sequence[Transfer]) -> dict[str, SealedParties]:
    if not transfers:
        return {}
    wallets = await tenants.find_wallets(connection, gate.spec.region, sorted({one.wallet_id for one in transfers}))
    numbers = {wallet_id: wallet.account_number for wallet_id, wallet in wallets.items()}
    return await personal.parties_to_seal(connection, gate.vault, transfers, numbers)


async def _verdicts(connection: Connection, gate: Gate, transfers: Sequence[Transfer]) -> dict[str, Verdict]:
    """The verdict that stands on each payer, by payer id: what the attestation says of the screening."""
    if not transfers:
        return {}
    return await latest(connection, gate.spec.region, sorted({one.payer_id or "" for one in transfers}))


def _outbound(
    transfer: Transfer, parties: dict[str, SealedParties], verdicts: dict[str, Verdict], at: datetime
) -> Outbound:
    if transfer.leg is Leg.ORIGIN:
        message = instruction_of(transfer, verdicts[transfer.payer_id or ""], at)
        return Outbound(transfer.destination_cell, message, parties[transfer.transfer_id])
    return Outbound(transfer.origin_cell, reply_of(transfer, at))


def reply_of(transfer: Transfer, at: datetime) -> Settled | Rejected:
    """What the instructed cell says of a destination leg that waits for export. Pure."""
    instruction_hash = needed(transfer.instruction_sha256, "a leg was admitted under an instruction").hex()
    if transfer.state is State.SETTLED:
        return Settled(
            transfer_id=transfer.transfer_id,
            instruction_hash=instruction_hash,
            currency=transfer.target_currency,
            amount_minor=transfer.target_amount,
            rail=transfer.rail,
            scheme_reference=_reference(transfer),
            settled_at=at,
        )
    return Rejected(
        transfer_id=transfer.transfer_id,
        instruction_hash=instruction_hash,
        stage="destination" if transfer.state is State.DESTINATION_REJECTED else "rail",
        reason_code=transfer.reason_code or REASON_UNSPECIFIED,
        rejected_at=at,
    )


def _reference(transfer: Transfer) -> str:
    """The scheme's own reference where it can stand in the clear part; else the end-to-end id, which both ends can trace."""
    given = transfer.scheme_reference or ""
    return given if _CLEAR_REFERENCE.fullmatch(given) else end_to_end_id(transfer.transfer_id)


def instruction_of(transfer: Transfer, verdict: Verdict, at: datetime) -> Instructed:
    """The clear part of what the destination is asked to do; `verdict`: what stands on the payer. Pure."""
    return Instructed(
        transfer_id=transfer.transfer_id,
        tenant_id=transfer.tenant_id,
        recipient_id=transfer.recipient_id,
        origin_cell=transfer.origin_cell,
        destination_cell=transfer.destination_cell,
        currency=transfer.target_currency,
        amount_minor=transfer.target_amount,
        fee_minor=transfer.recipient_fee,
        source_currency=transfer.source_currency,
        rail=transfer.rail,
        deadline=transfer.deadline,
        screening=crossing_attestation(verdict, reviewed=transfer.screening == "review"),
        instructed_at=at,
    )
