"""The sandbox's schemes: decide what they have not decided, return what they paid; and let a tenant's time go by.

A payment is at the scheme of the region that pays it out: that is where these are sent, with Kovra-Region.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction, transaction
from cells.idempotency.answer import IdempotencyConflict
from cells.kit.money import InvalidAmount, UnknownCurrency, money
from cells.payments import store
from cells.payments.transfer import Transfer, TransferNotFound
from cells.rails.console import ConsoleRefused, SchemeConsole
from cells.rails.rail import RailUnavailable, end_to_end_id, transfer_id_of, utc_now
from cells.wallets import store_sandbox_time
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import MalformedId
from residency.wire import Money
from router.api.auth import need_sandbox
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing, NotAtTheScheme, SandboxOnly
from router.api.idempotency import acted, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.region import elsewhere
from router.api.routes import Resource
from router.api.shapes import IdText, MoneyNew, Shape, WholeNumber, checked_id, minor_of, stamp
from router.api.v1.sandbox import console_of

_DAYS_MAX = 366
Reason = Annotated[
    str, Field(pattern=r"^[A-Z]{2}[A-Z0-9]{2}$", description="An ISO 20022 reason code", examples=["AC06"])
]


class SettlementNew(Shape):
    """A payment that the scheme has not paid: pending, or never received."""

    transfer_id: Annotated[IdText, Public]


class RejectionNew(Shape):
    """A payment that the scheme has not paid."""

    transfer_id: Annotated[IdText, Public]
    reason: Annotated[Reason, Public] = "AC04"


class ReturnNew(Shape):
    """A payment that the scheme has paid. `amount` in the currency of the payout; without it, all that is left."""

    transfer_id: Annotated[IdText, Public]
    amount: Annotated[MoneyNew | None, Confidential] = None
    reason: Annotated[Reason, Public] = "AC04"


class TimeNew(Shape):
    """How much time shall go by for you in this region."""

    seconds: Annotated[WholeNumber, Public] = Field(ge=1, le=_DAYS_MAX * 86_400, examples=[172_800])


class SimulatedShown(BaseModel):
    """What the scheme did. The cell gets the same message as from a real scheme, and you get webhooks."""

    transfer_id: Annotated[str, Public]
    rail: Annotated[str, Public]
    outcome: Annotated[Literal["settled", "rejected", "returned"], Public]
    reason: Annotated[str | None, Public]
    scheme_reference: Annotated[str | None, Public] = Field(description="Of the return")


class TimeShown(BaseModel):
    """`now` for you in this region. It only goes forward, and for nobody else."""

    seconds: Annotated[int, Public]
    now: Annotated[datetime, Public]


class PaymentShown(BaseModel):
    """A payment as the scheme knows it: how often it was asked for, and how often it paid."""

    transfer_id: Annotated[str, Public]
    rail: Annotated[str, Public]
    asked: Annotated[int, Public]
    paid: Annotated[int, Public]
    returned: Annotated[Money, Confidential]


async def get_sandbox_payment(
    request: Request, transfer_id: Annotated[str, Query(max_length=160, description="The transfer")]
) -> Response:
    """What the scheme was asked and paid, once the payment is there: before that, `not-at-the-scheme`."""
    parts, call = parts_of(request), call_of(request)
    need_sandbox(parts.spec, call.tenant)
    transfer = await _own_here(request, transfer_id)
    payment = end_to_end_id(transfer.transfer_id)
    rail = await _asked_rail(parts, payment)
    async with console_of(parts, rail) as console:
        found = await console.payments(payment)
    return Json(
        {
            "transfer_id": transfer.transfer_id,
            "rail": rail,
            "asked": found.asked,
            "paid": found.paid,
            "returned": money(found.returned_minor, transfer.target_currency),
        }
    )


async def settle_sandbox_payment(request: Request, body: SettlementNew) -> Response:
    """Have the scheme pay a payment that it left pending, unanswered or never received."""

    async def act(console: SchemeConsole, payment: str, _: str) -> None:
        await console.settle(payment)

    return await _done(request, "sandbox.settlements.create", body.transfer_id, "settled", act)


async def reject_sandbox_payment(request: Request, body: RejectionNew) -> Response:
    """Have the scheme refuse what it has not paid; the money goes back to the wallet."""

    async def act(console: SchemeConsole, payment: str, _: str) -> None:
        await console.reject(payment, body.reason)

    return await _done(request, "sandbox.rejections.create", body.transfer_id, "rejected", act, body.reason)


async def return_sandbox_payment(request: Request, body: ReturnNew) -> Response:
    """Have the recipient's bank send a payment back, whole or in part."""
    amount = None if body.amount is None else minor_of(body.amount, "/amount")

    async def act(console: SchemeConsole, payment: str, reference: str) -> None:
        await console.give_back(payment, amount, body.reason, return_id=reference)

    return await _done(request, "sandbox.returns.create", body.transfer_id, "returned", act, body.reason, body.amount)


async def advance_sandbox_time(request: Request, body: TimeNew) -> Response:
    """Let your own time go by in this region: what was to happen to you later happens sooner, and nothing changes for others.

    What comes nearer: the expiry of quotes, the end of a review, the moment at which a credit becomes available, the end of a sub-wallet's
    lock, the start of a scheduled batch, and what the schemes that pay out here were to do with your payments (settle or return them days later). Each such time, where it
    is shown, is then earlier by as much. What stays: limits by day and month, rates, the schemes' hours and business days, keys, and the
    retries of webhooks.
    """
    parts, call = parts_of(request), call_of(request)
    required_key(request)
    need_sandbox(parts.spec, call.tenant)
    by = timedelta(seconds=body.seconds)

    async def act(reference: str, again: bool) -> dict[str, Any]:  # noqa: ARG001 - the same reference counts once
        async with transaction(parts.writer) as connection:
            ahead = await store_sandbox_time.let_go_by(
                connection, parts.region, call.tenant_id, reference, by, call.author
            )
        if ahead is None:
            raise ConsoleRefused(f"Your time would be more than {store_sandbox_time.AHEAD_MAX.days:,} days ahead.")
        for rail in sorted(parts.spec.settings.schemes):
            async with console_of(parts, rail) as console:
                after = ""
                while page := await console.planned(after):
                    after = page[-1]
                    if own := await _own_among(parts, call.tenant_id, page):
                        await console.advance_for(own, by, reference)
        return {"seconds": body.seconds, "now": stamp(utc_now() + ahead)}

    return await acted(request, "sandbox.time.create", act)


async def _own_among(parts: Parts, tenant_id: str, end_to_end_ids: Sequence[str]) -> list[str]:
    """Those of a scheme's payments that are the tenant's; a scheme knows no tenants."""
    names: dict[str, str] = {}
    for one in end_to_end_ids:
        with contextlib.suppress(MalformedId):
            names[transfer_id_of(one)] = one
    async with tenant_transaction(parts.pool, tenant_id) as connection:
        own = await store.read(connection, parts.region, sorted(names))
    return [names[one] for one in sorted(own)]


Act = Callable[[SchemeConsole, str, str], Awaitable[None]]


async def _done(
    request: Request, operation: str, transfer_id: str, outcome: str, act: Act, reason: str | None = None,
    amount: MoneyNew | None = None,
) -> Response:  # fmt: skip
    """`act` at the scheme that was asked for the payment."""
    parts, call = parts_of(request), call_of(request)
    required_key(request)
    need_sandbox(parts.spec, call.tenant)
    transfer = await _own_here(request, transfer_id)
    if amount is not None and amount.currency != transfer.target_currency:
        raise InvalidAmount(f"It is paid out in {transfer.target_currency}.", pointer="/amount/currency")
    payment = end_to_end_id(transfer.transfer_id)
    rail = await _asked_rail(parts, payment)

    async def at_the_scheme(reference: str, again: bool) -> dict[str, Any]:
        async with console_of(parts, rail) as console:
            try:
                await act(console, payment, reference)
            except ConsoleRefused:
                fates = {one["fate"] for one in (await console.payment(payment))["payments"]}
                if not (again and fates == {outcome}):
                    raise
        return {
            "transfer_id": transfer.transfer_id,
            "rail": rail,
            "outcome": outcome,
            "reason": reason,
            "scheme_reference": reference if outcome == "returned" else None,
        }

    return await acted(request, operation, at_the_scheme, transfer.transfer_id)


async def _own_here(request: Request, text: str) -> Transfer:
    """The tenant's transfer that this cell pays out. Raises TransferNotFound; WrongRegion when another cell pays it out."""
    parts, call = parts_of(request), call_of(request)
    pointer = "/transfer_id" if request.method == "POST" else None
    missing = TransferNotFound(pointer=pointer)
    found = checked_id(text, "tr", missing)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        transfer = (await store.read(connection, parts.region, [found])).get(found)
    if transfer is None:
        raise missing
    if transfer.destination_cell != parts.spec.name:
        raise elsewhere(parts.spec.directory.cell(transfer.destination_cell), pointer)
    return transfer


async def _asked_rail(parts: Parts, payment: str) -> str:
    """The rail whose scheme was asked for it. Raises NotAtTheScheme, RailUnavailable."""
    rails = sorted(parts.spec.settings.schemes)

    async def asked(rail: str) -> int:
        async with console_of(parts, rail) as console:
            return (await console.payments(payment)).asked

    counts = await asyncio.gather(*(asked(rail) for rail in rails))
    found = [rail for rail, count in zip(rails, counts, strict=True) if count]
    if not found:
        raise NotAtTheScheme
    return found[0]


_ERRORS: tuple[type[KovraError], ...] = (
    IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, SandboxOnly, ConsoleRefused, RailUnavailable,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "sandbox", "Sandbox")
    of_payment = (*_ERRORS, TransferNotFound, NotAtTheScheme)
    routes.add(
        "GET", "/v1/sandbox/payments", get_sandbox_payment, summary="A payment at its scheme", model=PaymentShown,
        errors=(SandboxOnly, TransferNotFound, NotAtTheScheme, RailUnavailable),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/sandbox/settlements", settle_sandbox_payment, summary="Settle a payment", model=SimulatedShown, status=202,
        errors=of_payment, headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/sandbox/rejections", reject_sandbox_payment, summary="Reject a payment", model=SimulatedShown, status=202,
        errors=of_payment, headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/sandbox/returns", return_sandbox_payment, summary="Return a payment", model=SimulatedShown, status=202,
        errors=(*of_payment, InvalidAmount, UnknownCurrency), headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/sandbox/time", advance_sandbox_time, summary="Let your time go by", model=TimeShown, status=202, errors=_ERRORS,
        headers=(KEY_REQUIRED,),
    )  # fmt: skip
