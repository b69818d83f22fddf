"""The terms of each tier: data (tiers.toml), read once. What a tenant may do and what it pays follow from its
tier's name.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from cells.kit.money import parse_amount
from cells.limits.limits import CurrencyLimits, Measure, Window
from cells.limits.rules import ANY, LimitRule
from cells.tenants.tenant import Placement
from residency.classes import Confidential, Public
from residency.errors import KovraError, needed

PLATFORM_TIER = "platform"
_DATA = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Tier:
    """`requests_per_minute` at the API; `margin_bps` the standard exchange margin, `margin_floor_bps` the
    least one agreed.
    """

    name: Annotated[str, Public]
    requests_per_minute: Annotated[int, Public]
    margin_bps: Annotated[int, Confidential]
    margin_floor_bps: Annotated[int, Confidential]
    placement: Annotated[Placement, Public]
    limits: Annotated[Mapping[str, CurrencyLimits], Confidential]

    def margin_for(self, agreed_bps: int | None) -> int:
        """A tenant's margin: what was agreed with it, within what the tier allows; else the standard."""
        if agreed_bps is None:
            return self.margin_bps
        return min(max(agreed_bps, self.margin_floor_bps), self.margin_bps)


@cache
def tiers() -> Mapping[str, Tier]:
    """Every tier by name."""
    data = tomllib.loads(_DATA.read_text())
    return {name: _tier(name, terms) for name, terms in data.items()}


def tier(name: str) -> Tier:
    """The terms of a tier that a tenant's row names. Raises UnexpectedAnswer: a row of a tier that there is no more is answered by
    nobody's guess."""
    return needed(tiers().get(name), "tiers.toml has the tier of every tenant")


def founding_limits(currencies: Collection[str]) -> tuple[LimitRule, ...]:
    """The limits that a cell which holds `currencies` is founded with: those of the tiers, for all that a tenant sends from its wallets
    of one currency."""
    return tuple(
        LimitRule(ANY, tier.name, currency, "tenant", ANY, window, measure, 1, getattr(limits, field))
        for tier in tiers().values()
        for currency, limits in tier.limits.items()
        if currency in currencies
        for field, window, measure in _FOUNDING
    )


_FOUNDING: tuple[tuple[str, Window, Measure], ...] = (
    ("transfer_minor", "transfer", "amount"),
    ("day_minor", "day", "amount"),
    ("month_minor", "month", "amount"),
    ("day_transfers", "day", "count"),
    ("month_transfers", "month", "count"),
)


class UnknownTier(KovraError):
    code = "unknown-tier"
    status = 422
    title = "There is no such tier for partners"


def partner_tier(name: str, pointer: str | None = None) -> Tier:
    """The terms of a tier that a partner can be on. Raises UnknownTier."""
    known = partner_tiers()
    if name not in known:
        raise UnknownTier(f"It is one of {', '.join(known)}.", pointer=pointer)
    return known[name]


def partner_tiers() -> Mapping[str, Tier]:
    """Every tier but the operator's own."""
    return {name: terms for name, terms in tiers().items() if name != PLATFORM_TIER}


def _tier(name: str, terms: Mapping[str, Any]) -> Tier:
    return Tier(
        name,
        terms["requests_per_minute"],
        terms["margin_bps"],
        terms.get("margin_floor_bps", terms["margin_bps"]),
        terms["placement"],
        {currency: _limits(currency, terms, amounts) for currency, amounts in terms["limits"].items()},
    )


def _limits(currency: str, terms: Mapping[str, Any], amounts: Mapping[str, str]) -> CurrencyLimits:
    return CurrencyLimits(
        transfer_minor=parse_amount(amounts["transfer"], currency),
        day_minor=parse_amount(amounts["day"], currency),
        month_minor=parse_amount(amounts["month"], currency),
        day_transfers=terms["transfers_per_day"],
        month_transfers=terms["transfers_per_month"],
    )
