"""The worker that tells the cell's stream of dead letters (`webhook.dlq`) of deliveries that were given up.

The row is the record, and is closed by the broker's acknowledgement alone: killed between the two, the worker tells it again. A letter
holds ids, a status and a class of failure; whoever reads the stream finds the rest in the cell, and nothing of it leaves the cell.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from prometheus_client import Counter

from actors.workers.aside import AsideRegister
from actors.workers.worker import sleep_unless
from cells.backends.nats import Bus, BusUnavailable, Outgoing
from cells.backends.postgres import Pool, transaction
from cells.webhooks import store_dead
from cells.webhooks.store_dead import DeadLetter
from residency.dead_letters import SUBJECT

_PAGE = 500
_TOLD = Counter("kovra_webhook_dead_letters", "Webhook deliveries that were given up and told to the stream")


class DeadLetters:
    """A Worker (actors/workers/worker.py), one per cell; twice would do no harm. `every_s`: between two looks at rest."""

    name = "dead_letters"

    def __init__(self, pool: Pool, region: str, bus: Bus, *, every_s: float = 2.0) -> None:
        self._pool = pool
        self._region = region
        self._bus = bus
        self._every_s = every_s
        self._told = 0
        self._aside = AsideRegister(pool, region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"told": self._told, "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        """Raises StoreUnavailable, BusUnavailable: start it again."""
        await self._bus.ensure_dead_letters()
        while not stop.is_set():
            if not await self._round():
                await sleep_unless(stop, self._every_s)

    async def _round(self) -> bool:
        """One page; whether there may be more. Raises BusUnavailable when not all of it was taken."""
        await self._aside.look()
        async with transaction(self._pool) as connection:
            letters, unreadable = await store_dead.dead_letters(
                connection, self._region, limit=_PAGE, aside=self._aside.held
            )
        await self._aside.put(unreadable)
        await self._aside.close()
        if not letters:
            return bool(unreadable)
        # Between the transactions, not inside one: while the broker is slow, none shall hold up the feed of events.
        sequences = await self._bus.publish_batch([_message(one) for one in letters])
        taken = [one for one, sequence in zip(letters, sequences, strict=True) if sequence is not None]
        async with transaction(self._pool) as connection:
            await store_dead.dead_lettered(connection, self._region, taken)
        self._told += len(taken)
        _TOLD.inc(len(taken))
        if len(taken) < len(letters):
            raise BusUnavailable("some dead letters were not acknowledged; they are told again")
        return True


def _message(letter: DeadLetter) -> Outgoing:
    # Given up again after a replay it is another letter.
    message_id = f"{letter.event_id}:{letter.endpoint_id}:{letter.given_up_at.timestamp()}"
    return Outgoing(SUBJECT, message_id, orjson.dumps(letter._asdict()))
