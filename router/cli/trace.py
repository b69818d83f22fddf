"""`kovra trace tr_eu1_…`: one payment's journey across cells, step by step, as each cell's own record tells it; or that of each payment
which a request (`req_…`), quote, intent or batch has caused (trace_causes.py).

It runs on a machine that reaches the cells of the home folder. A cell that cannot be reached is named as such, and the rest is told:
an operator asks for a journey when something is wrong. Nothing about a person is read.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cells.payments.transfer import TransferNotFound
from cells.reconciliation.journey import Leg, crossings_of, leg_of
from cells.reconciliation.whole_journey import Journey
from cells.spec import CellSpec, home_path, load_spec
from residency.directory import load_directory
from residency.errors import KovraError
from residency.ids import parse
from router.cli.console import out, print_json
from router.cli.record import pool_of
from router.cli.trace_causes import LIVING, Cause, cause_of, show_cause
from router.cli.trace_shown import show

Id = Annotated[
    str,
    typer.Argument(
        help="A payment's id (tr_…), or that of a request (req_…, the Kovra-Request-Id of its answer), quote (qt_…), intent (int_…) or batch"
        " (bat_…): then the payments that came of it. Of a batch, a credit (col_…), a return (ret_…), a resolution (ord_…), a recall (rcl_…), a"
        " sub-wallet (wal_…) or a transfer between own wallets (bok_…) also what happened to it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
VerifyCustoms = Annotated[
    bool,
    typer.Option(
        "--verify-customs", help="Verify the customs logs of the payment's cells from their first entries, too."
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(subject_id: Id, as_json: Json = False, verify_customs: VerifyCustoms = False) -> None:
    """Show one payment's journey through every component and cell. With its price, times, postings, accounts, crossings, the rail and webhooks.

    For a request: first its route and its answer, then its payments.
    """
    kind = parse(subject_id, "tr", "req", "qt", "int", *LIVING).kind
    if kind == "tr":
        journey = asyncio.run(follow(home_path(), subject_id, verify_customs=verify_customs))
        if as_json:
            print_json(journey.as_json())
        else:
            show(journey)
        return
    found, journeys = asyncio.run(_follow_all(home_path(), subject_id, verify_customs))
    if as_json:
        print_json(found.as_json() | {"payments": [one.as_json() for one in journeys]})
        return
    show_cause(found)
    for one in journeys:
        out.print(f"\n[bold]Payment {one.transfer_id}[/]")
        show(one)


async def _follow_all(home: Path, subject_id: str, verify_customs: bool) -> tuple[Cause, list[Journey]]:
    found = await cause_of(home, subject_id)
    return found, [await follow(home, one, verify_customs=verify_customs) for one in found.payments]


async def follow(home: Path, transfer_id: str, *, verify_customs: bool = False) -> Journey:
    """Ask the payment's own cell, then the one that it was instructed to. Raises MalformedId, UnknownCell, TransferNotFound, and
    what a payment's only cell raises when it cannot be reached."""
    first = parse(transfer_id, "tr").cell
    load_directory(home).cell(first)
    journey = Journey(transfer_id)
    try:
        origin, _ = await _ask(load_spec(first, home), transfer_id, verify_customs)
        others = [] if origin is None or origin.leg == "in_region" else [origin.destination_cell]
    except KovraError as error:
        # Its peers may know: a destination's leg stands in its own record.
        origin, journey.unreached[first] = None, error.code
        others = [one for one in load_directory(home).cells if one != first]
    if origin is not None:
        journey.legs.append(origin)
    for name in others:
        await _add(journey, home, name, verify_customs)
    if not journey.legs and not journey.turned_away:
        reached = f" {first} did not answer ({journey.unreached[first]})." if first in journey.unreached else ""
        raise TransferNotFound(f"No cell that answered knows {transfer_id}.{reached}")
    return journey


async def _add(journey: Journey, home: Path, cell: str, verify_customs: bool) -> None:
    try:
        leg, crossings = await _ask(load_spec(cell, home), journey.transfer_id, verify_customs)
    except KovraError as error:
        journey.unreached[cell] = error.code
        return
    if leg is not None:
        journey.legs.append(leg)
    elif crossings:
        journey.turned_away[cell] = crossings


async def _ask(
    spec: CellSpec, transfer_id: str, verify_customs: bool
) -> tuple[Leg | None, tuple[dict[str, object], ...]]:
    async with pool_of(spec) as pool:
        leg = await leg_of(spec, pool, transfer_id, verify_customs=verify_customs)
        return leg, () if leg is not None else await crossings_of(spec, pool, transfer_id)
