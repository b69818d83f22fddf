"""What an exchange would cost a tenant now: today's rate, its tier's margin, the fee, and the rail that is expected to pay out.

One place for whoever prices: the quote at the door, and the lines of a batch. Nothing is stored here. A failure points to the field
at fault by the names that both of them use: `source` or `target`, whichever is fixed, and `target_currency`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from cells.fx.fees import Circumstances, FeeRule, Tariff
from cells.fx.pricing import AmountNotPayable, AmountTooLarge, AmountTooSmall, Price, Side, price
from cells.fx.rate_age import check_age
from cells.fx.rates import RateTable
from cells.kit.money import amount_text
from cells.rails import registry
from cells.rails.profile import RailProfile
from cells.tenants.tenant import Tenant
from cells.tenants.tiers import tier
from residency.directory import Directory
from residency.errors import KovraError


class NoRail(KovraError):
    code = "no-rail"
    status = 422
    title = "No rail moves that currency"


class RailCannotPay(KovraError):
    code = "rail-cannot-pay"
    status = 422
    title = "The rail cannot carry that amount"


class Wish(NamedTuple):
    """An amount to be priced: minor units of the side that is fixed. `tags`: the caller's labels, which fees may depend on."""

    side: Side
    amount_minor: int
    source: str
    target: str
    tags: tuple[str, ...] = ()

    @property
    def target_pointer(self) -> str:
        """Where the currency that is paid out was said."""
        return "/target/currency" if self.side == "target" else "/target_currency"


class Offer(NamedTuple):
    """The price, and the rail that is expected to carry it: the first declared that can."""

    price: Price
    rail: RailProfile


def rails_paying(directory: Directory, currency: str) -> list[RailProfile]:
    """The rails that pay out in a currency, in the region that holds it, as its cells declare them."""
    region = directory.region_of_currency.get(currency)
    declared = [registry.profile_of(name) for cell in directory.regions.get(region or "", ()) for name in cell.rails]
    return [profile for profile in declared if profile.currency == currency]


def rails_for(directory: Directory, currency: str, pointer: str | None = None) -> list[RailProfile]:
    """Those that pay out in a currency. Raises NoRail where there is none."""
    found = rails_paying(directory, currency)
    if not found:
        raise NoRail(f"No rail pays out in {currency} yet.", pointer=pointer)
    return found


def corridor_of(regions: Mapping[str, str], home_region: str, source: str, target: str) -> str:
    """`EU-ID`: the region of the wallet and that of the payee's account. What no region holds is held where the tenant is at home."""
    return f"{regions.get(source, home_region)}-{regions.get(target, home_region)}"


def offer(
    directory: Directory,
    rates: RateTable,
    rules: tuple[FeeRule, ...],
    tenant: Tenant,
    wish: Wish,
    rate_age_max_days: int | None,
) -> Offer:
    """Price a wish. Which rail carries it is decided when the payment is accepted, or admitted where it is paid out. `rules`: those
    that count for the tenant now (FeeBook.rules). `rate_age_max_days`: the cell's limit (PrivateSettings.rate_age_limit).

    Raises NoRail, RateMissing, RatesTooOld, AmountTooSmall, AmountTooLarge, AmountNotPayable, RailCannotPay, FeesUnavailable.
    """
    rails = rails_for(directory, wish.target, wish.target_pointer)
    rate = rates.rate(wish.source, wish.target)
    check_age(rate, rate_age_max_days, datetime.now(UTC))
    margin_bps = tier(tenant.tier).margin_for(tenant.agreed_margin_bps)
    pointer = f"/{wish.side}/value"
    corridor = corridor_of(directory.region_of_currency, tenant.home_region, wish.source, wish.target)
    objections: list[tuple[str, str]] = []
    for rail in rails:
        try:
            here = Circumstances(wish.source, wish.target, corridor, rail.name, tenant.tier, wish.tags)
            found = price(rate, wish.side, wish.amount_minor, margin_bps, Tariff(rules, here))
        except (AmountTooSmall, AmountTooLarge, AmountNotPayable) as error:
            raise type(error)(error.detail, pointer=pointer) from None
        objection = rail.objection(found.payout_minor, wish.target)
        if objection is None:
            return Offer(found, rail)
        objections.append(objection)
    arrives = amount_text(found.payout_minor, wish.target)
    said = " ".join(text for _, text in objections)
    raise RailCannotPay(f"{arrives} would arrive. {said}", pointer=pointer, reason_code=objections[0][0])
