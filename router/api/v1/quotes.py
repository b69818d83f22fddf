"""Quotes: a price locked for ten minutes, in the region of the wallet that will pay."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import Connection, tenant_transaction
from cells.fx.fees import FeesUnavailable, tags_of
from cells.fx.fees import Kind as FeeKind
from cells.fx.offers import NoRail, Offer, RailCannotPay, Wish, offer
from cells.fx.pricing import AmountNotPayable, AmountTooLarge, AmountTooSmall
from cells.fx.quotes import QUOTE_LIFETIME_S, NewQuote, Quote, UnknownQuote
from cells.fx.rate_age import RatesTooOld, age_days, is_stale
from cells.fx.rates import RateMissing
from cells.fx.store import find_quotes, lock_quotes, page_quotes
from cells.idempotency.answer import IdempotencyConflict, RequestInFlight
from cells.kit.money import InvalidAmount, UnknownCurrency, currency_of, money
from cells.tenants.tenant import Tenant
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import mint
from residency.wire import Money
from router.api.auth import need_sandbox
from router.api.call import Json, call_of
from router.api.errors import IdempotencyKeyInvalid, SandboxOnly
from router.api.idempotency import Made, created
from router.api.openapi import KEY_OPTIONAL
from router.api.parts import Parts, parts_of
from router.api.region import check_currency
from router.api.routes import Resource
from router.api.shapes import (
    NO_OTHER_KEYS,
    CurrencyCode,
    Cursor,
    Limit,
    MetadataKey,
    MetadataValue,
    MoneyNew,
    Shape,
    WholeNumber,
    checked_id,
    minor_of,
    page,
    stamp,
)

OPERATION = "quotes.create"
_FORMS = [["source", "target_currency"], ["target", "source_currency"]]


ONE_SIDE: list[JsonValue] = [{"required": list[JsonValue](form)} for form in _FORMS]


class Sides(Shape):
    """What shall be exchanged, with one side of it fixed."""

    source: Annotated[MoneyNew | None, Confidential] = None
    target_currency: Annotated[CurrencyCode | None, Public] = None
    target: Annotated[MoneyNew | None, Confidential] = None
    source_currency: Annotated[CurrencyCode | None, Public] = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Confidential] = Field(
        default_factory=dict,
        max_length=20,
        json_schema_extra=NO_OTHER_KEYS,
        description="As a transfer has it. The fee may depend on the labels in `tags`, separated by commas.",
    )

    @property
    def tags(self) -> tuple[str, ...]:
        """The caller's labels."""
        return tags_of(self.metadata.get("tags", ""))

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        given = self.model_fields_set & {name for form in _FORMS for name in form}
        if sorted(given) not in [sorted(form) for form in _FORMS]:
            raise ValueError("give source and target_currency, or target and source_currency")
        if None in (getattr(self, name) for name in given):
            raise ValueError("leave out what you do not fix, rather than sending null")
        return self


class QuoteNew(Sides):
    """Fix what leaves the wallet (`source` and `target_currency`) or what arrives (`target` and `source_currency`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": ONE_SIDE,
            "examples": [{"source": {"value": "1000.00", "currency": "EUR"}, "target_currency": "IDR"}],
        }
    )

    sandbox_lifetime_s: Annotated[WholeNumber, Public] = Field(
        default=QUOTE_LIFETIME_S,
        ge=1,
        le=QUOTE_LIFETIME_S,
        description="Sandbox only: run out sooner, to see what that is like",
    )


class MarginShown(BaseModel):
    """The exchange margin: basis points of what is converted, and the amount."""

    bps: Annotated[int, Confidential]
    amount: Annotated[Money, Confidential]


class FeeShown(BaseModel):
    """What one fee rule takes. PRE: of the payer, in the source currency, within `source`. POST: of the recipient, in the target
    currency, taken off before `target` arrives."""

    kind: Annotated[FeeKind, Public]
    rule: Annotated[str, Public]
    version: Annotated[int, Public]
    amount: Annotated[Money, Confidential]


class QuoteShown(BaseModel):
    """A quote. `source` is all that leaves the wallet: principal, margin and fee. `target` is what arrives, once the recipient's
    fees are taken off."""

    id: Annotated[str, Public]
    status: Annotated[Literal["open", "used", "expired"], Public]
    fixed_side: Annotated[Literal["source", "target"], Public]
    source: Annotated[Money, Confidential]
    target: Annotated[Money, Confidential]
    rate: Annotated[str, Public] = Field(description="Mid-market: major units of the target for one of the source")
    rate_as_of: Annotated[date, Public] = Field(description="The day on which the source published it")
    rate_age_days: Annotated[int, Public] = Field(
        description="Banking days (TARGET's) from that day to the day of the quote"
    )
    rate_stale: Annotated[bool, Public] = Field(
        description="Whether the rate was older than two banking days: publications were missed. Always false within one currency"
    )
    rate_source: Annotated[str, Public]
    principal: Annotated[Money, Confidential]
    margin: Annotated[MarginShown, Confidential]
    fee: Annotated[Money, Confidential] = Field(description="The payer's fees together")
    recipient_fee: Annotated[Money, Confidential] = Field(description="The recipient's fees together")
    fees: Annotated[list[FeeShown], Confidential] = Field(
        description="Every fee by itself, and the rule that it follows"
    )
    rail: Annotated[str, Public] = Field(description="The rail that will pay out")
    transfer_id: Annotated[str | None, Public]
    created_at: Annotated[datetime, Public]
    expires_at: Annotated[datetime, Public]


class QuotePage(BaseModel):
    """Newest first."""

    data: Annotated[list[QuoteShown], Confidential]
    next_cursor: Annotated[str | None, Public]


def shown(quote: Quote, now: datetime) -> dict[str, Any]:
    """A quote as the API writes it."""
    used = quote.transfer_id is not None
    source, target = quote.source_currency, quote.target_currency
    return {
        "id": quote.quote_id,
        "status": "used" if used else "open" if quote.expires_at > now else "expired",
        "fixed_side": quote.side,
        "source": money(quote.source_minor, source),
        "target": money(quote.payout_minor, target),
        "rate": quote.rate,
        "rate_as_of": quote.rate_as_of.isoformat(),
        "rate_age_days": age_days(quote.rate_as_of, quote.created_at),
        "rate_stale": is_stale(quote.price.rate, quote.created_at),
        "rate_source": quote.rate_origin,
        "principal": money(quote.principal_minor, source),
        "margin": {"bps": quote.margin_bps, "amount": money(quote.margin_minor, source)},
        "fee": money(quote.fee_minor, source),
        "recipient_fee": money(quote.recipient_fee_minor, target),
        "fees": [
            {
                "kind": one.kind,
                "rule": one.rule,
                "version": one.version,
                "amount": money(one.amount_minor, source if one.kind == "PRE" else target),
            }
            for one in quote.fees
        ],
        "rail": quote.rail,
        "transfer_id": quote.transfer_id,
        "created_at": stamp(quote.created_at),
        "expires_at": stamp(quote.expires_at),
    }


def wish_of(parts: Parts, asked: Sides) -> Wish:
    """What is to be priced. Raises UnknownCurrency, InvalidAmount, WrongRegion, NoRail."""
    entry, directory = parts.spec.entry, parts.spec.directory
    if asked.source is not None and asked.target_currency is not None:
        source, target = asked.source.currency, asked.target_currency
        pointers = ("/source/currency", "/target_currency")
    else:
        assert asked.target is not None
        assert asked.source_currency is not None
        source, target = asked.source_currency, asked.target.currency
        pointers = ("/source_currency", "/target/currency")
    currency_of(source, pointers[0])
    currency_of(target, pointers[1])
    check_currency(entry, directory, source, pointers[0])
    if source not in entry.currencies:
        raise NoRail(f"No wallet can be held in {source} yet.", pointer=pointers[0])
    if asked.source is not None:
        return Wish("source", minor_of(asked.source, "/source"), source, target, asked.tags)
    assert asked.target is not None
    return Wish("target", minor_of(asked.target, "/target"), source, target, asked.tags)


async def priced(parts: Parts, tenant: Tenant, asked: Sides) -> Offer:
    """The price of a wish by today's rates and the tenant's terms, and the rail that is expected to carry it."""
    wish = wish_of(parts, asked)
    rules = await parts.fee_book.rules(tenant.tenant_id)
    limit = parts.spec.settings.rate_age_limit
    return offer(parts.spec.directory, parts.rates.latest(), rules, tenant, wish, limit)


async def create_quote(request: Request, body: QuoteNew) -> Response:
    """Lock a price for ten minutes. The quote pays one transfer, once."""
    parts, call = parts_of(request), call_of(request)
    if "sandbox_lifetime_s" in body.model_fields_set:
        need_sandbox(parts.spec, call.tenant)
    found, rail = await priced(parts, call.tenant, body)

    async def make(connection: Connection) -> Made:
        new = NewQuote(mint("qt", parts.spec.name), call.tenant_id, rail.name, found, body.tags)
        [quote] = await lock_quotes(connection, parts.region, [new], lifetime_s=body.sandbox_lifetime_s)
        return Made(quote.quote_id, shown(quote, quote.created_at))

    async def again(connection: Connection, quote_id: str) -> dict[str, Any]:
        return shown((await find_quotes(connection, parts.region, [quote_id]))[quote_id], datetime.now(UTC))

    response = await created(request, OPERATION, make, again)
    parts.quote_wallets.note(call.tenant_id, call.resource_id, found.rate.source)
    return response


async def get_quote(request: Request, quote_id: str) -> Response:
    """A quote, open, used or expired."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(quote_id, "qt", UnknownQuote())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        quote = (await find_quotes(connection, parts.region, [found])).get(found)
    if quote is None:
        raise UnknownQuote
    return Json(shown(quote, datetime.now(UTC)))


async def list_quotes(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Your quotes of this region, newest first."""
    parts, call = parts_of(request), call_of(request)
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await page_quotes(connection, parts.region, call.tenant_id, cursor, limit)
    now = datetime.now(UTC)
    return Json(page([shown(one, now) for one in found], limit, found[-1].quote_id if found else None))


PRICE_ERRORS: tuple[type[KovraError], ...] = (
    UnknownCurrency, InvalidAmount, NoRail, RateMissing, AmountTooSmall, AmountTooLarge, AmountNotPayable, RailCannotPay,
    FeesUnavailable, RatesTooOld,
)  # fmt: skip
_ERRORS: tuple[type[KovraError], ...] = (
    *PRICE_ERRORS, IdempotencyKeyInvalid, IdempotencyConflict, RequestInFlight, SandboxOnly,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "quotes", "Quotes")
    routes.add(
        "POST", "/v1/quotes", create_quote, summary="Lock a price", model=QuoteShown, status=201, errors=_ERRORS,
        headers=(KEY_OPTIONAL,),
    )  # fmt: skip
    routes.add("GET", "/v1/quotes", list_quotes, summary="Your quotes", model=QuotePage)
    routes.add("GET", "/v1/quotes/{quote_id}", get_quote, summary="A quote", model=QuoteShown, errors=(UnknownQuote,))
