"""Intents: a quote and a payment in one call. Nothing is kept of an intent itself: it is its quote, with the payment that took it.

    one commit         the key is claimed, and the price locked under the intent's number
    the wallet's actor the payment, under a key made of the quote's id: once, whoever asks and however often

Killed in between, the same key goes on where the first request stopped.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.fx.quotes import NewQuote, Quote, QuoteExpired
from cells.fx.store import find_quotes, lock_quotes
from cells.idempotency import store as idempotency
from cells.idempotency.answer import Answer
from cells.parties.token import TokenCheck
from cells.payments import store
from cells.payments.intent_view import IntentStatus, intent_status
from cells.payments.origin import OPERATION as ACCEPT
from cells.payments.transfer import Transfer, resource
from cells.rails.routing import DeadlineCannotBeMet
from cells.tenants.store import find_wallets_of_tenants
from cells.tenants.tenant import NewWallet
from residency import wire
from residency.classes import Confidential, Personal, Public
from residency.errors import KovraError
from residency.ids import mint
from router.api.call import Json, call_of
from router.api.errors import WalletMissing
from router.api.idempotency import REPLAYED, claimed, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.problems import Problems
from router.api.routes import Resource
from router.api.shapes import RECIPIENT_EXAMPLE, IdText, PaymentDate, RemittanceText, checked_id, stamp
from router.api.v1.quotes import ONE_SIDE, PRICE_ERRORS, QuoteShown, Sides, priced
from router.api.v1.quotes import shown as quote_shown
from router.api.v1.transfers import CREATE_ERRORS, TransferNew, accept

OPERATION = "intents.create"


class IntentNotFound(KovraError):
    code = "intent-not-found"
    status = 404
    title = "There is no such intent"


class IntentNew(Sides):
    """What a quote and a transfer ask for, together: one side of the exchange fixed, the recipient, and the payer."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": ONE_SIDE,
            "examples": list[JsonValue](
                [
                    {
                        "source": {"value": "1000.00", "currency": "EUR"},
                        "target_currency": "IDR",
                        "recipient_id": RECIPIENT_EXAMPLE,
                        "payer_id": "pyr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io",
                        "reference": "Invoice 4711",
                    }
                ]
            ),
        }
    )

    recipient_id: Annotated[IdText, Public]
    payer_id: Annotated[IdText, Public]
    reference: Annotated[RemittanceText | None, Personal] = None
    deadline: Annotated[PaymentDate | None, Public] = None


class IntentProblem(BaseModel):
    """Why no payment came of it; `code` is that of a problem page."""

    code: Annotated[str, Public]
    title: Annotated[str, Public]
    detail: Annotated[str, Public]


class IntentShown(BaseModel):
    """An intent: its quote, and the payment that took it."""

    id: Annotated[str, Public]
    status: Annotated[IntentStatus, Public] = Field(
        description="CREATED: the price is locked. VALIDATED: the funds are held, it can be cancelled. AUTHORIZED: on its way."
        " SETTLED: with the recipient. FAILED: it was not paid, and what was held is given back. REVERSED: it has come back whole."
        " The one exception: while the transfer is BLOCKED (the law has the funds frozen) the intent is FAILED, and once an officer"
        " releases the funds it is VALIDATED again, or stays FAILED with the funds given back."
        " The transfer's own status says more."
    )
    quote: Annotated[QuoteShown, Confidential]
    transfer: Annotated[wire.Transfer | None, Confidential] = Field(description="Cancel it by its own id")
    problem: Annotated[IntentProblem | None, Public]
    created_at: Annotated[datetime, Public]


async def create_intent(request: Request, body: IntentNew) -> Response:
    """Lock a price and pay with it, in one call. The same Idempotency-Key and body again answer as the first time, and pay once."""
    parts, call, key = parts_of(request), call_of(request), required_key(request)
    quote_id = mint("qt", parts.spec.name)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        kept = await claimed(request, connection, OPERATION, key, quote_id)
        quote_id = kept.resource_id
        if kept.first:
            await _lock(request, connection, body, quote_id)
    call.resource_id = intent_id = _intent_of(quote_id)
    asked = TransferNew.model_construct(
        quote_id=quote_id, recipient_id=body.recipient_id, payer_id=body.payer_id, reference=body.reference,
        metadata=body.metadata, deadline=body.deadline,
    )  # fmt: skip
    digest = hashlib.sha256(await request.body()).digest()
    answer, _ = await accept(parts, call, asked, _key_of(quote_id), digest)
    replayed = {} if kept.first else {REPLAYED: "true"}
    if answer.problem:
        response = _refused(request, answer, intent_id)
        response.headers.update(replayed)
        return response
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        quote = (await find_quotes(connection, parts.region, [quote_id]))[quote_id]
        transfer = (await store.read(connection, parts.region, [answer.body["id"]]))[answer.body["id"]]
    return Json(_shown(quote, transfer, None), 202, replayed)


async def get_intent(request: Request, intent_id: str) -> Response:
    """An intent, with its quote and its payment as they stand."""
    parts, call = parts_of(request), call_of(request)
    quote_id = _quote_of(checked_id(intent_id, "int", IntentNotFound()))
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        quote = (await find_quotes(connection, parts.region, [quote_id])).get(quote_id)
        if quote is None or not await idempotency.made_by(connection, parts.region, OPERATION, [quote_id]):
            raise IntentNotFound
        transfer = answer = None
        if quote.transfer_id is not None:
            transfer = (await store.read(connection, parts.region, [quote.transfer_id])).get(quote.transfer_id)
        else:
            answer = await idempotency.kept(connection, parts.region, call.tenant_id, ACCEPT, _key_of(quote_id))
    return Json(_shown(quote, transfer, answer))


async def _lock(request: Request, connection: Connection, body: IntentNew, quote_id: str) -> None:
    """Check what can be checked at the door across the fields, and lock the price. What it raises leaves the key free."""
    parts, call = parts_of(request), call_of(request)
    found, rail = await priced(parts, call.tenant, body)
    wanted = NewWallet(call.tenant_id, found.rate.source)
    if not await find_wallets_of_tenants(connection, parts.region, [wanted]):
        raise WalletMissing(pointer="/source/currency" if body.source else "/source_currency")
    _check_fields(parts, call.tenant_id, body, found.rate.target)
    new = NewQuote(quote_id, call.tenant_id, rail.name, found, body.tags)
    await lock_quotes(connection, parts.region, [new])
    parts.quote_wallets.note(call.tenant_id, quote_id, found.rate.source)


def _check_fields(parts: Parts, tenant_id: str, body: IntentNew, target: str) -> None:
    """Raises UnknownRecipient, WrongRecipientCurrency, DeadlineCannotBeMet."""
    [token] = parts.institution.tokens.verify([TokenCheck(body.recipient_id, tenant_id, target)])
    if isinstance(token, KovraError):
        raise token
    if body.deadline is not None and body.deadline <= datetime.now(UTC):
        raise DeadlineCannotBeMet("The deadline has passed.", pointer="/deadline")


def _refused(request: Request, answer: Answer, intent_id: str) -> Response:
    problems = request.app.state.problems
    assert isinstance(problems, Problems)
    told = {**answer.body, "extra": {**answer.body["extra"], "intent_id": intent_id}}
    return problems.of_answer(Answer(answer.status, told, problem=True), call_of(request).request_id)


def _shown(quote: Quote, transfer: Transfer | None, answer: Answer | None) -> dict[str, Any]:
    now = datetime.now(UTC)
    problem: Mapping[str, Any] | None = answer.body if answer is not None and answer.problem else None
    if transfer is None and problem is None and quote.expires_at <= now:
        # Asked for, and never brought to its wallet while the price stood.
        problem = {"code": QuoteExpired.code, "title": QuoteExpired.title, "detail": QuoteExpired.title}
    failed = IntentStatus.CREATED if problem is None else IntentStatus.FAILED
    return {
        "id": _intent_of(quote.quote_id),
        "status": str(failed if transfer is None else intent_status(transfer.state)),
        "quote": quote_shown(quote, now),
        "transfer": None if transfer is None else resource(transfer),
        "problem": None if problem is None else {name: problem[name] for name in ("code", "title", "detail")},
        "created_at": stamp(quote.created_at),
    }


def _intent_of(quote_id: str) -> str:
    return "int" + quote_id.removeprefix("qt")


def _quote_of(intent_id: str) -> str:
    return "qt" + intent_id.removeprefix("int")


def _key_of(quote_id: str) -> str:
    """The key under which the wallet is asked: the partner's own may stand for a transfer as well."""
    return f"intent:{quote_id}"


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "transfers", "Intents")
    routes.add(
        "POST", "/v1/intents", create_intent, summary="Quote and pay in one call", model=IntentShown, status=202,
        errors=(*PRICE_ERRORS, *CREATE_ERRORS), headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "GET", "/v1/intents/{intent_id}", get_intent, summary="An intent", model=IntentShown, errors=(IntentNotFound,)
    )
