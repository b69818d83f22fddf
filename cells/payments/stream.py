"""A leg's life as entries of the journal. Pure.

What a partner wrote itself (`metadata`) is in no entry, and a folded leg has none.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from cells.journal.entry import Entry
from cells.journal.life import Life
from cells.payments.machine import State
from cells.payments.transfer import Transfer

_MONEY = {
    **dict.fromkeys(("principal", "margin", "fee", "credited"), "source_currency"),
    **dict.fromkeys(("target_amount", "recipient_fee", "returned"), "target_currency"),
}
TRANSFER: Final = Life(
    "transfer", "transfers", "transfer_id", Transfer, unrecorded=frozenset({"metadata"}), money=_MONEY
)
ACCEPTED, ADMITTED = TRANSFER.kind("accepted"), TRANSFER.kind("admitted")
ANSWERED, DOUBTED, REROUTED = TRANSFER.kind("answered"), TRANSFER.kind("doubted"), TRANSFER.kind("rerouted")
REVIEW_MOVED: Final = TRANSFER.kind("review_moved")
# What an entry says beside the leg's own facts: the code with which the ledger refused.
LEDGER_RESULT: Final = "ledger_result"

_MARKS: Final = (ANSWERED, DOUBTED, REROUTED, REVIEW_MOVED)


def step_of(kind: str) -> bool:
    """Whether an entry of that kind is a step of the lifecycle, and not a mark beside it."""
    return kind not in _MARKS


def states(entries: Sequence[Entry]) -> Iterator[State]:
    """The state after each entry of a whole stream, oldest first."""
    state = ""
    for entry in entries:
        state = entry.facts.get("state", state)
        yield State(state)
