"""`kovra messages tr_…`: every message that went to a scheme or came from one about a payment, for whoever may look.

Shown are types, times and digests. `--show` opens the messages with the region's keys: personal data, so the look is on the audit
trail before anything is shown.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cells.audit.entry import code_of
from cells.kit.operator import operator_actor
from cells.rails import store_messages
from cells.rails.rail import end_to_end_id
from cells.rails.store_messages import KeptMessage
from cells.spec import CellSpec, home_path
from router.cli.console import print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells
from router.cli.record import changing_of, institution_of, reading_of
from router.cli.tables import Listing, show_table

Id = Annotated[
    str, typer.Argument(help="A payment (tr_…), a credit (col_…), an order (ord_…) or a scheme's reference.")
]
Show = Annotated[bool, typer.Option("--show", help="Open the messages. The look is recorded on the audit trail.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Found = list[tuple[str, KeptMessage, bytes | None]]


def register(app: typer.Typer) -> None:
    app.command()(messages)


def messages(about: Id, show: Show = False, operator: Operator = "", as_json: Json = False) -> None:
    """Show the messages about a payment as they were on the wire. From the cells of this machine."""
    found = asyncio.run(look(home_path(), about, acting(operator) if show else ""))
    if as_json:
        print_json([_as_json(*one) for one in found])
        return
    table = Listing("cell", "at", "rail", "direction", "message", "sha256")
    for cell, one, _ in found:
        table.add_row(
            cell, f"{one.at:%Y-%m-%d %H:%M:%S.%f}", one.rail, one.direction, one.message_type, one.sha256.hex()
        )
    show_table(table, f"No cell of this machine has a message about {escape(about)}.")
    for _, one, body in found if show else ():
        print_plain(f"\n{one.direction} {one.message_type} {one.sha256.hex()[:16]}")
        print_plain("erased" if body is None else body.decode())


async def look(home: Path, about: str, who: str) -> Found:
    """What each cell of the home folder has; the bodies only if somebody (`who`) is to see them, and on record first."""
    names = list(dict.fromkeys((about, end_to_end_id(about), about.replace("_", ""))))
    found: Found = []
    for spec in all_cells(home):
        found += await _look_in(spec, about, names, who)
    return found


async def _look_in(spec: CellSpec, about: str, names: list[str], who: str) -> Found:
    async with institution_of(spec) as institution:
        async with reading_of(institution.pool) as connection:
            kept = await store_messages.about(connection, spec.region, names)
        if not who or not kept:
            return [(spec.name, one, None) for one in kept]
        async with changing_of(institution.pool, spec, operator_actor(who)) as change:
            await change.record("messages.show", code_of(about), outcome=str(len(kept)))
        bodies = store_messages.open_messages(institution.vault, kept)
        return [(spec.name, one, body) for one, body in zip(kept, bodies, strict=True)]


def _as_json(cell: str, one: KeptMessage, body: bytes | None) -> dict[str, object]:
    shown = {"body": body.decode()} if body is not None else {}
    return {
        "cell": cell,
        "at": one.at,
        "rail": one.rail,
        "direction": one.direction,
        "message": one.message_type,
        "sha256": one.sha256.hex(),
        "erased": one.sealed is None,
        **shown,
    }
