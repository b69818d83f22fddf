"""What the explorer's world consists of: immutable, comparable, cheap to hash. The rows are the product's own where it has them.

A cell's durable part (journal, ledger, outbox, customs log, rail record) survives every crash; what lies in `mailbox`, `turns`,
`handing` and `desk` is memory, and dies with the process that holds it. Maps are tuples of pairs in order of their keys.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from cells.ledger.submit import ChainResult
from cells.payments.machine import Effect, Event
from cells.payments.transfer import Transfer
from cells.returns.returned import Return
from tests.model.books import Books

_Key = TypeVar("_Key", bound=Any)
_Value = TypeVar("_Value")
Pairs = tuple[tuple[_Key, _Value], ...]


def put(pairs: Pairs[_Key, _Value], key: _Key, value: _Value) -> Pairs[_Key, _Value]:
    """`pairs` with `key` set."""
    return tuple(sorted([*(one for one in pairs if one[0] != key), (key, value)], key=lambda one: one[0]))


def drop(pairs: Pairs[_Key, _Value], key: _Key) -> Pairs[_Key, _Value]:
    """`pairs` without `key`."""
    return tuple(one for one in pairs if one[0] != key)


class Memo(dict[str, Any]):
    """A mapping that can be hashed: facts, answers and metadata of a row."""

    def __hash__(self) -> int:  # type: ignore[override]  # a dict is not hashable; this one is never changed
        return hash(tuple(sorted(self.items())))


class Word(NamedTuple):
    """A command in a wallet's mailbox: `accept`, `tell`, `cancel`, `resume`, `late` (resume after the review's deadline), `doubt`,
    `return` (whose id stands in place of the transfer's)."""

    name: str
    transfer_id: str
    event: str = ""
    facts: Memo = Memo()


class Asked(NamedTuple):
    """A chain that the journal asks for, by what it is built from."""

    transfer: Transfer
    effect: Effect


class Booking(NamedTuple):
    """The chains that a return asks for, by what they are built from."""

    one: Return
    transfer: Transfer

    @property
    def effect(self) -> str:
        return f"return {self.one.number} of"


Owed = Asked | Booking


class Turn(NamedTuple):
    """One batch of one wallet actor between its first commit and its last.

    `results` is None until the ledger has answered; then one for each chain of each that is owed. `zombie`: this copy was paused, and another has taken over.
    """

    owed: tuple[Owed, ...]
    results: tuple[tuple[ChainResult, ...], ...] | None = None
    submit: tuple[str, ...] = ()
    zombie: bool = False


class Sent(NamedTuple):
    """A row of the outbox. `closed` by a receipt, and by nothing else."""

    sequence: int
    kind: str
    transfer_id: str
    sha256: bytes
    published: bool = False
    closed: bool = False


class Parcel(NamedTuple):
    """Something on the bus: an envelope, or (`sha256` empty) a receipt through `sequence`."""

    from_cell: str
    to_cell: str
    sequence: int
    sha256: bytes = b""


class Submission(NamedTuple):
    """A row of the rail's record. `asks` counts end-to-end ids: 1, unless a bug made a second. `contradicted`: the scheme
    has said, after its refusal, that it has paid."""

    state: str
    outcome: str = ""
    doubtful: bool = False
    asks: int = 1
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class CellState:
    """One cell. `journal`: the chains that the payments' streams have asked the ledger for, by payment, effect and attempt: planned, applied or
    failed. `handing`: payments on their way to the rail's record. `desk`: what the rail actor has in hand, by transfer id:
    `sending` to the scheme, or the answer that is yet to be recorded. `listed`: payments whose payer screening has found."""

    books: Books
    transfers: Pairs[str, Transfer] = ()
    journal: Pairs[tuple[str, str, int], str] = ()
    quotes: Pairs[str, str] = ()
    keys: Pairs[str, str] = ()
    reserved: int = 0
    outbox: tuple[Sent, ...] = ()
    admitted: tuple[tuple[str, int, bytes, str], ...] = ()
    receipt_due: tuple[str, ...] = ()
    record: Pairs[str, Submission] = ()
    alarms: tuple[str, ...] = ()
    mailbox: tuple[Word, ...] = ()
    turns: tuple[Turn, ...] = ()
    handing: tuple[str, ...] = ()
    desk: Pairs[str, str] = ()
    returns: Pairs[str, Return] = ()
    listed: tuple[str, ...] = ()

    def transfer(self, transfer_id: str) -> Transfer | None:
        return next((one for key, one in self.transfers if key == transfer_id), None)

    def submission(self, transfer_id: str) -> Submission | None:
        return next((one for key, one in self.record if key == transfer_id), None)

    @property
    def live(self) -> Turn | None:
        """The batch of the copy that is the writer now."""
        return next((one for one in self.turns if not one.zombie), None)


class Ref:
    """A value that stands for itself: equal states share one Ref, so that comparing them is comparing pointers."""

    __slots__ = ("value",)

    def __init__(self, value: CellState) -> None:
        self.value = value


class State(NamedTuple):
    """Both cells and all between and beyond them. `late`: ledger requests of clients that were given up, which may land yet;
    `underway`: payments that may reach the scheme yet; `scheme`: by end-to-end id, `paid` or `refused`; `done`: what the people
    outside have done once."""

    eu: Ref
    id: Ref
    bus: tuple[Parcel, ...] = ()
    late: tuple[tuple[str, tuple[Owed, ...]], ...] = ()
    underway: tuple[str, ...] = ()
    scheme: Pairs[str, str] = ()
    done: tuple[str, ...] = ()

    def cell(self, name: str) -> CellState:
        return (self.eu if name == "eu-1" else self.id).value


_REFS: dict[Hashable, Ref] = {}


def ref(cell: CellState) -> Ref:
    """The one Ref of a cell's state."""
    found = _REFS.get(cell)
    if found is None:
        found = _REFS[cell] = Ref(cell)
    return found


def told_event(word: Word) -> Event:
    return Event(word.event)
