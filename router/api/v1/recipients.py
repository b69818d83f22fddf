"""Recipients: who is to be paid, kept in the region of the bank account and nowhere else."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.parties.accounts import account_from_vault
from cells.parties.models import NameChecked, Recipient, RecipientNew
from cells.parties.recipients import creditor_party
from cells.parties.retention import kept_until
from cells.parties.spelling import LettersUnwritable
from cells.payments.store_history import last_payments
from cells.rails.accounts import AccountUnreachable, IbanInvalid, NoRailForCurrency
from cells.rails.bic import AccountInvalid
from cells.rails.name_check import name_check_for
from residency.classes import Personal, Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, RegionRequired
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL, REGION_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.region import HEADER
from router.api.routes import Resource
from router.api.shapes import Cursor, Limit, checked_id, page
from router.api.v1.sent_as import SentAs, sent_as

OPERATION = "recipients.create"


class RecipientNotFound(KovraError):
    code = "recipient-not-found"
    status = 404
    title = "There is no such recipient"


class RecipientShown(Recipient):
    """A registered recipient, as you see it in its own region. `id` is the signed token that pays it."""

    sent_as: Annotated[list[SentAs], Personal] = Field(
        default=[],
        description="What the scheme is given, for each rail of this region that pays the account's currency",
    )


class RecipientPage(BaseModel):
    """Oldest first."""

    data: Annotated[list[RecipientShown], Personal]
    next_cursor: Annotated[str | None, Public]


class NameCheckShown(NameChecked):
    """`registered_name`: as the account is held, where the result is `close`; it is shown in this answer and stored nowhere."""

    registered_name: Annotated[str | None, Personal] = None


def need_region(request: Request) -> None:
    """Raises RegionRequired: a default could send one region's data to another."""
    if not call_of(request).region_named:
        regions = sorted(parts_of(request).spec.directory.regions)
        raise RegionRequired(
            f"Name it in the {HEADER} header or in front of the path; it is one of {', '.join(regions)}.",
            regions=regions,
        )


async def create_recipient(request: Request, body: RecipientNew) -> Response:
    """Register a recipient where the bank account is. The id is a signed token, good in your hands only."""
    need_region(request)
    parts, call = parts_of(request), call_of(request)
    recipients = parts.institution.recipients

    async def make(connection: Connection) -> Made:
        [found] = await recipients.create(connection, call.tenant_id, [body])
        if isinstance(found, KovraError):
            raise found
        return Made(_row_id(found.id), shown(found, parts))

    async def again(connection: Connection, row_id: str) -> dict[str, Any]:
        return shown((await recipients.get(connection, call.tenant_id, [row_id]))[0], parts)

    return await created(request, OPERATION, make, again)


async def list_recipients(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Your recipients in this region, oldest first."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await parts.institution.recipients.page(connection, call.tenant_id, cursor or "", limit)
    return Json(page([shown(one, parts) for one in found], limit, _row_id(found[-1].id) if found else None))


async def get_recipient(request: Request, recipient_id: str) -> Response:
    """A recipient of this region. One that you deleted is no longer found."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await _find(parts, connection, call.tenant_id, recipient_id)
    return Json(shown(found, parts))


async def check_recipient_name(request: Request, recipient_id: str) -> Response:
    """Ask the bank of the account whether it is held under the recipient's name. Whatever it says, the recipient may be paid.

    `match`, `close`, `no_match`, or `unavailable` where the bank did not answer in time. The result is stored with the recipient.
    """
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await _find(parts, connection, call.tenant_id, recipient_id)
    row_id = call.resource_id = _row_id(found.id)
    if found.details is None:
        raise RecipientNotFound
    # No transaction is open while the scheme thinks.
    check = name_check_for(parts.spec, found.currency)
    answer = await check.check(account_from_vault(found.details.account), found.details.name)
    told = NameCheckShown(result=answer.result, checked_at=datetime.now(UTC), registered_name=answer.registered_name)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        await parts.institution.recipients.record_name_checks(connection, call.tenant_id, [(row_id, told)])
    return Json(told.model_dump(mode="json", exclude_none=True))


async def delete_recipient(request: Request, recipient_id: str) -> Response:
    """Delete a recipient. Personal data are erased at once, or when the law that makes us keep a payment's record lets us."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await _find(parts, connection, call.tenant_id, recipient_id)
        row_id = call.resource_id = _row_id(found.id)
        paid = await last_payments(connection, parts.region, call.tenant_id, recipient_ids=[found.id])
        kept = kept_until(parts.region, {row_id: paid[found.id]} if paid else {})
        await parts.institution.recipients.delete(connection, call.tenant_id, [row_id], kept)
    return Response(status_code=204)


async def _find(parts: Parts, connection: Connection, tenant_id: str, text: str) -> Recipient:
    """By token, or by the row id in front of it. Raises RecipientNotFound."""
    row_id = checked_id(_row_id(text), "rcp", RecipientNotFound())
    found = await parts.institution.recipients.get(connection, tenant_id, [row_id])
    if not found or found[0].status == "deleted" or text not in (row_id, found[0].id):
        raise RecipientNotFound
    return found[0]


def _row_id(token: str) -> str:
    return token.partition(".")[0]


def shown(recipient: Recipient, parts: Parts) -> dict[str, Any]:
    """A recipient as the API writes it."""
    found = recipient.model_dump(mode="json", exclude_none=True)
    if recipient.details is not None:
        rails = [one for one in parts.institution.router.profiles if one.currency == recipient.currency]
        found["sent_as"] = sent_as(creditor_party(recipient.details, recipient.country), rails)
    return found


_ERRORS: tuple[type[KovraError], ...] = (
    RegionRequired, LettersUnwritable, IbanInvalid, AccountInvalid, AccountUnreachable, NoRailForCurrency, IdempotencyKeyInvalid,
    IdempotencyConflict, RequestInFlight,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "recipients", "Recipients")
    routes.add(
        "POST", "/v1/recipients", create_recipient, summary="Register a recipient", model=RecipientShown, status=201,
        errors=_ERRORS, headers=(REGION_REQUIRED, KEY_OPTIONAL),
    )  # fmt: skip
    routes.add("GET", "/v1/recipients", list_recipients, summary="Your recipients", model=RecipientPage)
    one, missing = "/v1/recipients/{recipient_id}", (RecipientNotFound,)
    routes.add("GET", one, get_recipient, summary="A recipient", model=RecipientShown, errors=missing)
    routes.add(
        "POST", f"{one}/name-check", check_recipient_name, summary="Check a recipient's name", model=NameCheckShown,
        errors=missing,
    )  # fmt: skip
    routes.add("DELETE", one, delete_recipient, summary="Delete a recipient", model=None, status=204, errors=missing)
