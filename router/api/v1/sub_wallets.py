"""Sub-wallets: named parts of a wallet, each with an account of its own, perhaps a target, perhaps locked until a day."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.kit.command import Command
from cells.kit.money import InvalidAmount, UnknownCurrency, money
from cells.payments.origin import WalletNotOpen
from cells.sub_wallets import store_sub_wallets
from cells.sub_wallets.internal_transfer import Book, SubWallet
from cells.tenants.tenant import Wallet
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import mint
from residency.wire import Money
from router.api.books import booked, refused
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from router.api.idempotency import REPLAYED, claimed, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import Cursor, Instant, Limit, MoneyNew, Shape, Text, checked_id, minor_of, page, stamp
from router.api.v1.wallet_transfers import BOOK_ERRORS
from router.api.v1.wallets import UNREACHED, UNREAD, NotAMainWallet, WalletUnreadable, main_wallet_of, read_of

OPEN, CLOSE = "wallets.sub-wallet", "wallets.sub-wallet.close"


class NameTaken(KovraError):
    code = "sub-wallet-name-taken"
    status = 409
    title = "An open sub-wallet of this wallet has that name"


class SubWalletNew(Shape):
    """`name`: of a purpose; put nothing about a person in it. `target`: shown, and nothing more. Until `locked_until` money goes in
    and not out; a lock cannot be lifted or moved."""

    name: Annotated[
        Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)], Confidential
    ]
    target: Annotated[MoneyNew | None, Confidential] = None
    locked_until: Annotated[Instant | None, Confidential] = None


class SubWalletShown(BaseModel):
    """`available` can be moved out, once it is not locked any more."""

    id: Annotated[str, Public]
    wallet_id: Annotated[str, Public] = Field(description="The wallet that it is a part of")
    name: Annotated[str, Confidential]
    currency: Annotated[str, Public]
    state: Annotated[Literal["open", "closed"], Public]
    available: Annotated[Money, Confidential]
    target: Annotated[Money | None, Confidential]
    locked_until: Annotated[datetime | None, Confidential]
    created_at: Annotated[datetime, Public]
    closed_at: Annotated[datetime | None, Public]


class SubWalletPage(BaseModel):
    """Oldest first."""

    data: Annotated[list[SubWalletShown], Confidential]
    next_cursor: Annotated[str | None, Public]


async def create_sub_wallet(request: Request, wallet_id: str, body: SubWalletNew) -> Response:
    """Open a sub-wallet. The same Idempotency-Key and body again answer with the same one."""
    parts, call, key = parts_of(request), call_of(request), required_key(request)
    wallet = await main_wallet_of(request, wallet_id, UnknownWallet())
    if wallet.state != "open":
        raise WalletNotOpen
    target = None
    if body.target is not None:
        target = minor_of(body.target, "/target")
        if body.target.currency != wallet.currency or target == 0:
            raise InvalidAmount(f"The target is an amount of {wallet.currency}.", pointer="/target")
    wanted = SubWallet(
        mint("wal", parts.spec.name), call.tenant_id, wallet.wallet_id, wallet.currency, body.name, target, body.locked_until
    )  # fmt: skip
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        kept = await claimed(request, connection, OPEN, key, wanted.wallet_id)
        if kept.first and not await store_sub_wallets.insert(connection, parts.region, wanted, call.author):
            raise NameTaken(pointer="/name")
    call.resource_id = sub_id = kept.resource_id
    await parts.wallets.ask(Command(f"{sub_id}:open:{call.request_id}", wallet.wallet_id, "open_sub_wallet", sub_id))
    found = await _own(request, wallet, sub_id)
    return Json((await _shown(request, [found]))[0], 201, None if kept.first else {REPLAYED: "true"})


async def list_sub_wallets(request: Request, wallet_id: str, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The sub-wallets of a wallet, closed ones too, oldest first."""
    parts, call = parts_of(request), call_of(request)
    wallet = await main_wallet_of(request, wallet_id, UnknownWallet())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await store_sub_wallets.page(
            connection, parts.region, call.tenant_id, wallet.wallet_id, cursor or "", limit
        )
    return Json(page(await _shown(request, found), limit, found[-1].wallet_id if found else None))


async def get_sub_wallet(request: Request, wallet_id: str, sub_wallet_id: str) -> Response:
    """A sub-wallet. Its statement is that of a wallet: GET /v1/wallets/{its id}/statement."""
    found = await _own(request, await main_wallet_of(request, wallet_id, UnknownWallet()), sub_wallet_id)
    return Json((await _shown(request, [found]))[0])


async def close_sub_wallet(request: Request, wallet_id: str, sub_wallet_id: str) -> Response:
    """Close a sub-wallet for good, and give what is in it back to its wallet. A closed one stays closed, and is emptied again."""
    parts, call, key = parts_of(request), call_of(request), required_key(request)
    wallet = await main_wallet_of(request, wallet_id, UnknownWallet())
    found = await _own(request, wallet, sub_wallet_id)
    book = Book(
        mint("bok", parts.spec.name), call.tenant_id, wallet.wallet_id, "close", found.wallet_id, wallet.wallet_id,
        wallet.currency, 0,
    )  # fmt: skip
    book, replayed = await booked(request, CLOSE, key, book)
    if book.state == "refused":
        locked = {} if found.locked_until is None else {"locked_until": stamp(found.locked_until)}
        return refused(request, book, replayed=replayed, **locked)
    closed = await _own(request, wallet, sub_wallet_id)
    return Json((await _shown(request, [closed]))[0], 200, {REPLAYED: "true"} if replayed else None)


async def _own(request: Request, wallet: Wallet, sub_wallet_id: str) -> SubWallet:
    """Raises UnknownWallet for whatever is no sub-wallet of `wallet`; RequestInFlight for one that nobody has opened yet."""
    parts, call = parts_of(request), call_of(request)
    wanted = checked_id(sub_wallet_id, "wal", UnknownWallet())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = (await store_sub_wallets.read(connection, parts.region, [wanted])).get(wanted)
    if found is None or found.parent_wallet_id != wallet.wallet_id:
        raise UnknownWallet
    if found.state == "asked":
        raise RequestInFlight
    return found


async def _shown(request: Request, found: Sequence[SubWallet]) -> list[dict[str, Any]]:
    """With what is in them, read from the ledger."""
    parts, call = parts_of(request), call_of(request)
    commands = [Command(f"{one.wallet_id}:balance:{call.request_id}", one.wallet_id, "balance") for one in found]
    replies = await read_of(parts, commands)
    return [_one(one, reply) for one, reply in zip(found, replies, strict=True)]


def _one(found: SubWallet, balance: Mapping[str, int]) -> dict[str, Any]:
    assert found.created_at is not None
    return {
        "id": found.wallet_id,
        "wallet_id": found.parent_wallet_id,
        "name": found.label,
        "currency": found.currency,
        "state": found.state,
        "available": money(balance["available_minor"], found.currency),
        "target": None if found.target_minor is None else money(found.target_minor, found.currency),
        "locked_until": None if found.locked_until is None else stamp(found.locked_until),
        "created_at": stamp(found.created_at),
        "closed_at": None if found.closed_at is None else stamp(found.closed_at),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "wallets", "Wallets")
    path, one = "/v1/wallets/{wallet_id}/sub-wallets", "/v1/wallets/{wallet_id}/sub-wallets/{sub_wallet_id}"
    errors: tuple[type[KovraError], ...] = (UnknownWallet, NotAMainWallet, *UNREAD)
    keyed = (IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight)
    routes.add(
        "POST", path, create_sub_wallet, summary="Open a sub-wallet", model=SubWalletShown, status=201,
        errors=(*errors, *UNREACHED[:2], *keyed, WalletNotOpen, NameTaken, UnknownCurrency, InvalidAmount), headers=(KEY_REQUIRED,),
    )  # fmt: skip
    routes.add("GET", path, list_sub_wallets, summary="The sub-wallets of a wallet", model=SubWalletPage, errors=errors)
    routes.add(
        "GET", one, get_sub_wallet, summary="A sub-wallet", model=SubWalletShown, errors=(*errors, RequestInFlight)
    )
    routes.add(
        "POST", f"{one}/close", close_sub_wallet, summary="Close a sub-wallet", model=SubWalletShown,
        errors=(*BOOK_ERRORS, NotAMainWallet, WalletUnreadable), headers=(KEY_REQUIRED,),
    )  # fmt: skip
