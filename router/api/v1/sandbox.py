"""The sandbox: make money arrive as a scheme would bring it."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from actors.wallet import UnknownWallet
from cells.backends.postgres import tenant_transaction
from cells.fx.offers import NoRail, RailCannotPay, rails_for
from cells.idempotency.answer import IdempotencyConflict
from cells.kit.money import InvalidAmount, UnknownCurrency
from cells.rails import registry
from cells.rails.console import ConsoleRefused, SchemeConsole, wallet_account
from cells.rails.rail import Party, RailUnavailable
from cells.tenants.store import list_wallets
from cells.tenants.tenant import Wallet
from residency.classes import Confidential, Public
from residency.wire import Money
from router.api.auth import need_sandbox
from router.api.call import call_of
from router.api.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing, SandboxOnly, WalletMissing
from router.api.idempotency import acted, required_key
from router.api.openapi import KEY_REQUIRED
from router.api.parts import Parts, parts_of
from router.api.region import check_currency, check_path
from router.api.routes import Resource
from router.api.shapes import IdText, MoneyNew, Shape, minor_of
from router.api.v1.wallets import NotAMainWallet, main_wallet_of

OPERATION = "sandbox.deposits.create"
# Who pays in. No one of that name, and no account: a sandbox reaches nobody.
_DEPOSITOR = Party("Sandbox Depositor")


class DepositNew(Shape):
    """Money that shall arrive in a wallet, in its currency. Without `wallet_id`: in your wallet of that currency."""

    wallet_id: Annotated[IdText | None, Public] = None
    amount: Annotated[MoneyNew, Confidential]


class DepositShown(BaseModel):
    """The scheme sends the money now; the event `wallet.credited` reports its arrival."""

    wallet_id: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    rail: Annotated[str, Public]
    scheme_reference: Annotated[str, Public]


async def create_sandbox_deposit(request: Request, body: DepositNew) -> Response:
    """Have the sandbox's scheme send money to a wallet's account number, as a real inbound credit."""
    parts, call = parts_of(request), call_of(request)
    required_key(request)
    need_sandbox(parts.spec, call.tenant)
    amount = minor_of(body.amount, "/amount")
    wallet = await _wallet_of(request, body)
    if body.amount.currency != wallet.currency:
        raise InvalidAmount(f"The wallet holds {wallet.currency}.", pointer="/amount/currency")
    rail = _rail_of(parts, wallet, amount)

    async def act(reference: str, again: bool) -> dict[str, Any]:  # noqa: ARG001 - the same reference is the same credit
        await _collect(parts, rail, wallet, amount, reference)
        return {
            "wallet_id": wallet.wallet_id,
            "amount": body.amount.model_dump(),
            "rail": rail,
            "scheme_reference": reference,
        }

    return await acted(request, OPERATION, act)


async def _wallet_of(request: Request, body: DepositNew) -> Wallet:
    """The wallet that is named, or the first of the amount's currency. Raises UnknownWallet, WalletMissing, WrongRegion."""
    parts, call = parts_of(request), call_of(request)
    if body.wallet_id is not None:
        check_path(parts.spec.entry, parts.spec.directory, body.wallet_id)
        return await main_wallet_of(request, body.wallet_id, UnknownWallet(pointer="/wallet_id"))
    check_currency(parts.spec.entry, parts.spec.directory, body.amount.currency, "/amount/currency")
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found = await list_wallets(connection, parts.region, call.tenant_id)
    for wallet in found:
        if wallet.currency == body.amount.currency:
            return wallet
    raise WalletMissing(pointer="/amount/currency")


def _rail_of(parts: Parts, wallet: Wallet, amount: int) -> str:
    """The rail that brings the wallet's currency: the first that carries the amount. Raises NoRail, RailCannotPay."""
    here = [one for one in rails_for(parts.spec.directory, wallet.currency) if one.name in parts.spec.settings.schemes]
    if not here:
        raise NoRail(f"No rail brings {wallet.currency} to this cell.", pointer="/wallet_id")
    objections = [one.objection(amount, wallet.currency) for one in here]
    for profile, objection in zip(here, objections, strict=True):
        if objection is None:
            return profile.name
    assert objections[0] is not None
    raise RailCannotPay(objections[0][1], pointer="/amount/value", reason_code=objections[0][0])


def console_of(parts: Parts, rail: str) -> SchemeConsole:
    """The sandbox's door to a rail's scheme of this cell."""
    settings = parts.spec.settings.schemes[rail]
    return SchemeConsole(registry.connection_to(rail, parts.spec.entry.number, settings.url, settings.secret))


async def _collect(parts: Parts, rail: str, wallet: Wallet, amount: int, reference: str) -> None:
    account = wallet_account(registry.profile_of(rail).account_form, wallet.account_number)
    async with console_of(parts, rail) as console:
        await console.collect(amount, wallet.currency, account, _DEPOSITOR, scheme_reference=reference)


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "sandbox", "Sandbox")
    routes.add(
        "POST", "/v1/sandbox/deposits", create_sandbox_deposit, summary="Make money arrive", model=DepositShown, status=202,
        errors=(
            IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyConflict, SandboxOnly, UnknownWallet, NotAMainWallet, WalletMissing, UnknownCurrency,
            InvalidAmount, NoRail, RailCannotPay, ConsoleRefused, RailUnavailable,
        ),
        headers=(KEY_REQUIRED,),
    )  # fmt: skip
