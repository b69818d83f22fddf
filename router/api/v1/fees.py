"""The fee rules that a partner's payments are priced by, in words and as the expressions that compute them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.fx.fee_words import amount_in_words, condition_in_words
from cells.fx.fees import Circumstances, FeeRule, FeesUnavailable, Kind, concerns
from cells.fx.offers import corridor_of, rails_paying
from cells.tenants.store import list_wallets
from cells.tenants.tenant import Tenant
from residency.classes import Confidential, Public
from residency.directory import Directory
from router.api.call import Json, call_of
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import stamp


class FeeRuleShown(BaseModel):
    """One rule. `kind`: PRE is taken of what leaves your wallet, POST off what arrives. `applies_if` and `takes` describe what the
    expressions `applies` and `amount` compute (CEL; whole minor units; `bps(a, n)` is n basis points of a, rounded up)."""

    rule: Annotated[str, Public] = Field(description="As quotes name it in `fees`")
    version: Annotated[int, Public]
    kind: Annotated[Kind, Public]
    paid_by: Annotated[Literal["payer", "recipient"], Public]
    agreed: Annotated[bool, Public] = Field(description="Whether it was agreed with you, in place of everybody's")
    applies_if: Annotated[str, Confidential] = Field(
        examples=["the wallet's currency is EUR and the currency paid out is IDR"]
    )
    takes: Annotated[str, Confidential] = Field(examples=["1.00 EUR plus 0.20 % of the amount"])
    applies: Annotated[str, Confidential]
    amount: Annotated[str, Confidential]
    effective_from: Annotated[datetime, Public]
    effective_to: Annotated[datetime | None, Public] = Field(
        description="When it ends, and the version before it counts again; null until it is changed"
    )


class FeeRuleList(BaseModel):
    """All that apply to a payment add up. A quote says what they come to for one payment, and locks it."""

    data: Annotated[list[FeeRuleShown], Confidential]


async def list_fees(request: Request) -> Response:
    """The fee rules that count now for payments out of your wallets of this region."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        wallets = await list_wallets(connection, parts.region, call.tenant_id)
    places = _places(parts.spec.directory, call.tenant, {one.currency for one in wallets})
    rules = await parts.fee_book.rules(call.tenant_id)
    return Json({"data": [_shown(one) for one in rules if concerns(one, places)]})


def _places(directory: Directory, tenant: Tenant, currencies: set[str]) -> list[Circumstances]:
    """Every pair of currencies and rail that the tenant can pay by, out of wallets of these currencies."""
    regions = directory.region_of_currency
    return [
        Circumstances(source, target, corridor_of(regions, tenant.home_region, source, target), rail.name, tenant.tier)
        for source in sorted(currencies)
        for target in sorted(regions)
        for rail in rails_paying(directory, target)
    ]


def _shown(rule: FeeRule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "version": rule.version,
        "kind": rule.kind,
        "paid_by": "payer" if rule.kind == "PRE" else "recipient",
        "agreed": bool(rule.tenant_id),
        "applies_if": condition_in_words(rule),
        "takes": amount_in_words(rule),
        "applies": rule.applies,
        "amount": rule.amount,
        "effective_from": stamp(rule.effective_from),
        "effective_to": stamp(rule.effective_to) if rule.effective_to else None,
    }


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "quotes", "Account")
    routes.add("GET", "/v1/fees", list_fees, summary="Your fees", model=FeeRuleList, errors=(FeesUnavailable,))
