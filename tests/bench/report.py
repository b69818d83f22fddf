"""The table and the file."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# What is held against the figures: (row, target as text, whether it is met).
_TARGETS: dict[str, tuple[str, Any]] = {
    "accepted_ratio": ("≥ 0.5", lambda value: value >= 0.5),
    "accepted_per_s": ("≥ 5,000", lambda value: value >= 5_000),
    "batch_ratio": ("≥ 0.3", lambda value: value >= 0.3),
    "completed_per_s": ("≥ 250", lambda value: value >= 250),
    "accept_p50_ms": ("< 15", lambda value: value < 15),
    "accept_p95_ms": ("< 50", lambda value: value < 50),
    "e2e_p50_ms": ("< 400", lambda value: value < 400),
}


def write(path: Path, results: dict[str, Any]) -> None:
    """`.kovra/bench.json`: an entry per engine, and `noise`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


def show(results: dict[str, Any], noise: list[dict[str, Any]]) -> None:
    """A row per figure, a column per engine, the target where there is one, and the machine's noise below."""
    engines = list(results)
    table = Table("figure", *engines, "target", title="make bench")
    rows = dict.fromkeys(name for engine in engines for name in results[engine])
    for name in rows:
        values = [results[engine].get(name) for engine in engines]
        if any(isinstance(value, dict) for value in values):
            continue
        text, met = _TARGETS.get(name, ("", None))
        table.add_row(name, *(_cell(value, met) for value in values), text)
    console = Console()
    console.print(table)
    for one in noise:
        console.print("machine: " + ", ".join(f"{name} {value}" for name, value in one.items()), style="dim")


def _cell(value: Any, met: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int | float) else str(value)
    if met is None:
        return text
    return f"[green]{text}[/]" if met(value) else f"[red]{text}[/]"
