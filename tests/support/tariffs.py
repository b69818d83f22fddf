"""Tariffs for tests: the one that a cell is founded with, and made-up ones."""

from datetime import UTC, datetime

from cells.fx.fees import PLATFORM, Circumstances, FeeRule, Kind, Tariff, in_force, seeds

_REGION = {"IDR": "ID", "GBP": "UK"}


def circumstances(
    source: str = "EUR", target: str = "IDR", rail: str = "bi_fast", tier: str = "starter", tags: tuple[str, ...] = ()
) -> Circumstances:
    corridor = f"{_REGION.get(source, 'EU')}-{_REGION.get(target, 'EU')}"
    return Circumstances(source, target, corridor, rail, tier, tags)


def founded(source: str, target: str, rail: str) -> Tariff:
    """What a payment of a founded cell costs today."""
    return Tariff(in_force(seeds((source,)), PLATFORM, datetime.now(UTC)), circumstances(source, target, rail))


def rule(amount: str, kind: Kind = "PRE", *, name: str = "made-up", applies: str = "true", version: int = 1) -> FeeRule:
    return FeeRule(name, version, PLATFORM, kind, applies, amount)


def made(*rules: FeeRule, here: Circumstances | None = None) -> Tariff:
    return Tariff(rules, here or circumstances())


def linear(flat_minor: int = 0, bps: int = 0, kind: Kind = "PRE") -> Tariff:
    """A flat part and basis points of the whole."""
    return made(rule(f"{flat_minor} + bps(amount_minor, {bps})", kind))
