"""Wallets: what is in them. It is read from the ledger, which is the record."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from actors.mailbox import MailboxFull
from actors.runtime import ActorUnavailable, DeadlineMissed
from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.kit.command import Command
from cells.kit.money import money
from cells.rails import store_collections
from cells.tenants.store import find_wallets
from cells.tenants.store import list_wallets as wallets_of
from cells.tenants.tenant import Wallet
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.wire import Money
from router.api.call import Json, call_of
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import checked_id

UNREACHED: tuple[type[KovraError], ...] = (ActorUnavailable, DeadlineMissed, MailboxFull)


class WalletUnreadable(KovraError):
    """Who keeps the wallet did not answer. It was asked to read, so nothing is unknown of what it did."""

    code = "wallet-unreadable"
    status = 503
    retryable = True
    title = "The wallet cannot be read just now"


UNREAD: tuple[type[KovraError], ...] = (WalletUnreadable, MailboxFull)


class NotAMainWallet(KovraError):
    code = "not-a-main-wallet"
    status = 422
    title = "Only a main wallet can do this, and that is a sub-wallet"


class WalletShown(BaseModel):
    """`available` can be spent now; `held` waits on payments under way; `pending_inbound` has come in and is being credited, or
    is credited on its settlement date."""

    id: Annotated[str, Public]
    currency: Annotated[str, Public]
    state: Annotated[Literal["open", "closed"], Public]
    account_number: Annotated[str | None, Confidential] = Field(
        description="Where money for this wallet is sent to; null for a sub-wallet"
    )
    available: Annotated[Money, Confidential]
    held: Annotated[Money, Confidential]
    pending_inbound: Annotated[Money, Confidential]


class WalletList(BaseModel):
    """All your wallets in this region."""

    data: Annotated[list[WalletShown], Confidential]


async def list_wallets(request: Request) -> Response:
    """Your wallets in this region, with their balances. Sub-wallets are listed under their wallet."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        every = await wallets_of(connection, parts.region, call.tenant_id)
        found = [one for one in every if not one.qualifier]
        coming = await store_collections.pending(connection, parts.region, [one.wallet_id for one in found])
    commands = [Command(f"{one.wallet_id}:balance:{call.request_id}", one.wallet_id, "balance") for one in found]
    replies = await read_of(parts, commands)
    return Json({"data": [shown(one, reply, coming) for one, reply in zip(found, replies, strict=True)]})


async def get_wallet(request: Request, wallet_id: str) -> Response:
    """A wallet with its balance."""
    parts, call = parts_of(request), call_of(request)
    wallet = await own_wallet(request, wallet_id, UnknownWallet())
    command = Command(f"{wallet.wallet_id}:balance:{call.request_id}", wallet.wallet_id, "balance")
    [balance] = await read_of(parts, [command])
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        coming = await store_collections.pending(connection, parts.region, [wallet.wallet_id])
    return Json(shown(wallet, balance, coming))


async def read_of(parts: Parts, commands: Sequence[Command]) -> Sequence[Mapping[str, Any]]:
    """What the wallets answer to commands that only read. Raises WalletUnreadable, MailboxFull."""
    try:
        replies = await parts.wallets.ask_many(commands) if commands else []
    except ActorUnavailable:
        raise WalletUnreadable from None
    for reply in replies:
        if isinstance(reply, KovraError):
            raise WalletUnreadable() if isinstance(reply, ActorUnavailable) else reply
    return replies


async def own_wallet(request: Request, wallet_id: str, missing: KovraError) -> Wallet:
    """The caller's wallet of that id, or `missing` is raised."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(wallet_id, "wal", missing)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        wallet = (await find_wallets(connection, parts.region, [found])).get(found)
    if wallet is None or wallet.tenant_id != call.tenant_id:
        raise missing
    return wallet


async def main_wallet_of(request: Request, wallet_id: str, missing: KovraError) -> Wallet:
    """The caller's wallet of that id, no sub-wallet; `missing`, or NotAMainWallet at the same place, is raised."""
    wallet = await own_wallet(request, wallet_id, missing)
    if wallet.qualifier:
        raise NotAMainWallet(pointer=missing.pointer)
    return wallet


def shown(wallet: Wallet, balance: Mapping[str, int], coming: Mapping[str, int]) -> dict[str, Any]:
    """A wallet as the API writes it. `coming`: what is being credited, by wallet id."""
    return {
        "id": wallet.wallet_id,
        "currency": wallet.currency,
        "state": wallet.state,
        "account_number": None if wallet.qualifier else wallet.account_number,
        "available": money(balance["available_minor"], wallet.currency),
        "held": money(balance["held_minor"], wallet.currency),
        "pending_inbound": money(coming.get(wallet.wallet_id, 0), wallet.currency),
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "wallets", "Wallets")
    routes.add("GET", "/v1/wallets", list_wallets, summary="Your wallets", model=WalletList, errors=UNREAD)
    one = "/v1/wallets/{wallet_id}"
    errors: tuple[type[KovraError], ...] = (UnknownWallet, *UNREAD)
    routes.add("GET", one, get_wallet, summary="A wallet", model=WalletShown, errors=errors)
