"""What `kovra sandbox` shows people: tables of states, payments and movements."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape

from cells.kit.money import amount_text, money
from cells.rails.console import Movements, SchemeState
from cells.rails.registry import profile_of
from infra.schemes.magic import NAME_SCRIPTS, SCRIPTS, amount_of
from router.cli.tables import Listing

# One rail for each way of counting a magic amount.
_EXAMPLES = ("sepa_instant", "faster_payments", "bi_fast", "bi_rtgs")


def magic() -> Listing:
    """What a creditor's name, or an exact amount, makes a scheme do."""
    table = Listing("name contains", "EUR", "GBP", "IDR, BI-FAST", "IDR, BI-RTGS", "what happens")
    for one in SCRIPTS:
        amounts = [amount_text(amount_of(one, rail), profile_of(rail).currency) for rail in _EXAMPLES]
        table.add_row(one.phrase, *amounts, escape(one.story))
    return table


def magic_names() -> Listing:
    """What a recipient's name makes the check of names answer."""
    table = Listing("name contains", "the name check says")
    for one in NAME_SCRIPTS:
        table.add_row(one.phrase, escape(one.story))
    return table


def state(found: Sequence[tuple[str, str, SchemeState | None]]) -> Listing:
    """(cell, rail, state) of each."""
    table = Listing("cell", "rail", "scheme's time", "open", "hours")
    for cell, rail, one in found:
        if one is None:
            table.add_row(cell, rail, "", "does not answer")
        else:
            table.add_row(cell, rail, one.now.isoformat(sep=" "), "open" if one.open else "closed", one.hours)
    return table


def payment(rail: str, found: Mapping[str, Any]) -> Listing:
    """One payment, its returns and recalls below it."""
    numbers = ("amount", "asked", "paid", "inquiries", "returned")
    table = Listing("", "scheme", "reference", "what became of it", *numbers, right=numbers)
    for one in found["payments"]:
        currency = one["currency"]
        amounts = [amount_text(one[name], currency) for name in ("amount_minor", "returned_minor")]
        counts = [str(one[name]) for name in ("asked", "paid", "inquiries")]
        fate = f"{one['fate']} {one['reason']}".strip()
        table.add_row("payment", rail, one["tx_id"], fate, amounts[0], *counts, amounts[1])
        for sent in one["returns"]:
            told = f"{sent['status']} {sent['reason']}".strip()
            amount = amount_text(sent["amount_minor"], currency)
            table.add_row("return", sent["why"], sent["scheme_reference"], told, amount)
        for each in one["recalls"]:
            table.add_row("recall", each["reason"], each["recall_id"], "", "", str(each["asked"]))
    return table


def payment_json(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a scheme knows of a payment, its amounts as the API writes them. What came back in all is with each payment."""
    sums = {name: value for name, value in found.items() if name not in ("returned_minor", "payments")}
    return sums | {"payments": [_with_money(one, one["currency"]) for one in found["payments"]]}


def movements_json(found: Movements) -> dict[str, Any]:
    """A day's movements with the balances around them, amounts as the API writes them."""
    return {
        "rail": found.rail,
        "day": found.day,
        "opening_balance": money(found.opening_minor, found.currency),
        "closing_balance": money(found.closing_minor, found.currency),
        "entries": [_with_money(one, found.currency) for one in found.entries],
    }


def _with_money(fields: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Fields of a simulator's answer, in which `…_minor` counts minor units, in the form of the API; in what they contain too."""
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        if name.endswith("_minor"):
            shown[name.removesuffix("_minor")] = None if value is None else money(int(value), currency)
        elif name != "currency":
            shown[name] = (
                [_with_money(one, currency) if isinstance(one, Mapping) else one for one in value]
                if isinstance(value, list)
                else value
            )
    return shown


def movements(found: Movements) -> Listing:
    """The movements of the day."""
    table = Listing("time", "what", "reference", "end-to-end id", "in", "out", right=("in", "out"))
    for one in found.entries:
        amount = amount_text(one["amount_minor"], found.currency)
        columns = (amount, "") if one["direction"] == "CRDT" else ("", amount)
        table.add_row(one["at"], one["kind"], one["reference"], one["end_to_end_id"], *columns)
    return table
