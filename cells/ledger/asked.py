"""What a life has asked of the ledger: its chains, in order, each with what became of it by the life's own record. Pure.

Nothing else is kept of a posting. Each room folds this from its lives (`chains_asked` in its lives.py): whoever asks the ledger, recovery
that asks again, the trace and L6 all read the same.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of

# `planned`: asked for, or about to be, and the life has yet to learn what the ledger answered.
Outcome = Literal["planned", "applied", "failed"]


class Asked(NamedTuple):
    """One chain of a life. `at`: when it was asked for, where the record says so; `result`: the ledger's code that broke it, likewise."""

    life: Life
    action: Action
    outcome: Outcome
    attempt: int = 1
    at: datetime | None = None
    result: int | None = None

    @property
    def chain(self) -> Chain:
        """Its postings. Raises KeyError, ValueError where the life's facts name no account or no chain."""
        return postings_of(self.life, self.action, self.attempt)
