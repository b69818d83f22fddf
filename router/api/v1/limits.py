"""What a partner may still send: each limit with what is used of it, and when it begins anew."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction, transaction
from cells.kit.money import money
from cells.limits import store
from cells.limits.rules import ANY, SCOPES, Sender
from cells.limits.standing import Standing, standings, usage_of
from cells.parties.store import select_payers
from cells.tenants.store import list_wallets
from residency.classes import Confidential, Public
from residency.rules import rules_of
from residency.wire import Money
from router.api.call import Json, call_of
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import IdText, checked_id, stamp
from router.api.v1.payers import PayerNotFound
from router.api.v1.wallets import own_wallet

_OF_WALLET = Query(description="Of this wallet, which may be a sub-wallet, instead of each main wallet")
_OF_PAYER = Query(description="With what was sent for this payer")


class LimitShown(BaseModel):
    """One limit. `limit`: as a refusal (`limit-exceeded`) names it. `subject`: the wallet or payer that it holds for; null for all that you
    send, and for each of your payers alike. `most`, `used`, `left`: amounts, or numbers of transfers where `measure` is `count`."""

    limit: Annotated[str, Public] = Field(examples=["tenant-day-amount"])
    scope: Annotated[Literal["tenant", "wallet", "payer"], Public]
    subject: Annotated[str | None, Public]
    currency: Annotated[str, Public]
    window: Annotated[Literal["transfer", "day", "month"], Public]
    measure: Annotated[Literal["amount", "count"], Public]
    most: Annotated[Money | int, Confidential]
    used: Annotated[Money | int | None, Confidential] = Field(
        description="Null for a single transfer, and for payers unless one is named"
    )
    left: Annotated[Money | int | None, Confidential] = Field(
        description="What would still be taken; null where `used` is"
    )
    resets_at: Annotated[datetime | None, Public] = Field(
        description="When its day or month ends; null for a single transfer"
    )


class LimitList(BaseModel):
    """A payment must fit under all of them; where nothing is listed, nothing limits. Days and months are counted in `zone` (IANA)."""

    zone: Annotated[str, Public]
    data: Annotated[list[LimitShown], Confidential]


async def list_limits(
    request: Request,
    wallet_id: Annotated[IdText | None, _OF_WALLET] = None,
    payer_id: Annotated[IdText | None, _OF_PAYER] = None,
) -> Response:
    """What you may send from your wallets of this region, in each currency that you hold here, and what is used of it. Amounts are all
    that leaves a wallet, fees included. A payment that is refused or given back does not count."""
    parts, call = parts_of(request), call_of(request)
    asked = await own_wallet(request, wallet_id, UnknownWallet(parameter="wallet_id")) if wallet_id else None
    missing = PayerNotFound(parameter="payer_id")
    payer = checked_id(payer_id, "pyr", missing) if payer_id else ANY
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        if payer and not await select_payers(connection, parts.region, [payer]):
            raise missing
        every = [one for one in await list_wallets(connection, parts.region, call.tenant_id) if not one.qualifier]
        usages = await store.find_usage(connection, parts.region, call.tenant_id)
    async with transaction(parts.writer) as connection:
        # Most rules are everybody's, which no tenant's own connection shows.
        bounds = await parts.institution.limit_book.bounds(connection)
    rules, at = rules_of(parts.region), datetime.now(UTC)
    zone = ZoneInfo(rules.zone)
    found: list[Standing] = []
    for wallet in every:
        if asked is not None and asked.currency != wallet.currency:
            continue
        sender = Sender(call.tenant_id, call.tenant.tier, wallet.currency, (asked or wallet).wallet_id, payer)
        for scope in SCOPES:
            found += standings(bounds, sender, scope, usage_of(usages, sender, scope), at, zone)
    return Json({"zone": rules.zone, "data": [_shown(one) for one in found]})


def _shown(one: Standing) -> dict[str, Any]:
    def written(figure: int | None) -> Any:
        return figure if figure is None or one.measure == "count" else money(figure, one.currency)

    return {
        "limit": one.name,
        "scope": one.scope,
        "subject": one.subject or None,
        "currency": one.currency,
        "window": one.window,
        "measure": one.measure,
        "most": written(one.most),
        "used": written(one.used),
        "left": written(one.left),
        "resets_at": stamp(one.resets_at) if one.resets_at else None,
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "transfers", "Account")
    routes.add(
        "GET", "/v1/limits", list_limits, summary="Your limits, and what is used of them", model=LimitList,
        errors=(UnknownWallet, PayerNotFound),
    )  # fmt: skip
