"""Payments on their way from the saga to the rails, without holding up the next batch. What does not arrive is found by the sweep."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from cells.kit.command import RailDoor
from cells.payments.transfer import Transfer
from residency import tasks
from residency.errors import KovraError

_log = logging.getLogger("kovra.saga")


class Handing:
    """What is being handed over now."""

    def __init__(self, rails: RailDoor) -> None:
        self._rails = rails
        self._tasks: set[asyncio.Task[None]] = set()

    def hand_over(self, transfers: Iterable[Transfer]) -> None:
        """Begin to hand payments to their rails."""
        by_rail: dict[str, list[str]] = {}
        for transfer in transfers:
            by_rail.setdefault(transfer.rail, []).append(transfer.transfer_id)
        for rail, transfer_ids in by_rail.items():
            task = tasks.start(self._submit_quietly(rail, transfer_ids), f"handing payments to {rail}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def done(self) -> None:
        """Wait until everything handed over has been taken, or given up to the sweep."""
        await asyncio.gather(*self._tasks)

    async def _submit_quietly(self, rail: str, transfer_ids: Sequence[str]) -> None:
        try:
            await self._rails.submit(rail, transfer_ids)
        except KovraError as error:
            _log.warning("%d transfers are not with %s yet: %s", len(transfer_ids), rail, error.code)
