"""Fee rules in words, for whoever pays by them. Pure: read from the expressions themselves, so that no text beside a rule can go stale.

The grammar is CEL's, cut down as in expressions.py, which has compiled whatever comes here. A whole number that is added, chosen or
compared with the amount is money, and written as money; one that multiplies or divides is a number.
"""

import re
from collections.abc import Callable
from typing import Final

from cells.fx.fees import FeeRule
from cells.kit.money import format_amount

_TOKEN = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z_][\w.]*|\d\w*|==|!=|<=|>=|&&|\|\||\S)""")
_NAMES: Final = {
    "amount_minor": "the amount",
    "currency": "the wallet's currency",
    "target_currency": "the currency paid out",
    "corridor": "the corridor",
    "rail": "the rail",
    "tier": "your tier",
    "metadata.tags": "metadata.tags",
}
_COMPARED: Final = {
    "==": "is", "!=": "is not", "<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least", "in": "is one of",
}  # fmt: skip
_CHOSEN: Final = {"least": "the least of", "most": "the most of"}
# The currency that a rule of either kind is charged in is fixed by a comparison such as this.
_FIXED: Final = {
    "PRE": re.compile(r"""(?<![\w.])currency == ['"]([A-Z]{3})['"]"""),
    "POST": re.compile(r"""(?<![\w.])target_currency == ['"]([A-Z]{3})['"]"""),
}
_DENIED = re.compile(r"!\s*\([^()]*\)")
_EVERY = "every payment"
_WHOSE: Final = {"PRE": _NAMES["currency"], "POST": _NAMES["target_currency"]}


def amount_in_words(rule: FeeRule) -> str:
    """`100 + bps(amount_minor, 20)` → "1.00 EUR plus 0.20 % of the amount"."""
    return _Reader(rule.amount, _unit_of(rule)).read()


def condition_in_words(rule: FeeRule) -> str:
    """`currency == 'EUR'` → "the wallet's currency is EUR"."""
    return _EVERY if rule.applies.strip() == "true" else _Reader(rule.applies, _unit_of(rule)).read()


def _unit_of(rule: FeeRule) -> str:
    return _currency_of(rule) or f"of {_WHOSE[rule.kind]}"


def _currency_of(rule: FeeRule) -> str | None:
    """The one currency in which a rule takes its fee; None where it may be any."""
    # A comparison that is denied, or one of several that may hold, fixes nothing.
    certain = _DENIED.sub("", rule.applies)
    if any(sign in certain for sign in ("||", "?", "!(", "! (")):
        return None
    found = _FIXED[rule.kind].search(certain)
    return found[1] if found else None


class _Reader:
    """One expression, read from left to right. `unit`: what stands behind a sum of money."""

    def __init__(self, text: str, unit: str) -> None:
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._at = 0
        self._unit = unit

    def read(self) -> str:
        condition = self._either()
        if not self._took("?"):
            return condition
        then = self.read()
        self._took(":")
        return f"{then} if {condition}, else {self.read()}"

    def _took(self, *tokens: str) -> str:
        token = self._tokens[self._at]
        if token not in tokens:
            return ""
        self._at += 1
        return token

    def _chain(self, below: Callable[[], str], words: dict[str, str]) -> str:
        said = below()
        while token := self._took(*words):
            said = f"{said} {words[token]} {below()}"
        return said

    def _either(self) -> str:
        return self._chain(self._both, {"||": "or"})

    def _both(self) -> str:
        return self._chain(self._compared, {"&&": "and"})

    def _compared(self) -> str:
        left = self._sum()
        sign = self._took(*_COMPARED)
        if not sign:
            return left
        right = self._sum()
        return f"{right} has {left}" if right == _NAMES["metadata.tags"] else f"{left} {_COMPARED[sign]} {right}"

    def _sum(self) -> str:
        return self._chain(self._product, {"+": "plus", "-": "minus"})

    def _product(self) -> str:
        began = self._at
        said = self._single()
        multiplied = self._tokens[self._at] in ("*", "/", "%")
        if multiplied:
            # The first factor was read as money if it is a number; read as a number, it says what it is.
            said = self._number(began) or said
        while token := self._took("*", "/", "%"):
            began = self._at
            factor = self._single()
            word = {"*": "times", "/": "divided by", "%": "modulo"}[token]
            said = f"{said} {word} {self._number(began) or factor}"
        return said

    def _number(self, began: int) -> str:
        token = self._tokens[began]
        return token if token.isdecimal() and self._at == began + 1 else ""

    def _single(self) -> str:
        if self._took("!"):
            return f"not {self._single()}"
        if self._took("-"):
            return f"minus {self._single()}"
        if self._took("("):
            inside = self.read()
            self._took(")")
            return f"({inside})"
        if self._took("["):
            return self._listed("]", "or")
        token = self._tokens[self._at]
        self._at += 1
        if token.isdecimal():
            return self._money(int(token))
        if token[:1] in ("'", '"'):
            return token[1:-1]
        if self._took("("):
            return self._called(token)
        return _NAMES.get(token, token)

    def _called(self, name: str) -> str:
        if name == "bps":
            of = self.read()
            self._took(",")
            began = self._at
            points = self.read()
            number = self._number(began)
            self._took(")")
            return (
                f"{int(number) // 100}.{int(number) % 100:02} % of {of}" if number else f"{points} basis points of {of}"
            )
        return f"{_CHOSEN.get(name, name)} {self._listed(')', 'and')}"

    def _listed(self, end: str, word: str) -> str:
        if self._took(end):
            return "nothing"
        items = [self.read()]
        while self._took(","):
            items.append(self.read())
        self._took(end)
        return f" {word} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else items[0]

    def _money(self, minor: int) -> str:
        # Every currency here has two decimals (cells/kit/money.py); a test holds this to it.
        return f"{format_amount(minor, 'EUR')} {self._unit}"
