"""One payment's journey, as each cell's own record tells it: steps, postings, crossings, the rail, the partner's webhooks.

Everything is read from what the cell keeps anyway, so a payment under way and one of last year are told alike. No field here is
personal: parties appear nowhere, texts that other hands wrote are not read, and of what crossed sealed only the names of fields.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cells.backends.postgres import Connection, Pool, Record, transaction
from cells.customs import store as customs
from cells.customs.chain import CustomsEntry
from cells.journal.entry import Entry as Line
from cells.kit.money import money
from cells.ledger.chart import CURRENCY_OF_LEDGER, AccountType, rail_numbers, read_account_id
from cells.ledger.codes import Code
from cells.ledger.entry import PostingFlag, PostingResult
from cells.reconciliation import store_journey
from cells.spec import CellSpec
from cells.transfers import store, store_stream
from cells.transfers.machine import FINAL
from cells.transfers.stream import states
from cells.transfers.transfer import Transfer
from cells.transfers.watch import minted_at
from residency.directory import Directory
from residency.ids import compact, encode

# Clocks of two processes, and an event minted before its commit.
_SLACK = timedelta(minutes=2)
_PHASES = (
    (PostingFlag.POST_PENDING, "post"),
    (PostingFlag.VOID_PENDING, "void"),
    (PostingFlag.PENDING, "pending"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a leg's stream; `room`: who wrote it; `ms`: since the entry before it, or for an origin's first since the door minted the
    id."""

    version: int
    event: str
    state: str
    room: str
    at: datetime
    ms: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting: accounts by kind and not by owner, the amount as money (None: all of its hold), and what the ledger said."""

    effect: str
    attempt: int
    kind: str
    debit: str
    credit: str
    amount: dict[str, str] | None
    phase: str
    state: str
    result: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Back:
    """One return, as this cell has it: `amount` came back of the payout, `credited` of it went to the wallet, in its currency."""

    number: int
    attempt: int
    rail: str
    scheme_reference: str
    amount: dict[str, str]
    credited: dict[str, str]
    reason_code: str
    state: str
    received_at: datetime
    booked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leg:
    """What one cell has of the payment."""

    cell: str
    leg: str
    state: str
    rail: str
    origin_cell: str
    destination_cell: str
    at_rest: bool
    in_doubt: bool
    reason_code: str | None
    scheme_reference: str | None
    steps: tuple[Step, ...]
    postings: tuple[Entry, ...]
    crossings: tuple[dict[str, object], ...]
    submission: dict[str, Any] | None
    returns: tuple[Back, ...]
    deliveries: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def leg_of(spec: CellSpec, pool: Pool, transfer_id: str) -> Leg | None:
    """The cell's leg of a payment, as of one instant; None where it knows nothing of it. Raises StoreUnavailable."""
    async with transaction(pool) as connection:
        found = await store.read(connection, spec.region, [transfer_id])
        transfer = found.get(transfer_id)
        return None if transfer is None else await _told(connection, spec, transfer)


async def crossings_of(spec: CellSpec, pool: Pool, transfer_id: str) -> tuple[dict[str, object], ...]:
    """The customs entries of a payment in a cell that may have no leg of it: an instruction that was refused at its border."""
    async with transaction(pool) as connection:
        return tuple(_crossing(one) for one in await customs.log_of_transfer(connection, spec, transfer_id))


async def _told(connection: Connection, spec: CellSpec, transfer: Transfer) -> Leg:
    region, transfer_id = spec.region, transfer.transfer_id
    lines = await store_stream.stream(connection, region, transfer_id)
    born_here = str(transfer.leg) != "destination"
    submission = await store_journey.submission_of(connection, region, transfer_id)
    bounds = _event_bounds(spec, lines[0].at, lines[-1].at)
    return Leg(
        cell=spec.name,
        leg=str(transfer.leg),
        state=str(transfer.state),
        rail=transfer.rail,
        origin_cell=transfer.origin_cell,
        destination_cell=transfer.destination_cell,
        at_rest=transfer.state in FINAL,
        in_doubt=transfer.in_doubt,
        reason_code=transfer.reason_code,
        scheme_reference=transfer.scheme_reference,
        steps=steps_of(lines, minted_at(transfer_id) if born_here else None),
        postings=tuple(
            _entry(row, spec.directory) for row in await store_journey.postings_of(connection, region, transfer_id)
        ),
        crossings=tuple(_crossing(one) for one in await customs.log_of_transfer(connection, spec, transfer_id)),
        submission=None if submission is None else dict(submission),
        returns=tuple(
            _back(row, transfer.source_currency)
            for row in await store_journey.returns_of(connection, region, transfer_id)
        ),
        deliveries=tuple(
            dict(row) for row in await store_journey.deliveries_of(connection, region, transfer_id, *bounds)
        ),
    )


def steps_of(lines: Sequence[Line], asked_at: datetime | None) -> tuple[Step, ...]:
    """The entries of a leg's stream, each with the time since the one before. Pure."""
    steps: list[Step] = []
    before = asked_at
    for line, state in zip(lines, states(lines), strict=True):
        ms = None if before is None else round((line.at - before).total_seconds() * 1000, 3)
        steps.append(Step(line.version, line.event, str(state), line.by, line.at, ms))
        before = line.at
    return tuple(steps)


def _event_bounds(spec: CellSpec, first: datetime, last: datetime) -> tuple[str, str]:
    """Between which ids the events of a leg lie: ids begin with the millisecond that they were minted in."""
    prefix = f"evt_{compact(spec.name)}_"
    low, high = (int(at.timestamp() * 1000) << 80 for at in (first - _SLACK, last + _SLACK))
    return prefix + encode(UUID(int=low)), prefix + encode(UUID(int=high))


def _crossing(entry: CustomsEntry) -> dict[str, object]:
    return entry.to_json()


def _entry(row: Record, directory: Directory) -> Entry:
    currency = CURRENCY_OF_LEDGER[row["ledger"]]
    flags = PostingFlag(row["flags"])
    amount, phase = int(row["amount"]), next((name for flag, name in _PHASES if flag in flags), "posted")
    # The amount of a post or void may be the ledger's own word for "all of it", which is no amount of money.
    shown = money(amount, currency) if amount < 1 << 64 else None
    return Entry(
        effect=row["effect"],
        attempt=row["attempt"],
        kind=Code(row["code"]).name,
        debit=_account(row["debit_account"], directory),
        credit=_account(row["credit_account"], directory),
        amount=shown,
        phase=phase,
        state=row["state"],
        result=None if row["result"] is None else PostingResult(row["result"]).name,
        at=row["created_at"].astimezone(UTC),
    )


def _back(row: Record, wallet_currency: str) -> Back:
    told = dict(row)
    told["amount"] = money(told["amount"], told.pop("currency"))
    told["credited"] = money(told["credited"], wallet_currency)
    return Back(**told)


def _account(number: UUID, directory: Directory) -> str:
    """An account by what it is, with the peer or the rail that it is for; a tenant's own accounts by their kind alone."""
    if number.int == 0:
        return "(of the hold)"
    key = read_account_id(number.int)
    kind = AccountType(key.account_type).name
    if key.peer_number is not None:
        return f"{kind} {next((one.name for one in directory.cells.values() if one.number == key.peer_number), '?')}"
    if kind == "RAIL_SETTLEMENT":
        return (
            f"{kind} {next((rail for rail, place in rail_numbers().items() if place == key.owner & 0xFFFFFFFF), '?')}"
        )
    return kind
