"""The lifecycle, drawn from its own table into this folder's README: `python -m cells.payments.drawing` writes it anew."""

from pathlib import Path

from cells.kit import drawn
from cells.payments.machine import FINAL, INITIAL, TABLE, Leg, public

README = Path(__file__).with_name("README.md")
_TITLES = {
    Leg.ORIGIN: "The payer's cell, across a border",
    Leg.DESTINATION: "The cell that pays out",
    Leg.IN_REGION: "Both in one cell",
}


def drawing() -> str:
    """One diagram and one table for each leg, as Markdown."""
    return "\n".join(_leg(leg) for leg in Leg)


def redrawn(text: str) -> str:
    """`text` with what stands between the two markers drawn anew."""
    return drawn.redrawn(text, "machine.py", drawing())


def _leg(leg: Leg) -> str:
    rows = [(state, event, advance) for (a_leg, state, event), advance in TABLE.items() if a_leg is leg]
    arrows = [f"    {state} --> {advance.state}: {event}" for state, event, advance in rows]
    reached = {advance.state for _, _, advance in rows}
    ends = [f"    {state} --> [*]" for state in sorted(FINAL & reached)]
    lines = [
        f"### `{leg}`: {_TITLES[leg]}\n",
        "```mermaid\nstateDiagram-v2\n    direction LR",
        f"    [*] --> {INITIAL[leg]}",
        *arrows,
        *ends,
        "```\n",
        "| state | shown as | event | next | effects |\n|---|---|---|---|---|",
        *(
            f"| {state} | {public(state)} | {event} | {advance.state} | {', '.join(advance.effects) or '-'} |"
            for state, event, advance in rows
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    README.write_text(redrawn(README.read_text()))
