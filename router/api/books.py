"""Book transfers as the API asks for them: on record under the key, then carried out by the wallet's actor, then read again.

The row is the answer: whatever was killed in between, the same key finds the same row, has it carried out if nobody has, and
answers as the row stands.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.idempotency.answer import RequestInFlight
from cells.kit.command import Command
from cells.payments.transfer import InsufficientFunds
from cells.sub_wallets import store as store_books
from cells.sub_wallets.internal_transfer import REFUSALS, Book
from cells.tenants.store import find_wallets_of_tenants
from cells.tenants.tenant import NewWallet, Wallet
from router.api.call import call_of
from router.api.idempotency import REPLAYED, claimed
from router.api.parts import Parts, parts_of
from router.api.problems import Problems

_REMEDY = "Fund the wallet or move less, and send a new request with a new Idempotency-Key."


async def booked(request: Request, operation: str, key: str, wanted: Book) -> tuple[Book, bool]:
    """The book transfer that the key stands for, once it is over, and whether it was asked for before.

    Raises IdempotencyConflict, RequestInFlight, and what the wallet's actor raises when it is away.
    """
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        kept = await claimed(request, connection, operation, key, wanted.book_id)
        if kept.first:
            await store_books.insert(connection, parts.region, [wanted], call.author)
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
    kind = REFUSALS[book.reason]
    error = (
        kind.by(book.missing_minor, book.currency, _REMEDY, **extra)
        if issubclass(kind, InsufficientFunds)
        else kind(**extra)
    )
    response = problems.of_error(error, call_of(request).request_id)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response
