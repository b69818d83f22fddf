"""Money is whole numbers of minor units: no float comes near it."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import Source, keep, sources

# A float may stand for a time, a share of a load, a score or a place on a clock. Names end in their unit.
_TIME = re.compile(
    r"(_s|_ms|_at|seconds|until|timeout|delay|jitter|chance|deadline|elapsed|duration|now|age|share|ratio|score|mean\w*|perf_counter)$"
)
_MONEY = re.compile(
    r"(amount|minor|fee|margin|principal|balance|price|rate|debit|credit|cap|limit|position|owed)s?(_|$)"
)
_FLOORS = ("residency", "cells", "actors", "router")


def money_floats(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="float"), args=[argument, *_]):
                name = _last_word(argument)
                if not _TIME.search(name):
                    yield source.at(node, f"{ast.unparse(node)}: a float of something that is no time")
            case ast.AnnAssign(target=target, annotation=annotation) if _is_float(annotation) and _is_money(
                _last_word(target)
            ):
                yield source.at(node, f"{ast.unparse(node)}: money declared as a float")
            case ast.arg(arg=name, annotation=annotation) if (
                annotation is not None and _is_float(annotation) and _is_money(name)
            ):
                yield source.at(annotation, f"{name}: {ast.unparse(annotation)}: money taken as a float")
            case ast.FunctionDef(name=name, returns=returns) if (
                returns is not None and _is_float(returns) and _is_money(name)
            ):
                yield source.at(node, f"{name} returns money as a float")
            case _:
                continue


def true_divisions(source: Source) -> Iterator[str]:
    """`/` on a name of money is a float, unless both sides are paths, times or Decimals; money divides by `//` and `divmod`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            words = [_last_word(side) for side in (node.left, node.right)]
            if any(map(_is_money, words)) and not any(map(_TIME.search, words)):
                yield source.at(node, f"{ast.unparse(node)}: a true division of money")


def _is_money(name: str) -> bool:
    return _MONEY.search(name) is not None and _TIME.search(name) is None


def _is_float(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "float" for node in ast.walk(annotation))


def _last_word(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _last_word(function)
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case _:
            return ""


def test_no_float_comes_near_money() -> None:
    keep(
        "Amounts are integers of minor units; a rate is a ratio of integers or a Decimal.",
        why="a float loses cents silently (0.1 + 0.2), differs between machines, and the books must balance to the minor unit.",
        mend="keep the integer: parse with cells.kit.money.parse_amount, divide with // or divmod and say where the remainder goes. If the "
        "number is a time, end its name in its unit (_s, _ms).",
        breaches=[
            breach for source in sources(*_FLOORS) for rule in (money_floats, true_divisions) for breach in rule(source)
        ],
    )


@pytest.mark.parametrize(
    "text",
    [
        "x = float(row['amount'])",
        "x = float(text)",
        "def fee(amount_minor: float) -> int: ...",
        "def balance() -> float: ...",
        "amount_minor: float | None = None",
        "x = amount / 2",
        "x = transfer.fee_minor / rate",
    ],
)
def test_a_float_is_seen(text: str) -> None:
    source = Source("cells/fx/x.py", text)
    assert [*money_floats(source), *true_divisions(source)]
