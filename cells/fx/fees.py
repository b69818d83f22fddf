"""Fees by rule: what the payer pays (PRE) and what the recipient pays (POST). Pure but for reading the seeds.

A rule is a row: an expression that says when it applies, and one that says how much, in whole minor units (expressions.py). All
rules that apply add up, each an item of its own. Rules are never edited: a change is a new version with an effective date, and
of the versions of a rule in force at a moment the highest counts. So a promotion is a version with an end, after which the one below counts
again; what shall cost nothing any more is a version of `0`. A tenant's own rule replaces the platform's of the same name.

What `amount_minor` is, and in which currency the result is:

    PRE    all that leaves the wallet, in `currency`: the fee is in it      0 ≤ fee < amount
    POST   what would arrive, in `target_currency`: the fee comes off it    0 ≤ fee < amount, each item down to what a rail can pay

Where the other end is fixed, the sum is sought whose fee leaves it (`upon`): from the bare amount upwards, each round adds the fee of
the round before. Where fees grow with the amount this ends at the least sum that fits. Where a step down in a schedule leaves none,
the dearer side of the step is charged: paid from its source, the same sum never brings less. A rule that takes nearly all of what is
added to it ends in neither, and is refused.
"""

import logging
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from prometheus_client import Counter

from cells.fx.expressions import Bound, EvaluationFailed, Facts, InvalidExpression, bind, compiled
from residency.classes import Confidential, Public
from residency.errors import KovraError

Kind = Literal["PRE", "POST"]
PLATFORM = ""
TAGS_MAX = 20
_ROUNDS_MAX = 64

_log = logging.getLogger("kovra.fees")
_DATA = Path(__file__).with_name("fees.toml")
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_failures = Counter(
    "kovra_fee_rule_failures",
    "Quotes that were refused because a fee rule in force gave no usable answer",
    ["rule", "version"],
)


class FeesUnavailable(KovraError):
    """A rule of ours failed. It is counted, and somebody is paged; until then there is no price."""

    code = "fees-unavailable"
    status = 503
    retryable = True
    title = "The fee of this payment cannot be computed just now"


@dataclass(frozen=True, slots=True)
class FeeRule:
    """A row of `fee_rules`. `tenant_id` is PLATFORM for everybody's; `effective_to` None = until a higher version."""

    rule: Annotated[str, Public]
    version: Annotated[int, Public]
    tenant_id: Annotated[str, Public]
    kind: Annotated[Kind, Public]
    applies: Annotated[str, Confidential]
    amount: Annotated[str, Confidential]
    effective_from: Annotated[datetime, Public] = _SINCE
    effective_to: Annotated[datetime | None, Public] = None

    def check(self) -> None:
        """Raises InvalidExpression."""
        compiled(self.applies, "condition")
        compiled(self.amount, "amount")

    def in_force(self, at: datetime) -> bool:
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)


@dataclass(frozen=True, slots=True)
class FeeItem:
    """What one rule took: minor units of the source currency (PRE) or of the target's (POST)."""

    kind: Annotated[Kind, Public]
    rule: Annotated[str, Public]
    version: Annotated[int, Public]
    amount_minor: Annotated[int, Confidential]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rule may look at besides the amount. `corridor`: region of the wallet, a dash, region of the payee's account."""

    currency: Annotated[str, Public]
    target_currency: Annotated[str, Public]
    corridor: Annotated[str, Public]
    rail: Annotated[str, Public]
    tier: Annotated[str, Public]
    tags: Annotated[tuple[str, ...], Confidential] = ()


def tags_of(metadata_tags: str) -> tuple[str, ...]:
    """The labels in `metadata.tags`, which separates them by commas; the first TAGS_MAX."""
    labels = [label.strip() for label in metadata_tags.split(",")]
    return tuple(label for label in labels if label)[:TAGS_MAX]


def in_force(rules: Iterable[FeeRule], tenant_id: str, at: datetime) -> tuple[FeeRule, ...]:
    """The rules that count for a tenant at a moment, by name: its own before the platform's, the highest version of each."""
    best: dict[str, FeeRule] = {}
    for one in rules:
        if one.tenant_id not in (PLATFORM, tenant_id) or not one.in_force(at):
            continue
        known = best.get(one.rule)
        if known is None or (one.tenant_id, one.version) > (known.tenant_id, known.version):
            best[one.rule] = one
    return tuple(best[name] for name in sorted(best))


def concerns(rule: FeeRule, places: Iterable[Circumstances]) -> bool:
    """Whether a rule may apply to some payment of these circumstances, whatever its amount and labels."""
    if any(name in rule.applies for name in ("amount_minor", "metadata.tags")):
        return True
    condition = compiled(rule.applies, "condition")
    return any(condition.of(Tariff((), here).facts(1)) for here in places)


@dataclass(frozen=True, slots=True)
class Tariff:
    """The rules that count for one payment, and its circumstances."""

    rules: Annotated[tuple[FeeRule, ...], Confidential]
    circumstances: Annotated[Circumstances, Confidential]

    def of(self, kind: Kind, amount_minor: int, unit_minor: int = 1) -> tuple[FeeItem, ...]:
        """The fees that an amount carries, none of them zero. `unit_minor`: what each is rounded down to. Raises FeesUnavailable."""
        bound = bind(self.facts(amount_minor))
        return tuple(
            FeeItem(kind, rule.rule, rule.version, fee)
            for rule in self.rules
            if rule.kind == kind and (fee := _charged(rule, bound) // unit_minor * unit_minor)
        )

    def upon(self, kind: Kind, left_minor: int, unit_minor: int = 1) -> tuple[FeeItem, ...]:
        """The fees of the amount that leaves `left_minor` once they are paid. Raises FeesUnavailable."""
        rounds: dict[int, tuple[FeeItem, ...]] = {}
        amount = left_minor
        while amount not in rounds:
            if len(rounds) == _ROUNDS_MAX:
                dearest = max(rounds[max(rounds)], key=lambda item: item.amount_minor)
                raise _failed(dearest, "no amount was found that leaves what is fixed")
            rounds[amount] = self.of(kind, amount, unit_minor)
            amount = left_minor + total(rounds[amount])
        # A cycle of one is the amount sought; a longer one goes around a step down, and its dearest side pays for sure.
        amounts = list(rounds)
        return max((rounds[one] for one in amounts[amounts.index(amount) :]), key=total)

    def answer(self, rule: FeeRule, amount_minor: int) -> int:
        """What one rule takes of an amount, with the reason of a failure as it is. Raises EvaluationFailed, InvalidExpression."""
        return _answered(rule, bind(self.facts(amount_minor)))

    def facts(self, amount_minor: int) -> Facts:
        """What the expressions see (expressions.VARIABLES)."""
        here = self.circumstances
        return {
            "amount_minor": amount_minor,
            "currency": here.currency,
            "target_currency": here.target_currency,
            "corridor": here.corridor,
            "rail": here.rail,
            "tier": here.tier,
            "metadata.tags": list(here.tags),
        }


def _charged(rule: FeeRule, bound: Bound) -> int:
    """What a rule takes; 0 where it does not apply. Raises FeesUnavailable."""
    try:
        return _answered(rule, bound)
    except (EvaluationFailed, InvalidExpression) as error:
        raise _failed(rule, error.detail) from None


def _answered(rule: FeeRule, bound: Bound) -> int:
    if not compiled(rule.applies, "condition").of(bound):
        return 0
    fee = compiled(rule.amount, "amount").of(bound)
    if fee < 0:
        raise EvaluationFailed(f"the fee would be {fee}")
    return fee


def _failed(rule: FeeRule | FeeItem, why: str) -> FeesUnavailable:
    """Counted and logged. Why is nobody's business but ours: it may quote an expression."""
    _failures.labels(rule.rule, str(rule.version)).inc()
    _log.error("fee rule %s, version %s, gave no fee: %s", rule.rule, rule.version, why)
    return FeesUnavailable("One of our fee rules gives no answer for it. We have been told; try again later.")


def total(items: Sequence[FeeItem]) -> int:
    return sum(item.amount_minor for item in items)


def seeds(currencies: Collection[str]) -> tuple[FeeRule, ...]:
    """The rules of fees.toml that a cell which holds `currencies` is founded with: those about payments from its own wallets.
    Raises InvalidExpression.
    """
    rules = tuple(
        FeeRule(line["rule"], line["version"], PLATFORM, line["kind"], line["applies"], line["amount"])
        for line in _seed_lines()
        if line["currency"] in currencies
    )
    for one in rules:
        one.check()
    return rules


@cache
def _seed_lines() -> tuple[dict[str, Any], ...]:
    return tuple(tomllib.loads(_DATA.read_text())["rule"])
