"""Money that a tenant moves between its own wallets of one currency, sub-wallets included: booked at once, without a rail or a fee."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.kit.money import InvalidAmount, UnknownCurrency, money
from cells.sub_wallets import store as store_books
from cells.sub_wallets.internal_transfer import REFUSALS, Book
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import mint
from residency.wire import Money
from router.api.books import booked, main_wallet, refused
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from router.api.idempotency import REPLAYED, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import IdText, MoneyNew, Shape, checked_id, minor_of, stamp
from router.api.v1.wallets import UNREACHED, own_wallet

OPERATION = "wallets.transfer"


class WalletsDiffer(KovraError):
    code = "wallets-differ"
    status = 422
    title = "Money moves between two different wallets of one currency"


class WalletTransferNotFound(KovraError):
    code = "wallet-transfer-not-found"
    status = 404
    title = "There is no such transfer of this wallet"


class WalletTransferNew(Shape):
    """From the wallet in the path to another of yours, in the same currency and region."""

    to_wallet_id: Annotated[IdText, Public]
    amount: Annotated[MoneyNew, Confidential]


class WalletTransferShown(BaseModel):
    """`close`: what was left in a sub-wallet when it was closed."""

    id: Annotated[str, Public]
    kind: Annotated[Literal["transfer", "close"], Public]
    from_wallet_id: Annotated[str, Public]
    to_wallet_id: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    status: Annotated[Literal["asked", "planned", "applied", "refused"], Public]
    reason_code: Annotated[str | None, Public]
    created_at: Annotated[datetime, Public]


def shown(book: Book) -> dict[str, Any]:
    """A book transfer as the API writes it."""
    assert book.created_at is not None
    return {
        "id": book.book_id,
        "kind": book.kind,
        "from_wallet_id": book.from_wallet_id,
        "to_wallet_id": book.to_wallet_id,
        "amount": money(book.amount, book.currency),
        "status": book.state,
        "reason_code": book.reason,
        "created_at": stamp(book.created_at),
    }


async def create_wallet_transfer(request: Request, wallet_id: str, body: WalletTransferNew) -> Response:
    """Move money between two of your wallets, now. The same Idempotency-Key and body again answer as the first time."""
    parts, call, key = parts_of(request), call_of(request), required_key(request)
    source = await own_wallet(request, wallet_id, UnknownWallet())
    target = await own_wallet(request, body.to_wallet_id, UnknownWallet(pointer="/to_wallet_id"))
    if target.wallet_id == source.wallet_id or target.currency != source.currency:
        raise WalletsDiffer(pointer="/to_wallet_id")
    amount = minor_of(body.amount, "/amount")
    if body.amount.currency != source.currency:
        raise InvalidAmount(f"The wallet holds {source.currency}.", pointer="/amount/currency")
    if amount == 0:
        raise InvalidAmount("Move at least the smallest unit.", pointer="/amount/value")
    writer = await main_wallet(parts, call.tenant_id, source.currency)
    book = Book(
        mint("bok", parts.spec.name), call.tenant_id, writer.wallet_id, "transfer", source.wallet_id, target.wallet_id,
        source.currency, amount,
    )  # fmt: skip
    book, replayed = await booked(request, OPERATION, key, book)
    if book.state == "refused":
        return refused(request, book, replayed=replayed)
    return Json(shown(book), 201, {REPLAYED: "true"} if replayed else None)


async def get_wallet_transfer(request: Request, wallet_id: str, book_id: str) -> Response:
    """A transfer from or to this wallet."""
    parts, call = parts_of(request), call_of(request)
    wallet = await own_wallet(request, wallet_id, UnknownWallet())
    found = checked_id(book_id, "bok", WalletTransferNotFound())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        book = (await store_books.read(connection, parts.region, [found])).get(found)
    if book is None or wallet.wallet_id not in (book.from_wallet_id, book.to_wallet_id):
        raise WalletTransferNotFound
    return Json(shown(book))


BOOK_ERRORS: tuple[type[KovraError], ...] = (
    UnknownWallet, IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight, *REFUSALS.values(),
    *UNREACHED,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "wallets", "Wallets")
    path = "/v1/wallets/{wallet_id}/transfers"
    routes.add(
        "POST", path, create_wallet_transfer, summary="Move money between your wallets", model=WalletTransferShown,
        status=201, errors=(*BOOK_ERRORS, WalletsDiffer, UnknownCurrency, InvalidAmount), headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add(
        "GET", path + "/{book_id}", get_wallet_transfer, summary="A transfer between your wallets",
        model=WalletTransferShown, errors=(UnknownWallet, WalletTransferNotFound),
    )  # fmt: skip
