"""One cell's part of a payment's journey, as its own record has it: price, steps, postings, crossings, the rail, the partner's webhooks.

Everything is read from what the cell keeps anyway, so a payment under way and one of last year are told alike. No field here is
personal: parties appear nowhere, texts that other hands wrote are not read, and of what crossed sealed only the names of fields.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cells.backends.postgres import Connection, Pool, Record, transaction
from cells.customs import store as customs
from cells.customs.chain import CustomsEntry
from cells.fx.quotes import Quote
from cells.fx.store import find_quotes
from cells.journal import store as journal
from cells.journal.entry import Entry as Line
from cells.kit.money import money
from cells.ledger.chart import CURRENCY_OF_LEDGER, AccountType, rail_numbers, read_account_id
from cells.ledger.codes import Code
from cells.ledger.entry import PostingFlag, PostingResult
from cells.payments import events, store
from cells.payments.machine import FINAL
from cells.payments.machine import Leg as LegKind
from cells.payments.stream import states
from cells.payments.transfer import Transfer
from cells.payments.watch import minted_at
from cells.reconciliation import store_journey
from cells.reconciliation.gather import read_customs
from cells.reconciliation.lives import Lives
from cells.reconciliation.postings import Expected
from cells.spec import CellSpec
from cells.webhooks.event import event_id_of
from residency.directory import Directory
from residency.errors import needed

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
    """One posting: accounts by kind and not by owner, the amount as money, and what the ledger answered. A post or void has the accounts and
    the amount of the hold that it resolves."""

    effect: str
    attempt: int
    kind: str
    debit: str
    credit: str
    amount: dict[str, str]
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
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Chain:
    """A cell's customs log, verified from its first entry: how many entries it has, and the first that does not hold."""

    entries: int
    broken_at: int | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Leg:
    """What one cell has of the payment. `price`: amounts as money, and the rate of its quote, None where another cell priced it; `chain`: None
    where it was not asked for."""

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
    price: dict[str, Any] | None
    steps: tuple[Step, ...]
    postings: tuple[Entry, ...]
    crossings: tuple[dict[str, object], ...]
    chain: Chain | None
    submission: dict[str, Any] | None
    returns: tuple[Back, ...]
    deliveries: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def leg_of(spec: CellSpec, pool: Pool, transfer_id: str, *, verify_customs: bool = False) -> Leg | None:
    """The cell's leg of a payment, as of one instant; None where it knows nothing of it. `verify_customs`: read its whole customs log, too.
    Raises StoreUnavailable."""
    async with transaction(pool) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = await store.read(connection, spec.region, [transfer_id])
        if (transfer := found.get(transfer_id)) is None:
            return None
        chain = await _chain(connection, spec) if verify_customs else None
        return await _leg(connection, spec, transfer, chain)


async def crossings_of(spec: CellSpec, pool: Pool, transfer_id: str) -> tuple[dict[str, object], ...]:
    """The customs entries of a payment in a cell that may have no leg of it: an instruction that was refused at its border."""
    async with transaction(pool) as connection:
        return tuple(_crossing(one) for one in await customs.log_of_transfer(connection, spec, transfer_id))


async def _chain(connection: Connection, spec: CellSpec) -> Chain:
    log = await read_customs(connection, spec)
    broken = log.broken
    return Chain(log.entries, broken.sequence if broken else None, broken.reason if broken else None)


async def _leg(connection: Connection, spec: CellSpec, transfer: Transfer, chain: Chain | None) -> Leg:
    region, transfer_id = spec.region, transfer.transfer_id
    lines = await journal.stream(connection, region, transfer_id)
    born_here = transfer.leg is not LegKind.DESTINATION
    quotes = await find_quotes(connection, region, [transfer.quote_id] if transfer.quote_id else [])
    postings = await Lives(connection, spec).of([transfer_id])
    submission = await store_journey.submission_of(connection, region, transfer_id)
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
        price=price_of(transfer, quotes.get(transfer.quote_id or "")) if born_here else None,
        steps=steps_of(lines, minted_at(transfer_id) if born_here else None),
        postings=entries_of(postings.get(transfer_id, ()), spec.directory),
        crossings=tuple(_crossing(one) for one in await customs.log_of_transfer(connection, spec, transfer_id)),
        chain=chain,
        submission=None if submission is None else dict(submission),
        returns=tuple(
            _back(row, transfer.source_currency)
            for row in await store_journey.returns_of(connection, region, transfer_id)
        ),
        deliveries=await _deliveries(connection, region, lines),
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


def price_of(transfer: Transfer, quote: Quote | None) -> dict[str, Any]:
    """What leaves the wallet and what it is made of, what arrives, and at which rate, where there was a quote. Pure."""
    source, target = transfer.source_currency, transfer.target_currency
    amounts = {
        "source": (transfer.source_total, source),
        "principal": (transfer.principal, source),
        "margin": (transfer.margin, source),
        "fee": (transfer.fee, source),
        "target": (transfer.payout_amount, target),
        "recipient_fee": (transfer.recipient_fee, target),
    }
    price: dict[str, Any] = {name: money(minor, currency) for name, (minor, currency) in amounts.items()}
    return price | {
        "margin_bps": quote.margin_bps if quote else None,
        "rate": quote.rate if quote else None,
        "rate_as_of": quote.rate_as_of if quote else None,
        "rate_source": quote.rate_origin if quote else None,
    }


async def _deliveries(connection: Connection, region: str, lines: Sequence[Line]) -> tuple[dict[str, Any], ...]:
    """The leg's events with their deliveries; one that nobody listens to has one line without."""
    told = {event_id_of(line): (line, kind) for line in lines if (kind := events.event_type_of(line)) is not None}
    rows = await store_journey.deliveries_of(connection, region, list(told))
    by_event = {event_id: [row for row in rows if row["event_id"] == event_id] for event_id in told}
    nobody = dict.fromkeys(store_journey.OF_DELIVERY)
    return tuple(
        {"event_id": event_id, "event_type": kind, "occurred_at": line.at} | nobody | dict(row)
        for event_id, (line, kind) in told.items()
        for row in by_event[event_id] or [{}]
    )


def _crossing(entry: CustomsEntry) -> dict[str, object]:
    return entry.to_json()


def entries_of(postings: Sequence[Expected], directory: Directory) -> tuple[Entry, ...]:
    """Postings as people read them, in the order in which they were asked for. Pure."""
    return tuple(
        _entry(one, directory) for one in sorted(postings, key=lambda one: needed(one.at, "when it was asked"))
    )


def _entry(one: Expected, directory: Directory) -> Entry:
    posting = one.posting
    flags = PostingFlag(posting.flags)
    return Entry(
        effect=one.effect,
        attempt=posting.user_data_32,
        kind=Code(posting.code).name,
        debit=account_name(posting.debit_account_id, directory),
        credit=account_name(posting.credit_account_id, directory),
        amount=money(posting.amount, CURRENCY_OF_LEDGER[posting.ledger]),
        phase=next((name for flag, name in _PHASES if flag in flags), "posted"),
        state=one.state,
        result=None if one.result is None else PostingResult(one.result).name,
        at=needed(one.at, "when it was asked").astimezone(UTC),
    )


def _back(row: Record, wallet_currency: str) -> Back:
    told = dict(row)
    told["amount"] = money(told["amount"], told.pop("currency"))
    told["credited"] = money(told["credited"], wallet_currency)
    return Back(**told)


def account_name(number: int, directory: Directory) -> str:
    """An account by its kind, with the peer or the rail that it is for; a tenant's own accounts by their kind alone."""
    key = read_account_id(number)
    kind = AccountType(key.account_type).name
    if key.peer_number is not None:
        return f"{kind} {next((one.name for one in directory.cells.values() if one.number == key.peer_number), '?')}"
    if kind == "RAIL_SETTLEMENT":
        return (
            f"{kind} {next((rail for rail, place in rail_numbers().items() if place == key.owner & 0xFFFFFFFF), '?')}"
        )
    return kind
