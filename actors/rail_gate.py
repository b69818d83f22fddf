"""What stands between a rail's queue and its scheme: the hours, the circuit on record, and the way out when it is open.

Invariant: only what the record still has as queued leaves by another rail. Whatever was asked stays, however long its answer takes.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from actors.rails import Rails
from cells.kit.breaker import Breaker, BreakerState
from cells.rails.calendar import CalendarUnknown, next_opening
from cells.rails.desk import RailDesk
from residency.errors import KovraError, place_of

_log = logging.getLogger("kovra.actors.rail")
_LOOK_AGAIN_S = 1.0


class Gate:
    """Of one rail actor. `now` is the wall clock that hours go by; `in_background` runs what the queue need not wait for."""

    def __init__(
        self,
        name: str,
        desk: RailDesk,
        rails: Rails,
        breaker: Breaker,
        now: Callable[[], datetime],
        in_background: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._name = name
        self._desk = desk
        self._rails = rails
        self._breaker = breaker
        self._now = now
        self._in_background = in_background
        self._written: BreakerState | None = None
        self._writing = False
        self._again: asyncio.TimerHandle | None = None

    def wait_s(self) -> float:
        """Seconds until the scheme takes payments; 0 or less while it does. Raises CalendarUnknown."""
        now = self._now()
        return (next_opening(self._desk.rail.profile, now) - now).total_seconds()

    def opening(self) -> Mapping[str, Any]:
        """Whether the scheme takes payments now, and from when: None while it does, and where its calendar ends."""
        now = self._now()
        try:
            at = next_opening(self._desk.rail.profile, now)
        except CalendarUnknown:
            return {"open": False, "next_opening": None}
        return {"open": at <= now, "next_opening": None if at <= now else at.isoformat()}

    async def fall_back(self, batch: Sequence[str]) -> Sequence[str]:
        """The circuit is open: what another rail serves better goes there. The payments that stay."""
        moved = await self._desk.fall_back(batch, self._now())
        gone = {transfer_id for ids in moved.values() for transfer_id in ids}
        for rail, ids in moved.items():
            _log.info("%s: %d payments that were never asked leave by %s", self._name, len(ids), rail)
            self._in_background(self._hand_over(rail, ids))
        return [one for one in batch if one not in gone]

    async def _hand_over(self, rail: str, ids: Sequence[str]) -> None:
        try:
            await self._rails.submit(rail, ids)
        except KovraError as error:  # they are on record there: its next start, or the sweep, finds them
            _log.warning("%s: %d payments are not with %s yet: %s", self._name, len(ids), rail, error.code)

    def note_circuit(self) -> None:
        """Put the circuit's state on record when it has changed: who routes payments elsewhere in the cell looks there."""
        state = self._state()
        if state != self._written and not self._writing:
            self._writing = True
            self._in_background(self._write())
        if state == BreakerState.OPEN and self._again is None:
            # Payments go round an open circuit, so none would come to show that it may be tried again: time does.
            self._again = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        self.note_circuit()

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()

    def _state(self) -> BreakerState:
        return self._breaker.state(asyncio.get_running_loop().time())

    async def _write(self) -> None:
        """One write after the other, so that the last word is the last on record."""
        try:
            while (state := self._state()) != self._written:
                await self._desk.note_breaker(str(state))
                self._written = state
        except Exception as error:  # noqa: BLE001 - told again at the next look; routing goes by what it knew
            _log.warning("%s: its circuit, now %s, is not on record: %s", self._name, state, place_of(error))
        finally:
            self._writing = False
