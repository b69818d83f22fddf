"""Wallets: what is in them, and what moved. Both are read from the ledger, which is the record."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from actors.mailbox import MailboxFull
from actors.runtime import ActorUnavailable, DeadlineMissed
from actors.wallet import UnknownWallet
from cells.backends.postgres import Connection, tenant_transaction
from cells.kit.command import Command
from cells.rails import store_collections
from cells.tenants.store import find_wallets
from cells.tenants.store import list_wallets as wallets_of
from cells.tenants.tenant import Wallet
from cells.transfers import store
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import compact, encode
from router.api.call import Json, call_of
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import PAGE_MAX, Limit, Money, checked_id, money

_UNREACHED: tuple[type[KovraError], ...] = (ActorUnavailable, DeadlineMissed, MailboxFull)


class WalletShown(BaseModel):
    """`available` can be spent now; `held` waits on payments under way."""

    id: Annotated[str, Public]
    currency: Annotated[str, Public]
    state: Annotated[Literal["open", "frozen", "closed"], Public]
    account_number: Annotated[str, Confidential] = Field(description="Where money for this wallet is sent to")
    available: Annotated[Money, Confidential]
    held: Annotated[Money, Confidential]


class WalletList(BaseModel):
    """All your wallets in this region."""

    data: Annotated[list[WalletShown], Confidential]


class EntryShown(BaseModel):
    """One posting. `hold` sets money aside, `release` gives it back, `debit` takes it for good, `credit` brings it."""

    entry: Annotated[Literal["hold", "release", "debit", "credit"], Public]
    code: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    transfer_id: Annotated[str | None, Public]
    collection_id: Annotated[str | None, Public]
    at: Annotated[datetime, Public]


class Statement(BaseModel):
    """Oldest first; `next_cursor` leads on, and stays good for what comes later."""

    wallet_id: Annotated[str, Public]
    data: Annotated[list[EntryShown], Confidential]
    next_cursor: Annotated[str | None, Public]


async def list_wallets(request: Request) -> Response:
    """Your wallets in this region, with their balances."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await wallets_of(connection, parts.region, call.tenant_id)
    commands = [Command(f"{one.wallet_id}:balance:{call.request_id}", one.wallet_id, "balance") for one in found]
    replies = await parts.wallets.ask_many(commands) if commands else []
    for reply in replies:
        if isinstance(reply, KovraError):
            raise reply
    return Json({"data": [_shown(one, reply) for one, reply in zip(found, replies, strict=True)]})


async def get_wallet(request: Request, wallet_id: str) -> Response:
    """A wallet with its balance."""
    parts, call = parts_of(request), call_of(request)
    wallet = await own_wallet(request, wallet_id, UnknownWallet())
    command = Command(f"{wallet.wallet_id}:balance:{call.request_id}", wallet.wallet_id, "balance")
    return Json(_shown(wallet, await parts.wallets.ask(command)))


async def get_statement(
    request: Request,
    wallet_id: str,
    limit: Limit = PAGE_MAX,
    cursor: Annotated[str | None, Field(pattern=r"^[0-9]{1,19}$")] = None,
) -> Response:
    """What moved in a wallet, oldest first."""
    parts, call = parts_of(request), call_of(request)
    wallet = await own_wallet(request, wallet_id, UnknownWallet())
    # The ledger's timestamps are below 2^63; a larger cursor is behind everything.
    body = {"limit": limit, "after_timestamp": min(int(cursor or 0), 2**63 - 1)}
    command = Command(f"{wallet.wallet_id}:statement:{call.request_id}", wallet.wallet_id, "statement", body)
    entries = await parts.wallets.ask(command)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        payments = await _payments(parts, connection, {entry["payment_number"] for entry in entries})
    rows = [_entry(wallet, entry, payments) for entry in entries]
    following = str(entries[-1]["timestamp"]) if len(entries) == limit else None
    return Json({"wallet_id": wallet.wallet_id, "data": rows, "next_cursor": following})


async def own_wallet(request: Request, wallet_id: str, missing: KovraError) -> Wallet:
    """The caller's wallet of that id, or `missing` is raised."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(wallet_id, "wal", missing)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        wallet = (await find_wallets(connection, parts.region, [found])).get(found)
    if wallet is None or wallet.tenant_id != call.tenant_id:
        raise missing
    return wallet


async def _payments(
    parts: Parts, connection: Connection, numbers: Sequence[int] | set[int]
) -> dict[int, tuple[str, str]]:
    """By the ledger's number of a payment: the field that names it, and the tenant's id of it."""
    cell = compact(parts.spec.name)
    texts = {number: encode(UUID(int=number)) for number in numbers}
    transfers = {f"tr_{cell}_{text}": number for number, text in texts.items()}
    collections = {f"col_{cell}_{text}": number for number, text in texts.items()}
    paid = await store.read(connection, parts.region, list(transfers))
    came = await store_collections.find(connection, parts.region, list(collections))
    return {transfers[one]: ("transfer_id", one) for one in paid} | {
        collections[one]: ("collection_id", one) for one in came
    }


def _shown(wallet: Wallet, balance: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": wallet.wallet_id,
        "currency": wallet.currency,
        "state": wallet.state,
        "account_number": wallet.account_number,
        "available": money(balance["available_minor"], wallet.currency),
        "held": money(balance["held_minor"], wallet.currency),
    }


def _entry(wallet: Wallet, entry: Mapping[str, Any], payments: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    row = {
        "entry": entry["entry"],
        "code": entry["code"],
        "amount": money(entry["amount_minor"], wallet.currency),
        "transfer_id": None,
        "collection_id": None,
        "at": entry["at"],
    }
    if (named := payments.get(entry["payment_number"])) is not None:
        row[named[0]] = named[1]
    return row


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "wallets", "Wallets")
    routes.add("GET", "/v1/wallets", list_wallets, summary="Your wallets", model=WalletList, errors=_UNREACHED)
    one = "/v1/wallets/{wallet_id}"
    errors: tuple[type[KovraError], ...] = (UnknownWallet, *_UNREACHED)
    routes.add("GET", one, get_wallet, summary="A wallet", model=WalletShown, errors=errors)
    routes.add(
        "GET", f"{one}/statement", get_statement, summary="What moved in a wallet", model=Statement, errors=errors
    )
