"""`kovra trace tr_eu1_…`: one payment's journey across cells, step by step, as each cell's own record tells it; or that of each payment
which a request (`req_…`), quote, intent or batch has caused (trace_causes.py).

It runs on a machine that reaches the cells of the home folder. A cell that cannot be reached is named as such, and the rest is told:
an operator asks for a journey when something is wrong. Nothing about a person is read.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cells.kit.trace import trace_id
from cells.reconciliation.journey import Leg, crossings_of, leg_of
from cells.spec import CellSpec, home_path, load_spec
from cells.transfers.transfer import TransferNotFound
from residency.directory import load_directory
from residency.errors import KovraError
from residency.ids import parse
from router.cli.console import out, print_json
from router.cli.record import pool_of
from router.cli.trace_causes import Cause, cause_of, show_cause
from router.cli.trace_shown import show

Id = Annotated[
    str,
    typer.Argument(
        help="A payment's id (tr_…), or that of a request (req_…, the Kovra-Request-Id of its answer), quote (qt_…), intent (int_…) or batch"
        " (bat_…): then the payments that came of it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@dataclass
class Journey:
    """What was found: legs by cell in the order of the path, crossings of cells without a leg, and cells that did not answer."""

    transfer_id: str
    legs: list[Leg] = field(default_factory=list)
    turned_away: dict[str, tuple[dict[str, object], ...]] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "transfer_id": self.transfer_id,
            "trace_id": f"{trace_id(self.transfer_id):032x}",
            "at_rest": bool(self.legs) and not self.unreached and all(one.at_rest for one in self.legs),
            "legs": [one.as_json() for one in self.legs],
            "crossings_without_leg": self.turned_away,
            "unreached": self.unreached,
        }


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(subject_id: Id, as_json: Json = False) -> None:
    """Show one payment's journey through every room and cell. With times, postings, crossings, the rail and webhooks.

    Of a request, first what was called and what it was answered.

    Raises MalformedId, UnknownCell, TransferNotFound, RequestNotFound, NothingCaused.
    """
    kind = parse(subject_id, "tr", "req", "qt", "int", "bat").kind
    if kind == "tr":
        _tell(asyncio.run(follow(home_path(), subject_id)), as_json)
        return
    found, journeys = asyncio.run(_follow_all(home_path(), subject_id))
    if as_json:
        print_json(found.as_json() | {"payments": [one.as_json() for one in journeys]})
        return
    show_cause(found)
    for one in journeys:
        out.print(f"\n[bold]Payment {one.transfer_id}[/]")
        _tell(one, as_json)


async def _follow_all(home: Path, subject_id: str) -> tuple[Cause, list[Journey]]:
    found = await cause_of(home, subject_id)
    return found, [await follow(home, one) for one in found.payments]


def _tell(journey: Journey, as_json: bool) -> None:
    if as_json:
        print_json(journey.as_json())
    else:
        show(journey.legs, journey.turned_away, journey.unreached, trace_id(journey.transfer_id))


async def follow(home: Path, transfer_id: str) -> Journey:
    """Ask the payment's own cell, then the one that it was instructed to. Raises MalformedId, UnknownCell, TransferNotFound, and
    what a payment's only cell raises when it cannot be reached."""
    first = parse(transfer_id, "tr").cell
    load_directory(home).cell(first)
    journey = Journey(transfer_id)
    try:
        origin, _ = await _ask(load_spec(first, home), transfer_id)
        others = [] if origin is None or origin.leg == "in_region" else [origin.destination_cell]
    except KovraError as error:
        # Its peers may know: a destination's leg stands in its own record.
        origin, journey.unreached[first] = None, error.code
        others = [one for one in load_directory(home).cells if one != first]
    if origin is not None:
        journey.legs.append(origin)
    for name in others:
        await _add(journey, home, name)
    if not journey.legs and not journey.turned_away:
        reached = f" {first} did not answer ({journey.unreached[first]})." if first in journey.unreached else ""
        raise TransferNotFound(f"No cell that answered knows {transfer_id}.{reached}")
    return journey


async def _add(journey: Journey, home: Path, cell: str) -> None:
    try:
        leg, crossings = await _ask(load_spec(cell, home), journey.transfer_id)
    except KovraError as error:
        journey.unreached[cell] = error.code
        return
    if leg is not None:
        journey.legs.append(leg)
    elif crossings:
        journey.turned_away[cell] = crossings


async def _ask(spec: CellSpec, transfer_id: str) -> tuple[Leg | None, tuple[dict[str, object], ...]]:
    async with pool_of(spec) as pool:
        leg = await leg_of(spec, pool, transfer_id)
        return leg, () if leg is not None else await crossings_of(spec, pool, transfer_id)
