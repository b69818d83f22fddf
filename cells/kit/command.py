"""What a wallet is asked and what it answers: the words that floor 2 (the handler) and floor 3 (the actor) share.

Invariants: a command keeps its id through every retry; a batch answers in the order it was asked; an expected failure is
a value (a KovraError in the reply), never an exception that would fail its neighbours; bodies carry ids, codes and
amounts only, because they pass through the actor host's memory, where nothing personal may lie.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from residency.errors import KovraError


@dataclass(frozen=True, slots=True)
class Command:
    """One thing asked of one wallet. `command_id` names the wish, not the attempt; `body` is plain picklable data."""

    command_id: str
    wallet_id: str
    name: str
    body: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Commands and answers travel by the hundred: what a dataclass does by default takes three times as long.
        return Command, (self.command_id, self.wallet_id, self.name, self.body)


Reply = Any
"""The command's value, or the KovraError that refused it."""


class StaleEpoch(KovraError):
    """The journal has seen a later copy of this wallet: what this copy wanted to write was not written."""

    code = "stale-epoch"
    status = 503
    retryable = True
    title = "Another copy of this wallet has taken over; ask again"


class UnknownCommand(KovraError):
    """Nobody here knows a command of that name: a bug of whoever asks. Nothing was done."""

    title = "The wallet does not know what it was asked"


class RailDoor(Protocol):
    """What the saga is handed from above to reach the rails of its cell."""

    async def submit(self, rail: str, transfer_ids: Sequence[str]) -> None:
        """Hand payments to a rail. Returns when the rail has them on record, not when the scheme has answered.

        Told again of the same ids it does nothing new. Raises a retryable KovraError when they are not known to be on record.
        """
        ...


# Said once all that a batch asks for is durable: the next batch may then begin while this one is with the ledger.
Journaled = Callable[[], None]


class WalletHandler(Protocol):
    """The institution behind the wallet actor, built by `await factory(cell_name, rail_door)`. Every method is idempotent; none keeps truth in memory."""

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        """Raise each wallet's epoch in the journal by one and answer the new ones: older copies can journal no more.

        A wallet that does not exist is left out of the answer.
        """
        ...

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        """Carry out the commands, one reply each, in order; `epochs` has every wallet of the batch.

        A wallet whose epoch is stale gets StaleEpoch as the reply to each of its commands, and nothing of it is journaled.
        An exception means that nothing is known of the whole batch; the same ids will be asked again.
        """
        ...

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        """Forget what is cached of these wallets."""
        ...

    def counts(self) -> Mapping[str, int]:
        """What it has asked of journal and ledger since it was built, by name."""
        ...

    async def close(self) -> None: ...
