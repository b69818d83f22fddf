"""The record: every call that a client made and what came back, or that nothing did.

Invariants: a call is on the record before it is sent; an answer is added once; `unknown` is an answer like any other, and says only that
the client does not know. Times are of one monotonic clock, in seconds since the record began.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["pay", "read_transfer", "read_wallet"]
Outcome = Literal["accepted", "refused", "read", "missing", "unknown"]


@dataclass(slots=True)
class Call:
    """One call. `subject`: the idempotency key of a payment, else the id of what is read; `wallet`: whose money it is about.

    `ended` is None while it is under way. `answer` depends on the outcome: of an accepted payment `transfer_id`, `quote_id`,
    `source_minor`; of a refused one `code`; of a transfer `status`; of a wallet `available_minor`.
    """

    number: int
    client: str
    kind: Kind
    subject: str
    wallet: str
    started: float
    ended: float | None = None
    outcome: Outcome = "unknown"
    answer: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        until = "…" if self.ended is None else f"{self.ended:.3f}"
        said = " ".join(f"{name}={value}" for name, value in self.answer.items())
        return f"#{self.number} [{self.started:.3f} – {until}] {self.client} {self.kind} {self.subject}: {self.outcome} {said}".rstrip()


class History:
    """The calls of all clients, in the order in which they began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.calls: list[Call] = []

    @property
    def now(self) -> float:
        return self._clock() - self._began

    def begin(self, client: str, kind: Kind, subject: str, wallet: str) -> Call:
        call = Call(len(self.calls), client, kind, subject, wallet, self.now)
        self.calls.append(call)
        return call

    def end(self, call: Call, outcome: Outcome, **answer: Any) -> None:
        assert call.ended is None, f"answered twice: {call}"
        call.ended, call.outcome, call.answer = self.now, outcome, answer

    def write(self, path: Path) -> None:
        """One JSON object a line, for whoever looks into an anomaly later."""
        with path.open("w") as file:
            file.writelines(json.dumps(asdict(call)) + "\n" for call in self.calls)
