"""Book transfers as the API asks for them: on record under the key, then carried out by the wallet's actor, then read again.

The row is the answer: whatever was killed in between, the same key finds the same row, has it carried out if nobody has, and
answers as the row stands.
"""

import hashlib
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.idempotency import store as idempotency
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.idempotency.store import Claim
from cells.kit.command import Command
from cells.tenants.store import find_wallets_of_tenants
from cells.tenants.tenant import NewWallet, Wallet
from cells.transfers import store_books
from cells.transfers.book import REFUSALS, Book
from router.api.call import call_of
from router.api.idempotency import REPLAYED
from router.api.parts import Parts, parts_of
from router.api.problems import Problems


class Kept(NamedTuple):
    """What a key stands for: the id of what it made, and whether this request was the first."""

    resource_id: str
    first: bool


async def claimed(request: Request, connection: Connection, operation: str, key: str, resource_id: str) -> Kept:
    """Claim a key for this path and body. Raises IdempotencyConflict."""
    parts, call = parts_of(request), call_of(request)
    digest = hashlib.sha256(request.url.path.encode() + b"\n" + await request.body()).digest()
    claim = Claim(call.tenant_id, operation, key, digest, resource_id)
    [found] = await idempotency.claim(connection, parts.region, [claim])
    if not found.same_request:
        raise IdempotencyConflict
    return Kept(found.resource_id, found.first)


async def booked(request: Request, operation: str, key: str, wanted: Book) -> tuple[Book, bool]:
    """The book transfer that the key stands for, once it is over, and whether it was asked for before.

    Raises IdempotencyConflict, RequestInFlight, and what the wallet's actor raises when it is away.
    """
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        kept = await claimed(request, connection, operation, key, wanted.book_id)
        if kept.first:
            await store_books.insert(connection, parts.region, [wanted])
        book = (await store_books.read(connection, parts.region, [kept.resource_id]))[kept.resource_id]
    call.resource_id = book.book_id
    if not book.over:
        await parts.wallets.ask(
            Command(f"{book.book_id}:book:{call.request_id}", book.writer_wallet_id, "book", book.book_id)
        )
        async with tenant_transaction(parts.pool, call.tenant_id) as connection:
            book = (await store_books.read(connection, parts.region, [book.book_id]))[book.book_id]
    if not book.over:
        raise RequestInFlight
    return book, not kept.first


async def main_wallet(parts: Parts, tenant_id: str, currency: str) -> Wallet:
    """The wallet whose actor writes for all of the tenant's wallets of a currency."""
    wanted = NewWallet(tenant_id, currency)
    async with tenant_transaction(parts.pool, tenant_id) as connection:
        return (await find_wallets_of_tenants(connection, parts.region, [wanted]))[wanted]


def refused(request: Request, book: Book, *, replayed: bool, **extra: Any) -> Response:
    """The problem document of a book transfer that was refused."""
    problems = request.app.state.problems
    assert isinstance(problems, Problems)
    assert book.reason is not None
    response = problems.of_error(REFUSALS[book.reason](**extra), call_of(request).request_id)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response
