"""`kovra doctor`: what is wrong in each cell, from its host and its record; and the release of what a worker has set aside.

Exit status 1 when something wants a person: a host or a record that does not answer, a worker that fails, an item set aside, or
contradictory answers of a scheme. What merely waits is shown, and is no failure.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from cells.audit.entry import code_of
from cells.backends import store_aside
from cells.backends.postgres import StoreUnavailable
from cells.backends.store_aside import SetAside
from cells.kit.money import amount_text, money
from cells.kit.operator import operator_actor
from cells.reconciliation import store_gauges
from cells.reconciliation.store_held import Held, held
from cells.spec import CellSpec, home_path
from residency.errors import KovraError
from router.cli.actors import Cell, Json
from router.cli.console import err, out, print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import chosen_cells
from router.cli.record import changing, reading
from router.cli.tables import Listing

_TIMEOUT_S = 5.0
_A_MINUTE_S, _AN_HOUR_S, _A_DAY_S = 60, 3600, 86_400


class NotSetAside(KovraError):
    """`kovra doctor` lists what is."""

    code = "not-set-aside"
    status = 404
    title = "No worker has set that aside"


@dataclass
class Diagnosis:
    """One cell. `faults` want a person; `waiting` is what has not ended yet, with the age of the oldest in seconds."""

    faults: list[str] = field(default_factory=list)
    aside: list[tuple[SetAside, Held | None]] = field(default_factory=list)
    waiting: list[tuple[str, int, float]] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return not self.faults and not self.aside


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Show what is wrong in each cell; release what is set aside.", invoke_without_command=True)
    group.callback()(doctor)
    group.command()(release)
    app.add_typer(group, name="doctor")


def doctor(context: typer.Context, cell: Cell = None, json: Json = False) -> None:
    """Show what is wrong in each cell; release what is set aside.

    Workers that fail, what they could not read or process and have set aside, and what waits. Exit status 1 when something wants a person.
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(_examine(chosen_cells(home_path(), cell or "")))
    if json:
        print_json({"cells": {name: _as_json(one) for name, one in found.items()}})
    else:
        _show(found)
    if not all(one.well for one in found.values()):
        raise typer.Exit(1)


def release(
    item: Annotated[str, typer.Argument(help="What was set aside, by its id as `kovra doctor` shows it.")],
    worker: Annotated[str | None, typer.Option("--worker", help="For this worker alone; for all by default.")] = None,
    cell: Cell = None,
    operator: Operator = "",
) -> None:
    """Try a set-aside item again at once, after its cause is mended. It is set aside again if it still fails."""
    who = acting(operator)
    released = asyncio.run(_release(chosen_cells(home_path(), cell or ""), item, worker, who))
    if not released:
        raise NotSetAside(f"Nothing that is called {item} is set aside.")
    for name, one in released:
        print_plain(f"{one.worker} of {name} tries {one.item_id} again at its next look, within a minute.")


async def _examine(specs: Iterable[CellSpec]) -> dict[str, Diagnosis]:
    chosen = list(specs)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
        found = await asyncio.gather(*(_diagnose(http, spec) for spec in chosen))
    return {spec.name: one for spec, one in zip(chosen, found, strict=True)}


async def _diagnose(http: httpx.AsyncClient, spec: CellSpec) -> Diagnosis:
    told = Diagnosis()
    await _ask_host(http, spec, told)
    try:
        await _read_record(spec, told)
    except StoreUnavailable as error:
        told.faults.append(f"its record does not answer ({error.code})")
    return told


async def _ask_host(http: httpx.AsyncClient, spec: CellSpec, told: Diagnosis) -> None:
    listen = spec.settings.host
    try:
        answer = (await http.get(f"http://{listen.host}:{listen.port}/healthz")).json()
    except (httpx.HTTPError, ValueError) as error:
        told.faults.append(f"its host does not answer ({type(error).__name__})")
        return
    if not answer["actors_ensured"]:
        told.faults.append("its actors are not all there")
    for name, one in answer["workers"].items():
        if one["state"] != "running":
            told.faults.append(f"worker {name} is {one['state']}: {one['last_failure']}")


async def _read_record(spec: CellSpec, told: Diagnosis) -> None:
    region = spec.region
    async with reading(spec) as connection:
        aside = await store_aside.aside(connection, region)
        amounts = await held(connection, region, [_about(one) for one in aside])
        told.aside = [(one, amounts.get(_about(one))) for one in aside]
        for leg in await store_gauges.moving_legs(connection, region):
            told.waiting.append((f"{leg.leg} legs {leg.state}", leg.count, leg.oldest_s))
        for peer in await store_gauges.open_envelopes(connection, region):
            told.waiting.append((f"envelopes to {peer.peer}", peer.count, peer.oldest_s))
        for rail in await store_gauges.open_submissions(connection, region):
            if rail.in_doubt:
                told.waiting.append((f"payments in doubt at {rail.rail}", rail.in_doubt, rail.in_doubt_s))
        for name, one in (
            ("webhook deliveries", await store_gauges.pending_deliveries(connection, region)),
            ("credits to be booked", await store_gauges.open_collections(connection, region)),
        ):
            if one.count:
                told.waiting.append((name, one.count, one.oldest_s))
        for (name, kind), count in (await store_gauges.contradictions(connection, region)).items():
            told.faults.append(f"{name}: {count} payments {kind.replace('_', ' ')}; `kovra reconcile` shows the books")


async def _release(specs: Iterable[CellSpec], item: str, worker: str | None, who: str) -> list[tuple[str, SetAside]]:
    released: list[tuple[str, SetAside]] = []
    for spec in specs:
        async with changing(spec, operator_actor(who)) as change:
            found = await store_aside.release(change.connection, spec.region, item, worker)
            for one in found:
                await change.record("doctor.release", code_of(item), outcome=one.worker)
            change.unchanged = not found
        released += [(spec.name, one) for one in found]
    return released


def _about(one: SetAside) -> str:
    """The payment, batch or credit that an item is or begins with."""
    return one.item_id.partition(":")[0]


def _show(found: dict[str, Diagnosis]) -> None:
    table = Listing("cell", "worker", "set aside", "why", "since", "tries", "next", "holds", right=["tries", "holds"])
    for name, told in found.items():
        if told.well:
            err.print(f"[green]{name}[/]: well")
        for fault in told.faults:
            err.print(f"[red]{name}[/]: {escape(fault)}", soft_wrap=True)
        for one, held_now in told.aside:
            holds = amount_text(held_now.amount, held_now.currency) if held_now else ""
            times = (f"{one.since:%Y-%m-%d %H:%M}", str(one.attempts), f"{one.retry_at:%H:%M:%S}")
            table.add_row(name, one.worker, one.item_id, escape(one.reason), *times, holds)
    if table:
        out.print(table)
        err.print(
            "Mend what is wrong with an item, then `kovra doctor release` it; it is tried again by itself, too, later each time."
        )
    waits = Listing("cell", "what waits", "how many", "oldest", right=["how many", "oldest"])
    for name, told in found.items():
        for what, count, oldest_s in told.waiting:
            waits.add_row(name, what, str(count), _age(oldest_s))
    if waits:
        out.print(waits)


def _age(seconds: float) -> str:
    for unit, size in (("d", _A_DAY_S), ("h", _AN_HOUR_S), ("min", _A_MINUTE_S)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _as_json(told: Diagnosis) -> dict[str, Any]:
    return {
        "well": told.well,
        "faults": told.faults,
        "set_aside": [
            {
                **asdict(one),
                "holds": {"state": held_now.state, "amount": money(held_now.amount, held_now.currency)}
                if held_now
                else None,
            }
            for one, held_now in told.aside
        ],
        "waiting": [{"what": what, "count": count, "oldest_s": oldest_s} for what, count, oldest_s in told.waiting],
    }
