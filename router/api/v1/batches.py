"""Batches: many payments of one wallet in one request, funded as a whole and paid line by line."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.batches import store, store_status
from cells.batches.batch import CANCELLABLE, BatchUnderWay, DuplicateFile, NotRepeated, State, UnknownBatch
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.parties.store_subjects import erase
from residency.errors import KovraError
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing, WalletMissing
from router.api.openapi import KEY_REQUIRED, among_schemas
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import Cursor, Limit, checked_id, page
from router.api.v1.batch_creation import OptionContradicted, create_batch, find_batch, whole
from router.api.v1.batch_reading import BatchFileInvalid, BatchLineNew, BatchNew
from router.api.v1.batch_shown import (
    BatchLinePage,
    BatchPage,
    BatchShown,
    LineStatus,
    csv_of,
    line_shown,
    shown,
    wanted_of,
)
from router.api.v1.wallets import NotAMainWallet

LINES_PAGE_MAX = 10_000
_TEXTS = {
    "text/csv": "A line of column names, then a line for each payment: recipient_id, payer_id, source_amount or target_amount,"
    " source_currency (the wallet's, or left out), target_currency, reference, deadline, metadata.<key>. Parameters give the rest."
    " A file that describes persons (payer_name, recipient_name, …) is refused: register them first.",
    "application/xml": "pain.001.001.09 or pain.001.001.03. The debtor's account names the wallet; creditors of this region are described,"
    " others named by their token in InstrForDbtrAgt. A file with the MsgId of one that its InitgPty sent before is refused.",
}

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "To who accepts text/csv, as CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


async def list_batches(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Your batches in this region, newest first."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await store.page(connection, parts.region, call.tenant_id, cursor, limit)
    return Json(page([shown(one) for one in found], limit, found[-1].batch_id if found else None))


async def get_batch(request: Request, batch_id: str) -> Response:
    """A batch, and how far its lines are."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(batch_id, "bat", UnknownBatch())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        return Json(await whole(parts, connection, found))


async def list_batch_lines(
    request: Request,
    batch_id: str,
    status: LineStatus | None = None,
    limit: Annotated[int, Field(ge=1, le=LINES_PAGE_MAX)] = 100,
    cursor: Annotated[str | None, Field(pattern=r"^[0-9]{1,5}$")] = None,
) -> Response:
    """The lines of a batch in their order, all or those of one status, with what became of each. As CSV to who accepts text/csv."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(batch_id, "bat", UnknownBatch())
    wanted = None if status is None else wanted_of(status)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        batch = await find_batch(parts, connection, found)
        lines = await store_status.lines_page(connection, parts.region, found, int(cursor or 0), limit, wanted)
    rows = [line_shown(one, batch) for one in lines]
    body = page(rows, limit, str(lines[-1].line) if lines else None)
    if "text/csv" in request.headers.get("accept", ""):
        return csv_of(rows, body["next_cursor"])
    return Json(body)


async def cancel_batch(request: Request, batch_id: str) -> Response:
    """Call off a batch of which nothing has been set aside yet. Cancelling one that is cancelled changes nothing."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(batch_id, "bat", UnknownBatch())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        batch = (await store.lock(connection, parts.region, [found])).get(found)
        if batch is None:
            raise UnknownBatch
        call.resource_id = found
        if batch.state in CANCELLABLE:
            await store.cancel(connection, parts.region, batch, call.author)
            await erase(connection, parts.region, await store.unsent(connection, parts.region, found))
        elif batch.state is not State.CANCELLED:
            raise BatchUnderWay
        return Json(await whole(parts, connection, found))


_CREATE_ERRORS: tuple[type[KovraError], ...] = (
    IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight, UnknownWallet, WalletMissing, NotAMainWallet,
    BatchFileInvalid, OptionContradicted, DuplicateFile, NotRepeated,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "transfers", "Batches")
    # A line that does not have its form is a line's failure, not the request's: so the body does not demand it.
    among_schemas(BatchLineNew)
    routes.add(
        "POST", "/v1/batches", create_batch, summary="Pay many recipients", model=BatchShown, status=201, errors=_CREATE_ERRORS,
        body=BatchNew, texts=_TEXTS, headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add("GET", "/v1/batches", list_batches, summary="Your batches", model=BatchPage)
    one, missing = "/v1/batches/{batch_id}", (UnknownBatch,)
    routes.add("GET", one, get_batch, summary="A batch and its progress", model=BatchShown, errors=missing)
    routes.add(
        "GET",
        f"{one}/lines",
        list_batch_lines,
        summary="A batch's lines",
        model=BatchLinePage,
        errors=missing,
        answers=_CSV,
    )
    routes.add(
        "POST",
        f"{one}/cancel",
        cancel_batch,
        summary="Cancel a batch",
        model=BatchShown,
        errors=(UnknownBatch, BatchUnderWay),
    )
