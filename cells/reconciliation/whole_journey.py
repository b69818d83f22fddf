"""A payment's journey over all its cells, put together from what each has of it: the path room by room, what it moved, the border's two logs.

Pure. Each cell's times are its own clock's: where the path goes from one cell to the other, the time between is by both.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from cells.customs.chain import CustomsEntry, compare
from cells.kit.money import CURRENCIES, money
from cells.kit.trace import trace_id
from cells.payments.watch import minted_at
from cells.reconciliation.journey import Leg, Step

# A receipt says that the other cell has the instruction; the payment does not wait for it.
_BESIDE = frozenset({"receipted"})


@dataclass(frozen=True, slots=True)
class Stay:
    """The time that ended with one step of the path: in a room of a cell, or from `from_cell` to `cell` where that is another."""

    cell: str
    room: str
    event: str
    from_cell: str
    until: datetime
    ms: float


@dataclass(frozen=True, slots=True)
class Moved:
    """What the ledger has applied of the payment on one account, as money. `held_debit` and `held_credit`: holds that nothing has resolved yet."""

    cell: str
    account: str
    debit: dict[str, str]
    credit: dict[str, str]
    held_debit: dict[str, str]
    held_credit: dict[str, str]


@dataclass(frozen=True, slots=True)
class Border:
    """One direction of the border. Of `exported` crossings the other cell's log has all, byte for byte, but those `in_flight`, those `refused`,
    and those in `differ`, each with its sequence and what differs."""

    from_cell: str
    to_cell: str
    exported: int
    in_flight: int
    refused: int
    differ: tuple[str, ...]


@dataclass
class Journey:
    """What was found: legs by cell in the order of the path, crossings of cells without a leg, and cells that did not answer."""

    transfer_id: str
    legs: list[Leg] = field(default_factory=list)
    turned_away: dict[str, tuple[dict[str, object], ...]] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)

    @property
    def trace_id(self) -> str:
        return f"{trace_id(self.transfer_id):032x}"

    @property
    def at_rest(self) -> bool:
        return bool(self.legs) and not self.unreached and all(one.at_rest for one in self.legs)

    @property
    def crossings(self) -> dict[str, Sequence[Mapping[str, object]]]:
        """The entries of every customs log, by cell."""
        return {**{leg.cell: leg.crossings for leg in self.legs if leg.crossings}, **self.turned_away}

    @property
    def path(self) -> list[Stay]:
        return stays(self.transfer_id, self.legs)

    @property
    def borders(self) -> list[Border]:
        return borders(self.crossings, self.unreached)

    def as_json(self) -> dict[str, Any]:
        return {
            "transfer_id": self.transfer_id,
            "trace_id": self.trace_id,
            "at_rest": self.at_rest,
            "legs": [one.as_json() for one in self.legs],
            "path": [asdict(one) for one in self.path],
            "accounts": [asdict(one) for leg in self.legs for one in moved(leg)],
            "border": [asdict(one) for one in self.borders],
            "crossings_without_leg": self.turned_away,
            "unreached": self.unreached,
        }


def stays(transfer_id: str, legs: Sequence[Leg]) -> list[Stay]:
    """The path from the door, which mints the payment's id, over the steps of all legs in the order of time to the partner's last webhook."""
    path = sorted(
        ((step.at, leg.cell, room_of(leg, step), step.event) for leg in legs for step in leg.steps if step.event not in _BESIDE),
        key=lambda one: one[0],
    )  # fmt: skip
    if legs and legs[0].leg == "destination":
        since, before = path[0][0], path[0][1]  # what the origin did is not known
    else:
        since, before = minted_at(transfer_id), path[0][1] if path else ""
        path[:1] = [(at, cell, "door", event) for at, cell, _, event in path[:1]]
    found = []
    for at, cell, room, event in path:
        found.append(Stay(cell, room, event, before, at, _ms(since, at)))
        since, before = at, cell
    delivered = [
        (one["delivered_at"], leg.cell, one["event_type"])
        for leg in legs
        for one in leg.deliveries
        if one["delivered_at"]
    ]
    if delivered and (last := max(delivered))[0] > since:
        found.append(Stay(last[1], "webhook", last[2], before, last[0], _ms(since, last[0])))
    return found


def room_of(leg: Leg, step: Step) -> str:
    """Where the payment was until a step: with the rail until the wallet's actor notes its answer, and at the API until what a key asked for."""
    if step.event.startswith("rail_"):
        return f"rail {leg.rail}"
    return "api" if step.room.startswith("key_") else step.room


def _ms(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds() * 1000, 3)


def moved(leg: Leg) -> list[Moved]:
    """Each account that the payment's postings name in a cell, in their order. A hold counts as held until it is posted or voided."""
    sums: dict[tuple[str, str], list[int]] = {}
    for account, currency, place, minor in _changes(leg):
        sums.setdefault((account, currency), [0] * 4)[place] += minor
    return [
        Moved(leg.cell, account, *(money(one, currency) for one in figures))
        for (account, currency), figures in sums.items()
    ]


def _changes(leg: Leg) -> Iterator[tuple[str, str, int, int]]:
    """(account, currency, place among debit, credit, held debit and held credit, minor units)."""
    for one in leg.postings:
        if one.state != "applied":
            continue
        currency = one.amount["currency"]
        minor = int(Decimal(one.amount["value"]).scaleb(CURRENCIES[currency].exponent))
        for side, account in enumerate((one.debit, one.credit)):
            if one.phase in ("posted", "post"):
                yield account, currency, side, minor
            if one.phase != "posted":
                yield account, currency, side + 2, minor if one.phase == "pending" else -minor


def borders(crossings: Mapping[str, Sequence[Mapping[str, object]]], unreached: Collection[str] = ()) -> list[Border]:
    """Every direction that a customs log of the payment speaks of, but those out of a cell that did not answer."""
    logs = {cell: [CustomsEntry.from_mapping(one) for one in entries] for cell, entries in crossings.items()}
    found = []
    ways = dict.fromkeys((one.crossing.from_cell, one.crossing.to_cell) for log in logs.values() for one in log)
    for here, there in ways:
        if here in unreached:
            continue
        ours, theirs = logs.get(here, []), logs.get(there, [])
        compared = compare(ours, theirs, here, there)
        sent = [
            one.crossing.envelope_sha256
            for one in ours
            if one.crossing.direction == "exported" and one.crossing.to_cell == there
        ]
        refused = sum(one.crossing.direction == "refused" and one.crossing.envelope_sha256 in sent for one in theirs)
        differ = tuple(f"{one.sequence} {one.fault}" for one in compared.differences)
        found.append(Border(here, there, len(sent), compared.in_flight - refused, refused, differ))
    return found
