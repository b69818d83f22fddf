"""`kovra batch`: a file of payments as one batch; how far it is; what became of each line."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from residency.errors import KovraError
from router.cli.batch_file import BatchFile, described, with_ids
from router.cli.console import out, print_json
from router.cli.parties import Parties, all_of
from router.cli.pay import COLUMNS_HELP, Json, Key, Url, reach, regions_of
from router.cli.tables import Listing, show_table
from router.client import KovraClient
from router.client.batches import KINDS, Batch, BatchFault, BatchLine

File = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, readable=True, help="The batch: .json, .csv, or .xml for pain.001."),
]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The id of a batch, bat_….")]
Wallet = Annotated[
    str | None,
    typer.Option("--wallet", help="The wallet that pays; required for CSV. JSON and pain.001 name it themselves."),
]
Payer = Annotated[str | None, typer.Option("--payer", help="The payer of lines that name none; pain.001 needs it.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        formats=["%Y-%m-%dT%H:%M:%S%z"],
        help="Do not pay before this time; replaces the execution date of pain.001.",
    ),
]
Whole = Annotated[bool, typer.Option("--all-or-nothing", help="Pay no line if one cannot be paid.")]
Repeats = Annotated[
    str | None,
    typer.Option("--repeats", metavar="BATCH", help="The batch that the same pain.001 made before: pay it once more."),
]
Region = Annotated[str | None, typer.Option("--region", help="The region of the wallet; the key's home by default.")]
Status = Annotated[str | None, typer.Option("--status", help="Only lines of this status, such as INVALID or REFUNDED.")]


_HELP = f"""Send a file as one batch. The same file with the same options makes no second batch: it shows the first.

A CSV file may describe who pays and who is paid, as for `kovra pay`: they are registered first, each in its own region, and the batch gets
their ids. A line whose payer or recipient is refused is invalid in the batch, and its reason is shown here.

Columns of CSV, the same as of `kovra pay`:

{COLUMNS_HELP}"""


class WalletUnnamed(KovraError):
    code = "wallet-unnamed"
    title = "A CSV file has no place for the wallet that pays"


class FileUnknown(KovraError):
    code = "file-unknown"
    title = "The file's name ends neither in .json nor in .csv nor in .xml"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Pay a whole file as one batch: submit, show, lines.", no_args_is_help=True)
    group.command(help=_HELP)(submit)
    for command in (show, lines):
        group.command()(command)
    app.add_typer(group, name="batch")


def submit(
    file: File, *, wallet: Wallet = None, payer: Payer = None, at: At = None, all_or_nothing: Whole = False,
    repeats: Repeats = None, region: Region = None, url: Url = None, key: Key = None, json: Json = False,
) -> None:  # fmt: skip
    kind, content = KINDS.get(file.suffix.lower()), file.read_bytes()
    if kind is None:
        raise FileUnknown
    if kind == KINDS[".csv"] and wallet is None:
        raise WalletUnnamed("Name it by --wallet; GET /v1/wallets lists yours.")
    asked = {
        "source_wallet_id": wallet,
        "payer_id": payer,
        "scheduled_for": None if at is None else at.isoformat(),
        "all_or_nothing": "true" if all_or_nothing else None,
        "repeats": repeats,
    }
    parameters = {name: value for name, value in asked.items() if value is not None}
    same = hashlib.sha256(repr((file.name, sorted(parameters.items()))).encode() + content).hexdigest()
    door = reach(url, key)

    rows = described(content) if kind == KINDS[".csv"] else None

    async def send() -> tuple[Batch, list[BatchLine], BatchFile]:
        async with KovraClient(*door) as client:
            sent = BatchFile(content, {})
            if rows is not None and wallet is not None:
                parties = Parties(client, file.name, await regions_of(client))
                sent = await with_ids(rows, parties, (await client.wallets.get(wallet)).currency)
            taken = await client.batches.submit(sent.content, kind, key=same, region=region, **parameters)
            return taken, [one async for one in client.batches.lines(taken.id, status="INVALID")], sent

    taken, invalid, sent = asyncio.run(send())
    reasons = {line: BatchFault(code=found[0].code, detail=all_of(found)) for line, found in sent.refused.items()}
    if json:
        refused = [{"file_line": line, **one.model_dump(include={"code", "detail"})} for line, one in reasons.items()]
        print_json(taken.model_dump(mode="json") | {"refused": refused})
        return
    _told(taken, json=False)
    if invalid:
        _listed([_explained(one, reasons) for one in invalid])


def _explained(one: BatchLine, reasons: Mapping[int, BatchFault]) -> BatchLine:
    """An invalid line, with why its parties were refused in place of the id that it lacks for that."""
    found = None if one.file_line is None else reasons.get(one.file_line)
    return one if found is None else one.model_copy(update={"error": found})


def show(batch: BatchId, *, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Show a batch: its status, and its lines by status."""
    door = reach(url, key)

    async def get() -> Batch:
        async with KovraClient(*door) as client:
            return await client.batches.get(batch)

    _told(asyncio.run(get()), json=json)


def lines(batch: BatchId, *, status: Status = None, url: Url = None, key: Key = None, json: Json = False) -> None:
    """List every line with its outcome."""
    door = reach(url, key)

    async def get() -> list[BatchLine]:
        async with KovraClient(*door) as client:
            return [one async for one in client.batches.lines(batch, status=status)]

    found = asyncio.run(get())
    if json:
        print_json({"lines": [one.model_dump(mode="json") for one in found]})
        return
    _listed(found)


def _listed(found: Sequence[BatchLine]) -> None:
    right = ("line", "in file", "leaves", "arrives")
    table = Listing("line", "in file", "status", "transfer", "leaves", "arrives", "reason", right=right)
    for one in found:
        reason = one.reason_code or "" if one.error is None else f"{one.error.code} {one.error.detail}"
        table.add_row(
            str(one.line), str(one.file_line or ""), one.status, one.transfer_id or "", str(one.source or ""),
            str(one.target or ""), escape(reason),
        )  # fmt: skip
    show_table(table, "The batch has no such line.")


def _told(found: Batch, *, json: bool) -> None:
    if json:
        print_json(found.model_dump(mode="json"))
        return
    out.print(
        f"{found.id}  [bold]{found.status}[/]  {found.lines} line{'' if found.lines == 1 else 's'}, {found.format}"
    )
    told = (("at", found.scheduled_for), ("set aside", found.funding), ("came back", found.remainder))
    for name, value in told:
        if value is not None:
            out.print(f"{name}: {value}")
    if found.error is not None:
        out.print(f"[red]{found.error.code}[/]: {escape(found.error.detail)}")
    table = Listing("status", "lines", "leaves", right=("lines", "leaves"))
    for one in found.progress:
        table.add_row(one.status, str(one.lines), str(one.source))
    show_table(table, "None of its lines has a status yet.")
