"""Reading on in the journal for the webhook worker: when it is time to look, and how soon again."""

import asyncio

from cells.backends.postgres import Pool, transaction
from cells.events.fan_out import fan_out
from cells.journal.store_public import Onward

_PAGE = 500
# Without news: for what a lost notification would have told.
_IDLE_S = 30.0
_BUSY_S = 1.0
# How soon to look again for what is committed, and waits for an older transaction.
_HELD_BACK_S = 0.02


class JournalReader:
    """Queues what endpoints want of what is new. Several may share a database: one at a time reads."""

    def __init__(self, pool: Pool, region: str) -> None:
        self._pool = pool
        self._region = region
        self._news = True
        self._look_at_s = 0.0

    def wake(self) -> None:
        """There is something new."""
        self._news = True

    async def read_on(self) -> float:
        """Look, when it is time; how long until it is again, in seconds."""
        now_s = asyncio.get_running_loop().time
        if self._news or self._look_at_s <= now_s():
            # What comes while it looks has it look again.
            self._news = False
            async with transaction(self._pool, flushed=False) as connection:
                onward = await fan_out(connection, self._region, limit=_PAGE)
            self._look_at_s = now_s() + _again_in_s(onward)
        return 0 if self._news else max(0.0, self._look_at_s - now_s())


def _again_in_s(onward: Onward | None) -> float:
    """How soon to look again; None: another worker is at it."""
    if onward is None:
        return _BUSY_S
    if len(onward.entries) == _PAGE:
        return 0
    return _HELD_BACK_S if onward.held_back else _IDLE_S
