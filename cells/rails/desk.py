"""The words between the rail actor (floor 3) and what stands behind it: the record of submissions, the vault, the scheme.

Invariant: a submission only moves forward, queued → asked → answered → acknowledged, but for one step back: asked → queued, and
only when the scheme cannot have seen the payment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from cells.kit.command import Command
from cells.rails.rail import Outcome, Payout, Rail, Refused


@dataclass(frozen=True, slots=True)
class Submission:
    """One payment as the record has it: `queued`, `asked` (since `asked_at`, no final answer yet) or `answered`."""

    transfer_id: str
    state: Literal["queued", "asked", "answered"]
    asked_at: datetime | None = None
    outcome: Outcome | None = None


class RailDesk(Protocol):
    """The institution behind the rail actor: the scheme, the record of submissions, and the vault. Every method commits."""

    rail: Rail

    async def enqueue(self, transfer_ids: Sequence[str]) -> None:
        """Put payments on record as queued; those on record already stay as they are."""
        ...

    async def mark_asked(self, transfer_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Queued → asked. Answers those that were queued until now, with the time: only they may be sent."""
        ...

    async def mark_queued(self, transfer_ids: Sequence[str]) -> None:
        """Asked → queued, for payments that the scheme cannot have seen."""
        ...

    async def record(self, answers: Sequence[tuple[str, Outcome]]) -> Mapping[str, Outcome]:
        """Put the scheme's answers on record. A final answer stays: an in-doubt one after it changes nothing, and one that says the
        opposite is kept beside it. The answer that stands, of those whose new one contradicts it.
        """
        ...

    async def acknowledge(self, transfer_ids: Sequence[str]) -> None:
        """The wallets have taken the final answers of these: nothing is owed any more."""
        ...

    async def unfinished(self, after: str, limit: int) -> Sequence[Submission]:
        """What is not acknowledged, by transfer id, after the given one."""
        ...

    async def prepare(self, transfer_ids: Sequence[str]) -> Sequence[Payout | Refused]:
        """Open what the scheme needs to know, one each, in order; Refused where it can never be sent."""
        ...

    async def commands(self, answers: Sequence[tuple[str, Outcome]]) -> Sequence[Command]:
        """What to tell the wallets of these answers: one command each, in order, with an id made of transfer and answer."""
        ...

    async def fall_back(self, transfer_ids: Sequence[str], now: datetime) -> Mapping[str, Sequence[str]]:
        """The circuit is open: give payments that are still queued to rails that serve them better, leg and submission in one
        commit, and journal why. The ids that moved, by their new rail."""
        ...

    async def note_breaker(self, state: str) -> None:
        """Put on record how this rail's circuit stands: `closed`, `half_open` or `open`."""
        ...

    async def own_wallets(self) -> Sequence[str]:
        """The wallets that have an actor to themselves: where to push their answers."""
        ...

    async def close(self) -> None: ...
