"""`kovra pay --fund`: in the sandbox, have the simulated schemes send the wallets what they lacked."""

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal

from cells.kit.money import CURRENCIES
from cells.rails.profile_files import rail_profiles
from residency.errors import KovraError
from router.client import KovraClient, ProblemError, Unreachable
from router.client.wallet_models import Wallet

_ARRIVES_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1


class NotFunded(KovraError):
    code = "not-funded"
    title = "The wallets could not be funded"


async def fund(
    client: KovraClient, needed: Mapping[str, Decimal], regions: Mapping[str, str]
) -> dict[str, Decimal | KovraError]:
    """Deposit what is missing, and wait until it is there: by currency what was sent, or why it could not be. One that cannot stops no
    other."""
    return {currency: await _funded(client, currency, amount, regions) for currency, amount in needed.items()}


async def _funded(
    client: KovraClient, currency: str, amount: Decimal, regions: Mapping[str, str]
) -> Decimal | KovraError:
    try:
        wallet = await wallet_in(client, currency, regions)
        missing = max(amount - wallet.available.amount, Decimal())
        for part in _parts(missing, currency):
            await client.sandbox.deposit(wallet.id, f"{part:f}", currency)
        await _arrived(client, wallet, amount)
    except (NotFunded, ProblemError, Unreachable) as error:
        return error
    return missing


async def wallet_in(client: KovraClient, currency: str, regions: Mapping[str, str]) -> Wallet:
    """The tenant's wallet in a currency; `regions` says which region holds which currency. Raises NotFunded, ProblemError."""
    if currency in regions:
        for wallet in await client.wallets.list(region=regions[currency]):
            if wallet.currency == currency:
                return wallet
    raise NotFunded(f"There is no wallet in {currency}.")


def _parts(amount: Decimal, currency: str) -> list[Decimal]:
    """The amount in pieces that the currency's rail can bring, in whole payable units, rounded up."""
    unit = Decimal(CURRENCIES[currency].payable_unit_minor).scaleb(-CURRENCIES[currency].exponent)
    left = -(-amount // unit) * unit
    moving = [one for one in rail_profiles().values() if one.currency == currency]
    ceilings = [one.ceiling_minor for one in moving if one.ceiling_minor is not None]
    most = Decimal(min(ceilings)).scaleb(-CURRENCIES[currency].exponent) if ceilings else left
    parts = []
    while left > 0:
        parts.append(min(left, most))
        left -= parts[-1]
    return parts


async def _arrived(client: KovraClient, wallet: Wallet, amount: Decimal) -> None:
    until = time.monotonic() + _ARRIVES_WITHIN_S
    while (await client.wallets.get(wallet.id)).available.amount < amount:
        if time.monotonic() > until:
            raise NotFunded(f"{amount:f} {wallet.currency} has not arrived within {_ARRIVES_WITHIN_S:.0f} s.")
        await asyncio.sleep(_LOOK_EVERY_S)
