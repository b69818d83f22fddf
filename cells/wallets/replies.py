"""What the saga makes of others' words: the event that the ledger's answer means, and the answer that a partner gets. Pure."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cells.idempotency.answer import Answer, RequestInFlight, answer_of_error
from cells.kit.command import Reply
from cells.ledger.entry import Account
from cells.ledger.submit import ChainResult
from cells.payments.machine import Early, Effect, Event, Leg, State, decide
from cells.payments.step import Owed
from cells.payments.transfer import (
    Contradiction,
    InsufficientFunds,
    NotYet,
    Told,
    TooLateToCancel,
    Transfer,
    TransferNotFound,
    resource,
)
from residency.errors import KovraError

_log = logging.getLogger("kovra.saga")
_REMEDY = "This quote is used up: fund the wallet, then ask for a new quote and send it with a new Idempotency-Key."


class Short(NamedTuple):
    """What the ledger has refused for want of funds: whose id it has, the wallet's account, and the amount in minor units."""

    subject: str
    account: int
    amount: int


def ledger_said(owed: Owed, result: ChainResult) -> list[Told]:
    """The event that the ledger's word on a chain means. A refusal that cannot be is a bug, and is not papered over."""
    transfer_id, attempt = owed.transfer.transfer_id, owed.transfer.attempt
    if result.applied:
        match owed.effect:
            case Effect.HOLD:
                # At the destination a case has been decided before anything is held.
                looks = owed.transfer.leg is not Leg.DESTINATION and owed.transfer.needs_review
                return [Told(transfer_id, Event.HELD_FOR_REVIEW if looks else Event.HELD, attempt=attempt)]
            case Effect.RESUME:
                return [Told(transfer_id, Event.HELD, attempt=attempt)]
            case Effect.UNFREEZE:
                return [Told(transfer_id, Event.UNFROZEN, attempt=attempt)]
            case Effect.POST:
                return [Told(transfer_id, Event.POSTED, attempt=attempt)]
            case Effect.VOID:
                return [Told(transfer_id, Event.VOIDED, attempt=attempt)]
            case Effect.FREEZE:
                return [Told(transfer_id, Event.FROZEN, attempt=attempt)]
            case Effect.LOSE:
                return [Told(transfer_id, Event.LOSS_BOOKED, attempt=attempt)]
    if owed.effect is Effect.HOLD and (result.lacks_funds or result.burnt):
        why = {"reason_code": "AM04"}
        return [Told(transfer_id, Event.HOLD_REFUSED, why, attempt, ledger_result=int(result.reason))]
    _log.critical("the ledger refused %s of %s: %s", owed.effect, transfer_id, result.reason.name)
    return []


def refusal_of(told: Told, transfer: Transfer) -> KovraError:
    """What whoever told an event hears that `transfer`, as it stood, cannot take."""
    if isinstance(decide(transfer.leg, transfer.state, told.event), Early):
        return NotYet()
    _log.error("%s cannot take %s in %s", transfer.transfer_id, told.event, transfer.state)
    return Contradiction(f"{transfer.state} cannot take {told.event}.")


def accepted(transfer: Transfer, missing: int | None = None) -> Answer:
    """The answer to an acceptance that the ledger has decided. `missing`: what the wallet lacked, where that is known."""
    if transfer.state is State.REJECTED:
        refused = InsufficientFunds.by(missing, transfer.source_currency, _REMEDY, transfer_id=transfer.transfer_id)
        return answer_of_error(refused)
    return Answer(202, resource(transfer))


def lacking(owed: Sequence[Owed], results: Sequence[ChainResult]) -> list[Transfer]:
    """The partners' transfers whose hold the ledger has just refused for want of funds."""
    pairs = zip(owed, results, strict=False)
    holds = (one.transfer for one, result in pairs if one.effect is Effect.HOLD and result.lacks_funds)
    return [one for one in holds if one.leg is not Leg.DESTINATION and one.batch_id is None]


def shortfalls(refused: Sequence[Short], found: Mapping[int, Account]) -> dict[str, int]:
    """What the wallet of each lacks, by subject. Without those that would fit again."""
    short = {one.subject: one.amount - found[one.account].available for one in refused if one.account in found}
    return {subject: minor for subject, minor in short.items() if minor > 0}


def answers_to_keep(owed: Sequence[Owed], now: Mapping[str, Transfer], missing: Mapping[str, int]) -> dict[str, Answer]:
    """The answers to keep for partners' transfers whose hold has just been decided, by transfer id. `missing`: what their wallets lack."""
    decided = (now.get(one.transfer.transfer_id) for one in owed if one.effect is Effect.HOLD)
    asked_for = (one for one in decided if one is not None and one.leg is not Leg.DESTINATION and one.batch_id is None)
    return {one.transfer_id: accepted(one, missing.get(one.transfer_id)) for one in asked_for}


def reply_to(name: str, transfer: Transfer | None, refused: Mapping[tuple[str, Event], Transfer]) -> Reply:
    """What a partner's command is answered with, now that the batch is through."""
    if transfer is None:
        return TransferNotFound()
    if name == "accept":
        return RequestInFlight() if transfer.state is State.CREATED else accepted(transfer)
    if transfer.state in (State.CANCELLING, State.CANCELLED):
        # Whoever asked first: a hold that is being released leads nowhere else.
        return Answer(200, resource(replace(transfer, state=State.CANCELLED)))
    if (transfer.transfer_id, Event.CANCEL) in refused:
        return TooLateToCancel()
    return Answer(200, resource(transfer))
