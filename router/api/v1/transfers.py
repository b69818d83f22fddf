"""Transfers: the payment itself. Creating one is the hot path, and does by itself what FastAPI would do for it."""

import hashlib
from typing import Annotated

from fastapi import FastAPI
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from actors.mailbox import MailboxFull
from actors.runtime import ActorUnavailable, DeadlineMissed
from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.fx.quotes import QuoteExpired, QuoteUsed, UnknownQuote
from cells.idempotency.answer import Answer, IdempotencyConflict, RequestInFlight
from cells.kit.command import Command
from cells.limits.limits import LimitExceeded
from cells.parties.payers import UnknownPayer
from cells.parties.token import UnknownRecipient, WrongRecipientCurrency
from cells.payments import personal, store
from cells.payments.acceptance import Acceptance
from cells.payments.machine import Leg
from cells.payments.origin import OPERATION, QuoteMismatch, WalletNotOpen
from cells.payments.transfer import Cancel, InsufficientFunds, TooLateToCancel, Transfer, TransferNotFound
from cells.rails.remittance import Remittance
from cells.rails.routing import DeadlineCannotBeMet, NoRoute
from residency import wire
from residency.classes import Confidential, Personal, Public
from residency.errors import KovraError
from residency.ids import MalformedId, mint, parse
from residency.travel_rule import TravelRuleIncomplete
from router.api.call import Call, Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing, WalletMissing
from router.api.idempotency import REPLAYED, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.problems import Problems
from router.api.region import elsewhere
from router.api.routes import Resource
from router.api.shapes import (
    NO_OTHER_KEYS,
    RECIPIENT_EXAMPLE,
    IdText,
    MetadataKey,
    MetadataValue,
    PaymentDate,
    RemittanceText,
    Shape,
    checked_id,
    read,
)


class TransferNew(Shape):
    """`reference` is the text that the recipient's bank shows; it is sealed as it arrives. `metadata` is yours, and shown in
    webhooks: put nothing about a person in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "quote_id": "qt_eu1_06l2r0k8q5o7t3v1a9c4e6g8io",
                    "recipient_id": RECIPIENT_EXAMPLE,
                    "payer_id": "pyr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io",
                    "reference": "Invoice 4711",
                }
            ]
        }
    )

    quote_id: Annotated[IdText, Public]
    recipient_id: Annotated[IdText, Public]
    payer_id: Annotated[IdText, Public]
    reference: Annotated[RemittanceText | None, Personal] = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Confidential] = Field(
        default_factory=dict, max_length=20, json_schema_extra=NO_OTHER_KEYS
    )
    deadline: Annotated[PaymentDate | None, Public] = Field(
        default=None,
        description="By when the payee shall have the money: the cheapest rail that settles by then. Without one, the soonest."
        " Across a border the region that pays out chooses so as it is instructed; where nothing is in time any more, the soonest.",
    )


async def create_transfer(request: Request) -> Response:
    """Pay a recipient with a quote. The same Idempotency-Key and body again answer as the first time, and pay once."""
    parts, call = parts_of(request), call_of(request)
    key = required_key(request)
    raw = await request.body()
    asked = read(TransferNew, raw)
    _check_quote(parts, asked.quote_id)
    answer, replayed = await accept(parts, call, asked, key, hashlib.sha256(raw).digest())
    return _answered(request, answer, replayed=replayed)


async def accept(parts: Parts, call: Call, asked: TransferNew, key: str, request_sha256: bytes) -> tuple[Answer, bool]:
    """What the wallet of the quote says to a payment under that key, and whether it has said so to another request before.

    Raises UnknownQuote, WalletMissing, and what the wallet's actor raises when it is away.
    """
    tenant_id = call.tenant_id
    wallet_id = await parts.quote_wallets.wallet_of(tenant_id, asked.quote_id)
    transfer_id = mint("tr", parts.spec.name)
    remittance = None
    if asked.reference is not None:
        said = Remittance(text=asked.reference)
        remittance = personal.seal_remittance(parts.institution.vault, tenant_id, transfer_id, said)
    body = Acceptance(
        transfer_id, tenant_id, asked.quote_id, asked.recipient_id, asked.payer_id, key, request_sha256, call.author,
        asked.metadata, remittance, asked.deadline,
    )  # fmt: skip
    command = Command(f"{tenant_id}:{OPERATION}:{key}:{request_sha256.hex()[:16]}", wallet_id, "accept", body)
    answer: Answer = await parts.wallets.ask(command)
    return answer, answer.replayed or _is_of_another(answer, transfer_id)


def _is_of_another(answer: Answer, transfer_id: str) -> bool:
    """Whether an answer speaks of a transfer that another request made: then that request was the first under the key."""
    told = answer.body["extra"].get("transfer_id", "") if answer.problem else answer.body["id"]
    return (answer.resource_id or told) not in ("", transfer_id)


def _check_quote(parts: Parts, quote_id: str) -> None:
    """Raises UnknownQuote; WrongRegion for a quote of another cell, which is where its wallet is."""
    try:
        cell = parse(quote_id, "qt").cell
    except MalformedId:
        raise UnknownQuote(pointer="/quote_id") from None
    other = parts.spec.directory.cells.get(cell)
    if other is not None and other.name != parts.spec.name:
        raise elsewhere(other, "/quote_id")


def _answered(request: Request, answer: Answer, *, replayed: bool = False) -> Response:
    """What the wallet answered, for the first time or again."""
    call = call_of(request)
    if answer.problem:
        problems = request.app.state.problems
        assert isinstance(problems, Problems)
        response = problems.of_answer(answer, call.request_id)
    else:
        call.resource_id = answer.body["id"]
        response = Json(answer.body, answer.status)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response


async def cancel_transfer(request: Request, transfer_id: str) -> Response:
    """Cancel a transfer that has not been instructed yet; one that waits for nothing is, within a moment. Cancelling one that is cancelled changes nothing."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(transfer_id, "tr", TransferNotFound())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        transfer = own_transfer((await store.read(connection, parts.region, [found])).get(found))
    call.resource_id = found
    asked = Cancel(found, call.author)
    command = Command(f"{found}:cancel:{call.request_id}", transfer.wallet_id, "cancel", asked)
    return _answered(request, await parts.wallets.ask(command))


def own_transfer(transfer: Transfer | None) -> Transfer:
    """Raises TransferNotFound: a leg that pays for another cell is that cell's transfer."""
    if transfer is None or transfer.leg is Leg.DESTINATION:
        raise TransferNotFound
    return transfer


_UNKNOWN_OUTCOME: tuple[type[KovraError], ...] = (ActorUnavailable, DeadlineMissed, MailboxFull)
CREATE_ERRORS: tuple[type[KovraError], ...] = (
    IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight, UnknownQuote, QuoteExpired, QuoteUsed,
    QuoteMismatch, WalletMissing, UnknownWallet, WalletNotOpen, UnknownRecipient, WrongRecipientCurrency, UnknownPayer,
    TravelRuleIncomplete, LimitExceeded, InsufficientFunds, NoRoute, DeadlineCannotBeMet, *_UNKNOWN_OUTCOME,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "transfers", "Transfers")
    routes.add(
        "POST", "/v1/transfers", create_transfer, summary="Pay a recipient", model=wire.Transfer, status=202,
        errors=CREATE_ERRORS, direct_body=TransferNew, headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/transfers/{transfer_id}/cancel", cancel_transfer, summary="Cancel a transfer", model=wire.Transfer,
        errors=(TransferNotFound, TooLateToCancel, UnknownWallet, *_UNKNOWN_OUTCOME),
    )  # fmt: skip
