"""What fees by rule cost: expressions evaluated, and whole prices with every rule of a founded cell, a second of one core."""

from typing import Any

from cells.fx.ecb import EcbHistory
from cells.fx.expressions import Expression, bind, compiled
from cells.fx.pricing import price
from tests.bench.messages import rate_of
from tests.support.tariffs import founded, made, rule

_TEXT = "currency == 'EUR' && 'payroll' in metadata.tags ? 0 : least(100 + bps(amount_minor, 20), 250000)"


def rules() -> dict[str, Any]:
    """Evaluations, compilations and prices a second. A price asks every rule in force whether it applies, and on its fixed-target side
    several times over."""
    tariff = made(rule(_TEXT))
    facts, expression = bind(tariff.facts(125_001)), compiled(_TEXT, "amount")
    whole, table = founded("EUR", "IDR", "bi_fast"), EcbHistory().latest().rate("EUR", "IDR")
    return {
        "cel_rules_per_s": round(rate_of(lambda: expression.of(facts))),
        "cel_compiled_per_s": round(rate_of(lambda: Expression(_TEXT, "amount"))),
        "prices_per_s": round(rate_of(lambda: price(table, "source", 125_000, 80, whole))),
        "prices_fixed_target_per_s": round(rate_of(lambda: price(table, "target", 2_000_000_000, 80, whole))),
        "rules_in_force": len(whole.rules),
    }
