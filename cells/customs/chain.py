"""The customs log as data: its entries, the chain over them, and the comparison of two cells' logs. Pure;
works offline on an export.

Invariants: every entry is one link of the chain `customs|<cell>` (cells.kit.hashchain); an entry holds names
of sealed fields and the hash of an envelope, never a value. L7 (LEDGER.md): what A says it exported to B is
what B says it admitted from A.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self, cast

from cells.kit.hashchain import Break, Head, canonical, find_break, genesis
from residency.errors import UnexpectedAnswer

Direction = Literal["exported", "admitted", "refused"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """What one log entry says. `reason` is empty unless refused, or admitted with a fault that bars its
    effect.
    """

    direction: Direction
    from_cell: str
    to_cell: str
    kind: str
    sequence: int
    transfer_id: str
    envelope_sha256: bytes
    allow_list: int
    crossed_fields: tuple[str, ...]
    reason: str
    at: datetime

    def body(self) -> bytes:
        """The bytes that the chain covers."""
        return canonical(
            {
                "direction": self.direction,
                "from_cell": self.from_cell,
                "to_cell": self.to_cell,
                "kind": self.kind,
                "sequence": self.sequence,
                "transfer_id": self.transfer_id,
                "envelope_sha256": self.envelope_sha256.hex(),
                "allow_list": self.allow_list,
                "crossed_fields": list(self.crossed_fields),
                "reason": self.reason,
                "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            }
        )


@dataclass(frozen=True, slots=True)
class CustomsEntry:
    """A crossing at its place in the chain: `position` from 1, hashes of 32 bytes."""

    position: int
    crossing: Crossing
    previous_hash: bytes
    entry_hash: bytes

    def to_json(self) -> dict[str, object]:
        """For an export that verifies offline; from_json reads it back."""
        crossing = self.crossing
        return {
            "position": self.position,
            "direction": crossing.direction,
            "from_cell": crossing.from_cell,
            "to_cell": crossing.to_cell,
            "kind": crossing.kind,
            "sequence": crossing.sequence,
            "transfer_id": crossing.transfer_id,
            "envelope_sha256": crossing.envelope_sha256.hex(),
            "allow_list": crossing.allow_list,
            "crossed_fields": list(crossing.crossed_fields),
            "reason": crossing.reason,
            "at": crossing.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "previous_hash": self.previous_hash.hex(),
            "entry_hash": self.entry_hash.hex(),
        }

    @classmethod
    def from_mapping(cls, row: Mapping[str, object]) -> Self:
        """From a database row, or from to_json's form."""
        at, fields = row["at"], row["crossed_fields"]
        if not isinstance(fields, list | tuple):
            raise UnexpectedAnswer("the fields that crossed are a list")
        crossing = Crossing(
            direction=cast("Direction", row["direction"]),
            from_cell=str(row["from_cell"]),
            to_cell=str(row["to_cell"]),
            kind=str(row["kind"]),
            sequence=_number(row["sequence"]),
            transfer_id=str(row["transfer_id"]),
            envelope_sha256=_bytes(row["envelope_sha256"]),
            allow_list=_number(row["allow_list"]),
            crossed_fields=tuple(map(str, fields)),
            reason=str(row["reason"]),
            at=at if isinstance(at, datetime) else datetime.fromisoformat(str(at)),
        )
        return cls(_number(row["position"]), crossing, _bytes(row["previous_hash"]), _bytes(row["entry_hash"]))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise UnexpectedAnswer("a place in a chain is a whole number")
    return value


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else bytes.fromhex(str(value))


def chain_name(cell: str) -> str:
    """The name that the chain of `cell` starts from."""
    return f"customs|{cell}"


def verify_chain(
    entries: Iterable[CustomsEntry], cell: str, head: Head | None = None, *, after: Head | None = None
) -> Break | None:
    """The first entry that does not hold, or None. `entries` is the log of `cell` in order: all of it, or what follows
    `after`. With `head` (a signed checkpoint, or the head's row), entries cut off at the end are found too.
    """
    previous = genesis(chain_name(cell)) if after is None else after
    for entry in entries:
        if entry.previous_hash != previous.hash:
            return Break(entry.position, "hash")
        claimed = Head(entry.position, entry.entry_hash)
        if (found := find_break(previous, [(claimed, entry.crossing.body())])) is not None:
            return found
        previous = claimed
    if head is not None and head != previous:
        return Break(previous.sequence + 1, "sequence")
    return None


@dataclass(frozen=True, slots=True)
class Difference:
    """A crossing on which two logs disagree. `fault`: `not-exported`, `not-admitted` or `other-bytes`."""

    sequence: int
    transfer_id: str
    fault: Literal["not-exported", "not-admitted", "other-bytes"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """L7 for one corridor. `in_flight`: exported after the last admission, so not yet a difference."""

    differences: tuple[Difference, ...]
    in_flight: int


def compare(
    exporter: Sequence[CustomsEntry], admitter: Sequence[CustomsEntry], origin: str, destination: str
) -> Comparison:
    """What `origin`'s log says it exported to `destination`, against what `destination`'s says it admitted
    from `origin`.

    Read the admitter's log first: then whatever it admitted is in the exporter's log already.
    """
    sent = _by_sequence(exporter, "exported", origin, destination)
    let_in = _by_sequence(admitter, "admitted", origin, destination)
    last = max(let_in, default=0)
    found: list[Difference] = []
    for sequence in sorted(sent.keys() | let_in.keys()):
        ours, theirs = sent.get(sequence), let_in.get(sequence)
        if ours is None and theirs is not None:
            found.append(Difference(sequence, theirs.transfer_id, "not-exported"))
        elif ours is not None and theirs is None and sequence <= last:
            found.append(Difference(sequence, ours.transfer_id, "not-admitted"))
        elif ours is not None and theirs is not None and _essence(ours) != _essence(theirs):
            found.append(Difference(sequence, ours.transfer_id, "other-bytes"))
    return Comparison(tuple(found), sum(1 for sequence in sent if sequence > last))


def _essence(crossing: Crossing) -> tuple[object, ...]:
    return (
        crossing.envelope_sha256,
        crossing.kind,
        crossing.transfer_id,
        crossing.allow_list,
        crossing.crossed_fields,
    )


def _by_sequence(
    log: Iterable[CustomsEntry], direction: Direction, origin: str, destination: str
) -> dict[int, Crossing]:
    return {
        entry.crossing.sequence: entry.crossing
        for entry in log
        if (entry.crossing.direction, entry.crossing.from_cell, entry.crossing.to_cell)
        == (direction, origin, destination)
    }
