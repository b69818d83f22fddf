"""Payers: your customers, on whose behalf you pay, kept in the region where the money leaves."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.parties.models import Payer, PayerNew
from cells.parties.payers import payer_party
from cells.parties.retention import kept_until
from cells.parties.spelling import LettersUnwritable
from cells.payments.store_history import last_payments
from cells.rails.profile_files import rail_profiles
from residency.classes import Personal, Public
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, RegionRequired
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL, REGION_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import Cursor, Limit, checked_id, page
from router.api.v1.recipients import need_region
from router.api.v1.sent_as import SentAs, sent_as

OPERATION = "payers.create"


class PayerNotFound(KovraError):
    code = "payer-not-found"
    status = 404
    title = "There is no such payer"


class PayerShown(Payer):
    """A registered payer, as you see it in its own region."""

    sent_as: Annotated[list[SentAs], Personal] = Field(
        default=[],
        description="What a scheme is given, for every rail there is: the recipient's region decides which it is",
    )


class PayerPage(BaseModel):
    """Oldest first."""

    data: Annotated[list[PayerShown], Personal]
    next_cursor: Annotated[str | None, Public]


async def create_payer(request: Request, body: PayerNew) -> Response:
    """Register a payer in the region of the wallet that will pay."""
    need_region(request)
    parts, call = parts_of(request), call_of(request)
    payers = parts.institution.payers

    async def make(connection: Connection) -> Made:
        [found] = await payers.create(connection, call.tenant_id, [body])
        if isinstance(found, KovraError):
            raise found
        return Made(found.id, shown(found))

    async def again(connection: Connection, payer_id: str) -> dict[str, Any]:
        return shown((await payers.get(connection, call.tenant_id, [payer_id]))[0])

    return await created(request, OPERATION, make, again)


async def list_payers(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Your payers in this region, oldest first."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await parts.institution.payers.page(connection, call.tenant_id, cursor or "", limit)
    return Json(page([shown(one) for one in found], limit, found[-1].id if found else None))


async def get_payer(request: Request, payer_id: str) -> Response:
    """A payer of this region. One that you deleted is no longer found."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        return Json(shown(await _find(parts, connection, call.tenant_id, payer_id)))


async def delete_payer(request: Request, payer_id: str) -> Response:
    """Delete a payer. Personal data are erased at once, or when the law that makes us keep a payment's record lets us."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await _find(parts, connection, call.tenant_id, payer_id)
        call.resource_id = found.id
        paid = await last_payments(connection, parts.region, call.tenant_id, payer_ids=[found.id])
        kept = kept_until(parts.region, paid)
        await parts.institution.payers.delete(connection, call.tenant_id, [found.id], kept)
    return Response(status_code=204)


async def _find(parts: Parts, connection: Connection, tenant_id: str, text: str) -> Payer:
    payer_id = checked_id(text, "pyr", PayerNotFound())
    found = await parts.institution.payers.get(connection, tenant_id, [payer_id])
    if not found or found[0].status == "deleted":
        raise PayerNotFound
    return found[0]


def shown(payer: Payer) -> dict[str, Any]:
    """A payer as the API writes it."""
    found = payer.model_dump(mode="json", exclude_none=True)
    if payer.details is not None:
        found["sent_as"] = sent_as(payer_party(payer.details, None), list(rail_profiles().values()))
    return found


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "recipients", "Payers")
    routes.add(
        "POST", "/v1/payers", create_payer, summary="Register a payer", model=PayerShown, status=201,
        errors=(RegionRequired, LettersUnwritable, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight),
        headers=(REGION_REQUIRED, KEY_OPTIONAL),
    )  # fmt: skip
    routes.add("GET", "/v1/payers", list_payers, summary="Your payers", model=PayerPage)
    one, missing = "/v1/payers/{payer_id}", (PayerNotFound,)
    routes.add("GET", one, get_payer, summary="A payer", model=PayerShown, errors=missing)
    routes.add("DELETE", one, delete_payer, summary="Delete a payer", model=None, status=204, errors=missing)
