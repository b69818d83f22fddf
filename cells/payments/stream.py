"""A leg's life as entries of the journal: what each says, and the leg that they make. Pure.

A leg is a fold of its stream: the first entry has all that never changes and what it begins with, each later one exactly what changed. What
a partner wrote itself (`metadata`) is in no entry, and a folded leg has none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cells.journal.entry import Author, Draft, Entry
from cells.journal.kinds import BIRTHS, UnknownKind, check, instant
from cells.payments.machine import Leg, State
from cells.payments.transfer import Transfer

LIFE: Final = "transfer"
ACCEPTED, ADMITTED = f"{LIFE}.accepted.1", f"{LIFE}.admitted.1"
ANSWERED, DOUBTED, REROUTED = f"{LIFE}.answered.1", f"{LIFE}.doubted.1", f"{LIFE}.rerouted.1"
REVIEW_MOVED: Final = f"{LIFE}.review_moved.1"
# What an entry says beside the leg's own facts: the code with which the ledger refused.
LEDGER_RESULT: Final = "ledger_result"
_MARKS: Final = (ANSWERED, DOUBTED, REROUTED, REVIEW_MOVED)

# What the first entry says; what is null is left out.
AT_BIRTH: Final = (
    "leg", "state", "wallet_id", "origin_cell", "destination_cell", "quote_id", "recipient_id", "payer_id", "source_currency",
    "target_currency", "principal", "margin", "fee", "target_amount", "recipient_fee", "rail", "screening", "review_reasons",
    "review_until", "instruction_sha256", "batch_id", "deadline",
)  # fmt: skip
# What later entries may change.
CHANGING: Final = (
    "state", "attempt", "in_doubt", "export_due", "instruction_sha256", "answer", "reason_code", "scheme_reference", "released", "screening",
    "review_reasons", "review_until", "rail", "returned", "credited",
)  # fmt: skip
_TO_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "review_reasons": list,
    "review_until": instant,
    "deadline": instant,
    "instruction_sha256": bytes.hex,
}
_FROM_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "leg": Leg,
    "state": State,
    "review_reasons": tuple,
    "review_until": datetime.fromisoformat,
    "deadline": datetime.fromisoformat,
    "instruction_sha256": bytes.fromhex,
}


class Unfoldable(ValueError):
    """The entries are no life: `version` is the first that does not follow from those before it."""

    def __init__(self, version: int, why: str) -> None:
        super().__init__(why)
        self.version = version


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a leg with one entry: as it was decided on, as it shall be, and by whom. `ledger_result`: see TransferMoved."""

    before: Transfer
    now: Transfer
    kind: str
    author: Author
    ledger_result: int | None = None

    def draft(self) -> Draft:
        names = {"state": None} if step_of(self.kind) else {}
        names |= {one: None for one in CHANGING if getattr(self.before, one) != getattr(self.now, one)}
        facts = _facts(self.now, names)
        if self.ledger_result is not None:
            facts[LEDGER_RESULT] = self.ledger_result
        return Draft(
            self.now.transfer_id, self.before.version + 1, self.kind, self.now.tenant_id, self.author, facts
        )  # fmt: skip


def kind_of(event: str) -> str:
    """The kind of entry by which an event of the lifecycle is on record."""
    return f"{LIFE}.{event}.1"


def step_of(kind: str) -> bool:
    """Whether an entry of that kind is a step of the lifecycle, and not a mark beside it."""
    return kind not in _MARKS


def birth(transfer: Transfer, kind: str, author: Author) -> Draft:
    """The first entry of a new leg."""
    names = [one for one in AT_BIRTH if getattr(transfer, one) is not None]
    return Draft(transfer.transfer_id, 1, kind, transfer.tenant_id, author, _facts(transfer, names))


def fold(entries: Sequence[Entry]) -> Transfer:
    """The leg that a whole stream makes. Raises Unfoldable."""
    *_, last = history(entries)
    return last


def history(entries: Sequence[Entry]) -> Iterator[Transfer]:
    """The leg after each entry of a whole stream, oldest first. Raises Unfoldable, also of a stream without an entry."""
    now: Transfer | None = None
    for place, entry in enumerate(entries, start=1):
        if entry.version != place:
            raise Unfoldable(place, f"the stream has no version {place}")
        try:
            check(entry.kind, entry.facts)
        except UnknownKind as error:
            raise Unfoldable(place, str(error)) from None
        if (entry.kind in BIRTHS) != (now is None):
            raise Unfoldable(place, f"{entry.kind} cannot be version {place}")
        now = _born(entry) if now is None else _changed(now, entry)
        yield now
    if now is None:
        raise Unfoldable(1, "the stream is empty")


def states(entries: Sequence[Entry]) -> Iterator[State]:
    """The state after each entry of a whole stream, oldest first."""
    state = ""
    for entry in entries:
        state = entry.facts.get("state", state)
        yield State(state)


def _born(entry: Entry) -> Transfer:
    return Transfer(
        transfer_id=entry.stream, tenant_id=entry.tenant_id, version=1, created_at=entry.at, updated_at=entry.at,
        **{"quote_id": None, "payer_id": None, "screening": None} | _values(entry.facts),
    )  # fmt: skip


def _changed(before: Transfer, entry: Entry) -> Transfer:
    return replace(before, version=entry.version, updated_at=entry.at, **_values(entry.facts))


def _facts(transfer: Transfer, names: Sequence[str] | Mapping[str, None]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in names:
        value = getattr(transfer, name)
        to = _TO_JSON.get(name)
        facts[name] = value if to is None or value is None else to(value)
    return facts


def _values(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None or name not in _FROM_JSON else _FROM_JSON[name](value)
        for name, value in facts.items()
        if name != LEDGER_RESULT
    }
