"""The one way of writing an amount: `{"value": "40.00", "currency": "EUR"}` in JSON, `40.00 EUR` in text. What is written otherwise is found."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cells.kit.money import CURRENCIES
from cells.reconciliation.report import Finding

_VALUE = re.compile(r"-?[0-9]+\.[0-9]{2}")
_CODES = "|".join(CURRENCIES)
_IN_TEXT = (
    # An account is named with its currency and its owner, sixteen hexadecimal digits and more: that is no amount.
    (re.compile(rf"\b({_CODES}) -?[0-9][0-9,]{{0,14}}(\.[0-9]+)?(?![0-9a-z])"), "the currency before the value"),
    (re.compile(rf"\b[0-9]{{1,3}}(,[0-9]{{3}})+(\.[0-9]+)? ({_CODES})\b"), "commas in the value"),
    (re.compile(r"\bminor units\b"), "minor units"),
    (re.compile(rf"(?<![0-9.])[0-9]+ ({_CODES})\b"), "a value without its decimals"),
)
# What a finding of `kovra reconcile` may write as a number alone: a count, or a field of a row or a posting that is no money.
_COUNTS = re.compile(
    r"payments that are its lines|transfers that name the quote|(ledger|code|flags|pending_id|user_data_\d+) in the ledger .*"
)
_ROW_MONEY = frozenset({"principal", "margin", "fee", "target_amount", "recipient_fee"})
_NO_MONEY = re.compile(
    rf"-?[0-9]+\.[0-9]{{2}} ({_CODES})\b|\b[0-9a-f]{{32}}\b|cell number [0-9]+|[\w.:+-]*[A-Za-z_][\w.:+-]*"
)
# What is money by its name; a count, a rate or a share has another.
_MONEY = re.compile(r"(^|_)(amount|fee|margin|principal|balance|funding|remainder|credited|returned|price|cost)$")
# Decimal texts that are no money.
_RATES = frozenset({"rate", "mid", "version"})


def misfits(value: Any, at: str = "", name: str = "") -> Iterator[str]:
    """Where a JSON document writes an amount in another form."""
    if isinstance(value, Mapping):
        if set(value) == {"value", "currency"}:
            if not (isinstance(value["value"], str) and _VALUE.fullmatch(value["value"])):
                yield f"{at}: {value['value']!r} is no decimal text"
            return
        for key, one in value.items():
            yield from misfits(one, f"{at}/{key}", key)
    elif isinstance(value, (list, tuple)):
        for place, one in enumerate(value):
            yield from misfits(one, f"{at}/{place}", name)
    else:
        yield from (f"{at}: {fault}" for fault in _misfits_of_scalar(value, name))


def named_money(name: str) -> bool:
    """Whether a field of that name holds an amount."""
    return _MONEY.search(name) is not None


def _misfits_of_scalar(value: Any, name: str) -> Iterator[str]:
    if name.endswith("_minor"):
        yield "minor units"
    elif isinstance(value, str):
        if _VALUE.fullmatch(value) and name not in _RATES:
            yield f"{value} without its currency"
        yield from misfits_of_text(value)
    elif named_money(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield f"{value} is a number"


def misfits_of_text(text: str) -> Iterator[str]:
    """Where a text writes an amount in another form."""
    for pattern, fault in _IN_TEXT:
        for found in pattern.finditer(text):
            yield f"{found[0]} ({fault})"


def bare_amounts(finding: Finding) -> list[str]:
    """The numbers without a currency in what a finding of `kovra reconcile` expects and has found."""
    no_money = finding.invariant == "L11" and finding.what not in _ROW_MONEY
    if no_money or _COUNTS.fullmatch(finding.what):
        return []
    texts = (finding.what, finding.expected, finding.found)
    return [number for text in texts for number in re.findall(r"-?[0-9]+", _NO_MONEY.sub("", text))]


def amounts_in(value: Any) -> Iterator[str]:
    """Every amount of a JSON document, as text."""
    if isinstance(value, Mapping):
        if set(value) == {"value", "currency"}:
            yield f"{value['value']} {value['currency']}"
        else:
            for one in value.values():
                yield from amounts_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from amounts_in(one)
