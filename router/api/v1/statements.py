"""A wallet's statement: what moved, with the balance after each entry; read from the ledger, which is the record."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import Connection, tenant_transaction
from cells.batches import store as batch_store
from cells.kit.command import Command
from cells.kit.money import money
from cells.payments import store
from cells.rails import store_collections
from cells.sub_wallets import store as store_books
from cells.tenants.tenant import Wallet
from residency.classes import Confidential, Public
from residency.ids import compact, encode
from residency.wire import Money
from router.api.call import Json, call_of
from router.api.parts import Parts, parts_of
from router.api.routes import Resource
from router.api.shapes import PAGE_MAX, Instant, Limit
from router.api.v1.wallets import UNREAD, own_wallet, read_of

# The ledger's timestamps are below 2^63; what lies beyond is after everything.
_LAST_NS = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EntryShown(BaseModel):
    """One posting. `hold` sets money aside, `release` gives it back, `debit` takes it for good, `credit` brings it."""

    entry: Annotated[Literal["hold", "release", "debit", "credit"], Public]
    code: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    balance: Annotated[Money, Confidential] = Field(description="Booked, after this entry; a hold does not change it")
    available: Annotated[Money, Confidential] = Field(description="What could be spent after this entry")
    transfer_id: Annotated[str | None, Public]
    collection_id: Annotated[str | None, Public]
    wallet_transfer_id: Annotated[str | None, Public]
    batch_id: Annotated[str | None, Public] = Field(description="What was set aside for a batch, or what is left of it")
    at: Annotated[datetime, Public]


class Statement(BaseModel):
    """Oldest first. `opening_balance` is the booked one before `from` (at the beginning: nothing), `closing_balance` the one before
    `to` (without it: now)."""

    wallet_id: Annotated[str, Public]
    opening_balance: Annotated[Money, Confidential]
    closing_balance: Annotated[Money, Confidential]
    data: Annotated[list[EntryShown], Confidential]
    next_cursor: Annotated[str | None, Public]


async def get_statement(
    request: Request,
    wallet_id: str,
    since: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Before this instant")] = None,
    limit: Limit = PAGE_MAX,
    cursor: Annotated[str | None, Field(pattern=r"^[0-9]{1,19}$")] = None,
) -> Response:
    """What moved in a wallet, oldest first, with its balance after each entry."""
    parts, call = parts_of(request), call_of(request)
    wallet = await own_wallet(request, wallet_id, UnknownWallet())
    body = {
        "limit": limit,
        "after_timestamp": min(int(cursor or 0), _LAST_NS),
        "from_ns": _nanoseconds(since) if since else 0,
        "to_ns": max(_nanoseconds(until), 1) if until else 0,
    }
    command = Command(f"{wallet.wallet_id}:statement:{call.request_id}", wallet.wallet_id, "statement", body)
    [found] = await read_of(parts, [command])
    entries = found["entries"]
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        payments = await _payments(parts, connection, {entry["payment_number"] for entry in entries})
    return Json(
        {
            "wallet_id": wallet.wallet_id,
            "opening_balance": money(found["opening_minor"], wallet.currency),
            "closing_balance": money(found["closing_minor"], wallet.currency),
            "data": [_entry(wallet, entry, payments) for entry in entries],
            "next_cursor": str(entries[-1]["timestamp"]) if found["more"] else None,
        }
    )


def _nanoseconds(at: datetime) -> int:
    """An instant as the ledger counts time, within what it can hold."""
    past = at - _EPOCH
    microseconds = (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
    return min(max(microseconds * 1_000, 0), _LAST_NS)


async def _payments(
    parts: Parts, connection: Connection, numbers: Sequence[int] | set[int]
) -> dict[int, tuple[str, str]]:
    """By the ledger's number of a payment: the field that names it, and the tenant's id of it."""
    cell = compact(parts.spec.name)
    texts = {number: encode(UUID(int=number)) for number in numbers}
    transfers = {f"tr_{cell}_{text}": number for number, text in texts.items()}
    collections = {f"col_{cell}_{text}": number for number, text in texts.items()}
    books = {f"bok_{cell}_{text}": number for number, text in texts.items()}
    paid = await store.read(connection, parts.region, list(transfers))
    came = await store_collections.find(connection, parts.region, list(collections))
    moved = await store_books.read(connection, parts.region, list(books))
    batches = {f"bat_{cell}_{text}": number for number, text in texts.items()}
    funded = await batch_store.find(connection, parts.region, list(batches))
    return (
        {transfers[one]: ("transfer_id", one) for one in paid}
        | {collections[one]: ("collection_id", one) for one in came}
        | {books[one]: ("wallet_transfer_id", one) for one in moved}
        | {batches[one]: ("batch_id", one) for one in funded}
    )


def _entry(wallet: Wallet, entry: Mapping[str, Any], payments: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    row = {
        "entry": entry["entry"],
        "code": entry["code"],
        "amount": money(entry["amount_minor"], wallet.currency),
        "balance": money(entry["balance_minor"], wallet.currency),
        "available": money(entry["available_minor"], wallet.currency),
        "transfer_id": None,
        "collection_id": None,
        "wallet_transfer_id": None,
        "batch_id": None,
        "at": entry["at"],
    }
    if (named := payments.get(entry["payment_number"])) is not None:
        row[named[0]] = named[1]
    return row


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "wallets", "Wallets")
    routes.add(
        "GET", "/v1/wallets/{wallet_id}/statement", get_statement, summary="What moved in a wallet", model=Statement,
        errors=(UnknownWallet, *UNREAD),
    )  # fmt: skip
