"""Out of the cell: one exporter takes what is due, in the order of its corridors.

One transaction transitions, signs and logs; then what is not published is published, with the receipts that are owed. Killed anywhere,
it goes on where the outbox stands.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from actors.workers.aside import AsideRegister, apart
from actors.workers.worker import sleep_unless
from cells.backends.nats import DUPLICATE_WINDOW_S, Bus, BusUnavailable, Outgoing
from cells.backends.postgres import listening, passing, transaction
from cells.cell import Institution
from cells.customs.receipts import OutgoingReceipt, make_receipts
from cells.customs.store_outbox import Publication, mark_published, overdue, unpublished
from cells.kit.metrics import BATCHES
from cells.payments import border
from cells.payments.step import EXPORT_CHANNEL
from residency import tasks
from residency.errors import place_of
from residency.ids import compact
from residency.links import Corridor, peers

_log = logging.getLogger("kovra.border")
_PUBLISH_BATCH = 500
# A wake-up that was lost with its connection costs this much.
_LOOK_EVERY_S = 0.5
# No payment waits for a receipt, and one speaks for all before it: an answer from the rail often overtakes it, and then says it too.
_RECEIPT_EVERY_S = 0.5
# Longer than the broker's deduplication window, or the broker would drop the repetition.
_OVERDUE = timedelta(seconds=DUPLICATE_WINDOW_S + 5)
_LOOK_FOR_OVERDUE_EVERY_S = 5.0

_EXPORTED = Counter("kovra_border_exported_envelopes", "Envelopes signed and logged on the way out", ["cell"])
_CONNECTED = Gauge("kovra_border_broker_connected", "1 while the cell's broker is reached", ["cell"])


class Exporter:
    """Everything that leaves the cell, in the order of its corridors. One per cell."""

    name = "exporter"

    def __init__(self, institution: Institution, bus: Bus) -> None:
        self._institution = institution
        self._bus = bus
        self._wake = asyncio.Event()
        self._exported = self._published = 0
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)
        # What an earlier process owed is on record, so the first look is for receipts, too.
        self._receipts_due = True
        self._receipt_timer: asyncio.TimerHandle | None = None
        # Per peer, which envelope is where in the stream. Forgotten with the process; the stream's age limit sees to the rest.
        self._in_stream: dict[str, deque[tuple[int, int]]] = {}
        # Which of the bus's connections the streams were made on; None: they are to be made.
        self._connection: int | None = None

    def owe_receipt(self) -> None:
        """Something was admitted. Its receipt leaves within _RECEIPT_EVERY_S, with those of all that is admitted until then."""
        if self._receipt_timer is None:
            self._receipt_timer = asyncio.get_running_loop().call_later(_RECEIPT_EVERY_S, self._receipts_fall_due)

    def _receipts_fall_due(self) -> None:
        self._receipt_timer, self._receipts_due = None, True
        self._wake.set()

    def health(self) -> Mapping[str, Any]:
        return {
            "exported": self._exported,
            "published": self._published,
            "aside": len(self._aside.held),
            "bus": self._bus.connected,
        }

    async def run(self, stop: asyncio.Event) -> None:
        repeat = tasks.keep(lambda: self._repeat_overdue(stop), "the repetition of what is overdue")
        try:
            async with listening(self._institution.pool, EXPORT_CHANNEL, self._wake.set) as connection:
                while not stop.is_set() and not connection.is_closed():
                    self._wake.clear()
                    if self._connection != self._bus.reconnects:
                        await self._begin_again()
                    if not await self._round():
                        await self._wait()
        finally:
            repeat.cancel()
            if self._receipt_timer is not None:
                self._receipt_timer.cancel()

    async def _begin_again(self) -> None:
        """The broker has been away, and may have come back with an empty disk: its streams are made, and what is not receipted is
        published again at once. Where nothing was lost, the broker drops the repetitions, or the destination does."""
        connection, spec = self._bus.reconnects, self._institution.spec
        await self._bus.ensure_streams(spec.entry.compact, peers(spec.directory, spec.name))
        self._in_stream.clear()
        async with transaction(self._institution.pool) as database:
            unreceipted = await overdue(database, timedelta(0))
        await self._publish(unreceipted, [])
        self._connection = connection

    async def _round(self) -> bool:
        """One look at everything that may be due, in one transaction, and then the broker; whether there was anything."""
        institution = self._institution
        spec = institution.spec
        await self._aside.look()
        try:
            async with transaction(institution.pool) as connection:
                exported, faults = await border.export_due(connection, institution.gate, self._aside.held)
                receipts = (
                    await make_receipts(connection, spec, institution.keys, spec.directory)
                    if self._receipts_due
                    else []
                )
                waiting = await unpublished(connection, _PUBLISH_BATCH)
        except Exception as error:
            if passing(error) or not await self._export_apart():
                raise
            return True
        await self._aside.put(faults)
        await self._aside.close()
        self._receipts_due = False
        self._exported += len(exported)
        _EXPORTED.labels(spec.name).inc(len(exported))
        _CONNECTED.labels(spec.name).set(self._bus.connected)
        if exported:
            BATCHES.observe(len(exported), "export")
        await self._publish(waiting, receipts)
        return bool(exported or waiting)

    async def _export_apart(self) -> bool:
        """One that cannot be exported must not hold up its neighbours; whether there was one. It keeps its funds held and its place in
        the record."""
        institution = self._institution
        async with transaction(institution.pool) as connection:
            waiting = await border.waiting(connection, institution.spec.region, self._aside.held)

        async def export(ids: Sequence[str]) -> int:
            async with transaction(institution.pool) as connection:
                exported, faults = await border.export_due(connection, institution.gate, only=ids)
            await self._aside.put(faults)
            return len(exported)

        done, culprits = await apart(waiting, export)
        await self._aside.put(dict(culprits))
        self._exported += sum(done)
        _EXPORTED.labels(institution.spec.name).inc(sum(done))
        return bool(culprits)

    async def _publish(self, waiting: Sequence[Publication], receipts: Sequence[OutgoingReceipt]) -> None:
        messages = [Outgoing(one.subject, one.message_id, one.envelope) for one in waiting]
        messages += [Outgoing(one.subject, one.message_id, one.envelope) for one in receipts]
        if not messages:
            return
        sequences = await self._bus.publish_batch(messages)
        known = [one for one, sequence in zip(waiting, sequences, strict=False) if sequence is not None]
        if not any(sequence is not None for sequence in sequences):
            # A wiped store has lost its streams.
            self._connection = None
            raise BusUnavailable("nothing of a batch was taken")
        if known:
            async with transaction(self._institution.pool) as connection:
                await mark_published(connection, known)
        self._published += len(known)
        for one, sequence in zip(waiting, sequences, strict=False):
            if sequence is not None:
                self._in_stream.setdefault(one.to_cell, deque()).append((one.sequence, sequence))

    async def receipted(self, peer: str, through: int) -> None:
        """The peer has what was sent up to `through`: its copies leave the stream now, sealed parts and all."""
        positions = self._in_stream.get(peer, deque())
        last = 0
        while positions and positions[0][0] <= through:
            last = max(last, positions.popleft()[1])
        if last:
            entry = self._institution.spec.entry
            await self._bus.purge_through(Corridor(entry.compact, compact(peer)), last)

    async def _repeat_overdue(self, stop: asyncio.Event) -> None:
        """What was published and not receipted in time is published again: a broker may have lost it."""
        while not stop.is_set():
            await sleep_unless(stop, _LOOK_FOR_OVERDUE_EVERY_S)
            try:
                async with transaction(self._institution.pool) as connection:
                    late = await overdue(connection, _OVERDUE)
                await self._publish(late, [])
            except Exception as error:  # noqa: BLE001 - whatever holds one up, the next look is for all of them again
                _log.warning("overdue envelopes wait: %s", place_of(error))

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            return
