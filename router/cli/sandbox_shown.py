"""What `kovra sandbox` shows people: tables of states, payments and movements."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from cells.kit.money import format_amount
from cells.rails.console import Movements, SchemeState
from router.cli.console import listing


def state(found: Sequence[tuple[str, str, SchemeState | None]]) -> Table:
    """(cell, rail, state) of each."""
    table = listing("cell", "rail", "scheme's time", "open", "hours")
    for cell, rail, one in found:
        if one is None:
            table.add_row(cell, rail, "", "does not answer")
        else:
            table.add_row(cell, rail, one.now.isoformat(sep=" "), "open" if one.open else "closed", one.hours)
    return table


def payment(rail: str, found: Mapping[str, Any]) -> Table:
    """One payment, its returns and recalls below it."""
    numbers = ("amount", "asked", "paid", "inquiries", "returned")
    table = listing("", "scheme", "reference", "what became of it", *numbers, right=numbers)
    for one in found["payments"]:
        currency = one["currency"]
        amounts = [format_amount(one[name], currency) for name in ("amount_minor", "returned_minor")]
        counts = [str(one[name]) for name in ("asked", "paid", "inquiries")]
        fate = f"{one['fate']} {one['reason']}".strip()
        table.add_row("payment", rail, one["tx_id"], fate, amounts[0], *counts, amounts[1])
        for sent in one["returns"]:
            told = f"{sent['status']} {sent['reason']}".strip()
            amount = format_amount(sent["amount_minor"], currency)
            table.add_row("return", sent["why"], sent["scheme_reference"], told, amount)
        for each in one["recalls"]:
            table.add_row("recall", each["reason"], each["recall_id"], "", "", str(each["asked"]))
    return table


def movements(found: Movements) -> Table:
    """The movements of the day."""
    table = listing("time", "what", "reference", "end-to-end id", "in", "out", right=("in", "out"))
    for one in found.entries:
        amount = format_amount(one["amount_minor"], found.currency)
        columns = (amount, "") if one["direction"] == "CRDT" else ("", amount)
        table.add_row(one["at"], one["kind"], one["reference"], one["end_to_end_id"], *columns)
    return table
