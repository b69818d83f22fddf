"""Fee rules tried: each step of one amount explained, and a candidate run over past payments. Pure; nothing is charged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from cells.fx.expressions import EvaluationFailed, InvalidExpression, compiled
from cells.fx.fees import Circumstances, FeeItem, FeeRule, Kind, Tariff, in_force, total
from cells.kit.money import CURRENCIES
from residency.classes import Confidential, Public


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule says of an amount. `applies` None: its condition gave no answer; `problem` says why there is none."""

    rule: Annotated[FeeRule, Confidential]
    amount_minor: Annotated[int, Confidential]
    applies: Annotated[bool | None, Public]
    fee_minor: Annotated[int, Confidential] = 0
    problem: Annotated[str | None, Confidential] = None


@dataclass(frozen=True, slots=True)
class PastPayment:
    """A payment as it was priced. `source_minor`: all that left the wallet; `target_minor`: M, before what the recipient paid of it."""

    transfer_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    priced_at: Annotated[datetime, Public]
    circumstances: Annotated[Circumstances, Confidential]
    source_minor: Annotated[int, Confidential]
    target_minor: Annotated[int, Confidential]
    fees: Annotated[tuple[FeeItem, ...], Confidential]


@dataclass(frozen=True, slots=True)
class Difference:
    """What the payment was charged by rules of the candidate's kind, and what it would have been; None where that gives no fee."""

    payment: Annotated[PastPayment, Confidential]
    was_minor: Annotated[int, Confidential]
    would_be_minor: Annotated[int | None, Confidential]


@dataclass(slots=True)
class Backtest:
    """The sums of a trial in one currency; `differing` keeps the first few payments that would cost something else."""

    payments: Annotated[int, Public] = 0
    dearer: Annotated[int, Public] = 0
    cheaper: Annotated[int, Public] = 0
    failing: Annotated[int, Public] = 0
    was_minor: Annotated[int, Confidential] = 0
    would_be_minor: Annotated[int, Confidential] = 0
    differing: Annotated[list[Difference], Confidential] = field(default_factory=list)

    def add(self, one: Difference, kept_max: int) -> None:
        self.payments += 1
        self.was_minor += one.was_minor
        self.would_be_minor += one.would_be_minor or 0
        self.failing += one.would_be_minor is None
        self.dearer += one.would_be_minor is not None and one.would_be_minor > one.was_minor
        self.cheaper += one.would_be_minor is not None and one.would_be_minor < one.was_minor
        if one.would_be_minor != one.was_minor and len(self.differing) < kept_max:
            self.differing.append(one)


def explain(tariff: Tariff, kind: Kind, amount_minor: int) -> Iterator[Step]:
    """What every rule of that kind says of an amount, in the order in which they are items."""
    facts = tariff.facts(amount_minor)
    for rule in (one for one in tariff.rules if one.kind == kind):
        applies: bool | None = None
        try:
            applies = bool(compiled(rule.applies, "condition").of(facts))
            yield Step(rule, amount_minor, applies, tariff.answer(rule, amount_minor))
        except (EvaluationFailed, InvalidExpression) as error:
            yield Step(rule, amount_minor, applies, problem=error.detail)


def with_candidate(rules: Sequence[FeeRule], candidate: FeeRule) -> tuple[FeeRule, ...]:
    """The rules in force, with the candidate in the place of the one of its name."""
    others = (one for one in rules if one.rule != candidate.rule)
    return tuple(sorted((*others, candidate), key=lambda one: one.rule))


def try_on(payments: Iterable[PastPayment], rules: Sequence[FeeRule], candidate: FeeRule) -> Iterator[Difference]:
    """What past payments would have cost under `candidate`, at the same amount and by the rules that were in force when each was
    priced."""
    for payment in payments:
        if candidate.tenant_id not in ("", payment.tenant_id):
            continue
        in_place = with_candidate(in_force(rules, payment.tenant_id, payment.priced_at), candidate)
        tariff = Tariff(in_place, payment.circumstances)
        was = total([one for one in payment.fees if one.kind == candidate.kind])
        yield Difference(payment, was, _fee(tariff, candidate.kind, payment))


def add_up(differences: Iterable[Difference], kind: Kind, found: dict[str, Backtest], kept_max: int) -> None:
    """Into `found`, by the currency that the fee is in; the first `kept_max` that differ are kept."""
    for one in differences:
        here = one.payment.circumstances
        currency = here.currency if kind == "PRE" else here.target_currency
        found.setdefault(currency, Backtest()).add(one, kept_max)


def _fee(tariff: Tariff, kind: Kind, payment: PastPayment) -> int | None:
    unit = CURRENCIES[tariff.circumstances.target_currency].payable_unit_minor if kind == "POST" else 1
    amount = payment.source_minor if kind == "PRE" else payment.target_minor
    try:
        return sum(tariff.answer(one, amount) // unit * unit for one in tariff.rules if one.kind == kind)
    except (EvaluationFailed, InvalidExpression):
        return None
