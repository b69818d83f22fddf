"""A CSV file for a batch: who pays and who is paid is registered where a line describes them, and the API gets their ids alone.

A line whose party is refused is sent without that party's id, so that the batch counts it and holds it for invalid; why, stands in `refused`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cells.batches.columns import COLUMNS, PERSONS, is_metadata
from cells.kit.csv_text import place_rows
from router.cli.parties import NoRegion, Parties, faults_of
from router.cli.payments_file import BatchRow, LineFault, Who, read_batch
from router.client import ProblemError

_AT_ONCE = 8


@dataclass(frozen=True)
class BatchFile:
    """`content`: as the API takes it. `refused`: by line of the file, what is wrong with its parties."""

    content: bytes
    refused: Mapping[int, tuple[LineFault, ...]]


def described(content: bytes) -> list[BatchRow] | None:
    """The lines of a file that describes a payer or a recipient; None of one that has ids alone. Raises FileInvalid."""
    rows = read_batch(content)
    return rows if any(name in row.row.cells for row in rows for name in PERSONS) else None


async def with_ids(rows: list[BatchRow], parties: Parties, currency: str) -> BatchFile:
    """The same lines with ids; `currency`: of the wallet that pays. Raises ProblemError where it is worth another try, Unreachable: then
    nothing was sent but registrations, which a repeat finds again."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(row: BatchRow) -> tuple[BatchRow, tuple[LineFault, ...]]:
        async with slots:
            return await _registered(row, parties, currency)

    done = await asyncio.gather(*(one(row) for row in rows))
    refused = {row.row.line: faults for row, faults in done if faults}
    free = {name for row in rows for name in row.row.cells if is_metadata(name)}
    columns = [name for name in (*COLUMNS, *sorted(free)) if name not in PERSONS]
    text = place_rows(columns, (replace(row.row, cells=_cells(row)) for row, _ in done))
    return BatchFile(text.encode(), refused)


async def _registered(row: BatchRow, parties: Parties, currency: str) -> tuple[BatchRow, tuple[LineFault, ...]]:
    """The line with ids and without faults, or without a recipient and with them."""
    if row.faults:
        return replace(row, recipient=""), row.faults
    if row.row.cells.get("source_currency", currency) != currency:
        # The API refuses the line for it, so nobody is registered for it.
        return replace(row, payer=_id(row.payer), recipient=_id(row.recipient)), ()
    faults: list[LineFault] = []
    payer = recipient = ""
    try:
        payer = await parties.payer(row.payer, currency)
    except (ProblemError, NoRegion) as error:
        faults += _faults(error, "payer")
    try:
        recipient = await parties.recipient(row.recipient, row.row.cells.get("target_currency", ""))
    except (ProblemError, NoRegion) as error:
        faults += _faults(error, "recipient")
    return replace(row, payer=payer, recipient="" if faults else recipient), tuple(faults)


def _faults(error: ProblemError | NoRegion, who: str) -> list[LineFault]:
    if isinstance(error, NoRegion):
        return [LineFault(error.code, error.detail, "target_currency" if who == "recipient" else "source_currency")]
    if error.problem.retryable:
        raise error
    return faults_of(error.problem, who)


def _id(who: Who) -> str:
    return who if isinstance(who, str) else ""


def _cells(row: BatchRow) -> dict[str, str]:
    kept = {name: value for name, value in row.row.cells.items() if name not in PERSONS}
    return kept | {"payer_id": _id(row.payer), "recipient_id": _id(row.recipient)}
