"""The table of postings, drawn into this folder's README: `python -m cells.ledger.drawing` writes it anew."""

from itertools import groupby
from pathlib import Path

from cells.kit import drawn
from cells.ledger.codes import Leg, Phase
from cells.ledger.life import Account
from cells.ledger.postings import CHAINS, TABLE, Action, Row

README = Path(__file__).with_name("README.md")
_TITLES = {
    Leg.CREDIT: "Money arrives at a rail",
    Leg.ORIGIN: "A payment across a border, in the paying cell",
    Leg.DESTINATION: "… and in the cell that pays out",
    Leg.IN_REGION: "A payment within one region and currency",
    Leg.LOSS: "Paid although the money had been given back",
    Leg.RETURN: "A return after completion",
    Leg.RESOLUTION: "What is decided of a credit: assigned to a wallet, or returned",
    Leg.INTERNAL_TRANSFER: "Between a tenant's own wallets",
    Leg.BATCH: "A batch, beside its lines' payments",
    Leg.HOUSE: "What a peer may owe",
}
_WORD = {Phase.DIRECT: "", Phase.HOLD: "pending ", Phase.POST: "post ", Phase.VOID: "void "}


def drawing() -> str:
    """One diagram and two tables for each leg, as Markdown."""
    return "\n".join(_leg(leg) for leg in _TITLES)


def redrawn(text: str) -> str:
    """`text` with what stands between the two markers drawn anew."""
    return drawn.redrawn(text, "postings.py", drawing())


def chain_in_words(leg: Leg, action: Action) -> str:
    """`post D1, D3 · D2 PO → RAIL`: what becomes of each row of a chain, in order; what moves money at once with its accounts."""
    return " · ".join(
        _WORD[phase] + ", ".join(_moves(row) if phase is Phase.DIRECT else row.step.name for row, _ in several)
        for phase, several in groupby(CHAINS[leg, action], key=lambda part: part[1])
    )


def row_in_words(row: Row) -> str:
    """`S1 W → FX principal (source)`; where a leg has one currency alone, without it."""
    both = len({one.currency for one in TABLE if one.leg is row.leg}) > 1
    return f"{_moves(row)} {row.amount.name}{f' ({row.currency})' if both else ''}"


def _moves(row: Row) -> str:
    return f"{row.step.name} {row.debit.name} → {row.credit.name}"


def _leg(leg: Leg) -> str:
    rows = [row for row in TABLE if row.leg is leg]
    return "\n".join([
        f"### `{leg.name}`: {_TITLES[leg]}\n",
        "```mermaid\nflowchart LR",
        *(f"    {_node(row, row.debit)} -->|{row.step.name}| {_node(row, row.credit)}" for row in rows),
        "```\n",
        "| posting: Dr → Cr, amount | code |\n|---|---|",
        *(f"| {row_in_words(row)} | {row.code.name} |" for row in rows),
        "\n| asked | chain |\n|---|---|",
        *(f"| {action} | {chain_in_words(leg, action)} |" for action in Action if (leg, action) in CHAINS),
        "",
    ])  # fmt: skip


def _node(row: Row, account: Account) -> str:
    """An account; the FX position has one in each currency, and an internal transfer two wallets."""
    if account.name == "FX":
        return f'FX_{row.currency}["FX ({row.currency})"]'
    if row.leg is Leg.INTERNAL_TRANSFER and account is row.credit:
        return 'W_other["W, another"]'
    return f'{account.name.replace(" ", "_")}["{account.name}"]'


if __name__ == "__main__":
    README.write_text(redrawn(README.read_text()))
