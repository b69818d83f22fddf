"""`kovra audit`: the trail of a cell as a file that anybody can check with the published keys."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from cells.audit import store
from cells.audit.store import Span
from cells.kit.operator import operator_actor
from cells.spec import CellSpec, home_path
from residency.errors import KovraError
from router.cli.choices import moment
from router.cli.console import animated, err, print_json
from router.cli.operator import Operator, acting
from router.cli.provisioning import chosen_cells
from router.cli.record import changing, reading

CellName = Annotated[str, typer.Argument(metavar="CELL", help="Whose trail, such as eu-1.")]
File = Annotated[Path, typer.Argument(help="The file to write; it must not exist.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_OWNER_ONLY = 0o600
_SHOWN_EVERY = 1_000


class FileThere(KovraError):
    code = "file-there"
    title = "The file cannot be made"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The audit trail: export.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("export")(export)
    app.add_typer(group, name="audit")


def export(
    cell: CellName,
    file: File,
    *,
    since: Annotated[str, typer.Option("--from", help="From when (RFC 3339); the beginning by default.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until before when; now by default.")] = "",
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Write a cell's entries of a period, with the chain's hashes and the signed checkpoints, as JSON lines.

    The file ends with the first checkpoint after that period, which covers all its entries. The export is itself on the trail. Check
    the file by `python -m cells.audit FILE directory.json`.
    """
    who = acting(operator)
    if file.exists():
        raise FileThere(f"{file} is there already.")
    [spec] = chosen_cells(home_path(), cell)
    beginning = moment(since) if since else datetime.min.replace(tzinfo=UTC)
    end = moment(until) if until else datetime.now(UTC)
    found = asyncio.run(_export(spec, file, (beginning, end), who))
    if json:
        told = {"cell": spec.name, "first": found.after + 1, "last": found.through, "signed_through": found.signed}
        print_json({**told, "file": str(file)})
    elif found.through == found.after:
        err.print(f"{spec.name} has no entry of that time; {file} has its head alone.", markup=False)
    else:
        err.print(f"{file}: entries {found.after + 1} to {found.through} of {spec.name}.", markup=False, soft_wrap=True)
    if found.signed < found.through:
        err.print(f"Entries from {max(found.signed, found.after) + 1} on are not signed yet; export again in a minute.")


async def _export(spec: CellSpec, file: Path, times: tuple[datetime, datetime], who: str) -> Span:
    """Raises FileThere, StoreUnavailable. What was begun and not finished is removed."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except OSError as error:
        raise FileThere(f"{partial}: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            async with changing(spec, operator_actor(who)) as change:
                found = await store.span(change.connection, spec.region, spec.name, *times)
                await change.record("audit.export", f"{found.after}-{found.through}")
            with Progress(console=err, transient=True, disable=not animated()) as bar:
                task = bar.add_task(f"{spec.name}", total=found.through - found.after)
                async with reading(spec) as connection:
                    number = 0
                    async for line in store.export(
                        connection, spec.region, spec.name, after_sequence=found.after, through=found.through
                    ):
                        out.write(f"{line}\n")
                        number += 1
                        if number % _SHOWN_EVERY == 0:
                            bar.update(task, advance=_SHOWN_EVERY)
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return found
