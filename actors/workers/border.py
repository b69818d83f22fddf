"""The two workers at the border: the exporter (out) and one admitter per origin (in).

Out: take what is due, one transaction that transitions, signs and logs; then publish what is not published, and the receipts that
are owed. In: a batch off the link, one transaction that verifies, orders and logs it and makes its legs; then ack, then tell the
wallets. An ack is never the commit; a wallet that was not told is found by the sweep.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from actors.wallets import Wallets
from actors.workers.worker import sleep_unless
from cells.backends.nats import DUPLICATE_WINDOW_S, Arrived, Bus, BusUnavailable, Inbox, Outgoing
from cells.backends.postgres import StoreUnavailable, listening, transaction
from cells.cell import Institution
from cells.customs.admit import Admitted, Duplicate, Gap, Refused, admit
from cells.customs.receipts import Closed, OutgoingReceipt, close_through, make_receipts
from cells.customs.store_outbox import Publication, mark_published, overdue, unpublished
from cells.kit.command import Command
from cells.kit.metrics import BATCHES
from cells.transfers import handoff
from cells.transfers.machine import Event
from cells.transfers.recovery import told_by_answer
from cells.transfers.return_leg import return_command
from cells.transfers.return_reception import admit_returns
from cells.transfers.step import EXPORT_CHANNEL
from cells.transfers.transfer import Told, Transfer
from residency.errors import KovraError
from residency.ids import compact
from residency.links import Corridor, peers
from residency.messages import Receipt

_log = logging.getLogger("kovra.border")
_PUBLISH_BATCH = 500
_ADMIT_BATCH = 500
# A wake-up that was lost with its connection costs this much.
_LOOK_EVERY_S = 0.5
# Longer than the broker's deduplication window, or the broker would drop the repetition.
_OVERDUE = timedelta(seconds=DUPLICATE_WINDOW_S + 5)
_LOOK_FOR_OVERDUE_EVERY_S = 5.0
_FETCH_TIMEOUT_S = 1.0
_GAP_DELAY_S = 0.2

_EXPORTED = Counter("kovra_border_exported_envelopes", "Envelopes signed and logged on the way out", ["cell"])
_ADMITTED = Counter(
    "kovra_border_admitted_envelopes", "Envelopes verified and logged on the way in", ["cell", "origin"]
)
_REFUSED = Counter("kovra_border_refused_envelopes", "Envelopes that the gate turned away", ["cell", "origin"])
_ASIDE = Gauge("kovra_border_set_aside_transfers", "Transfers that could not be exported", ["cell"])
_CONNECTED = Gauge("kovra_border_broker_connected", "1 while the cell's broker is reached", ["cell"])


class Exporter:
    """Everything that leaves the cell, in the order of its corridors. One per cell."""

    name = "exporter"

    def __init__(self, institution: Institution, bus: Bus) -> None:
        self._institution = institution
        self._bus = bus
        self._wake = asyncio.Event()
        self._exported = self._published = 0
        self._aside: set[str] = set()
        # Per peer, which envelope is where in the stream. Forgotten with the process; the stream's age limit sees to the rest.
        self._in_stream: dict[str, deque[tuple[int, int]]] = {}
        # Which of the bus's connections the streams were made on; None: they are to be made.
        self._connection: int | None = None

    def wake(self) -> None:
        """Something may be due: an admission that owes a receipt, or a transfer that waits for export."""
        self._wake.set()

    def health(self) -> Mapping[str, Any]:
        return {
            "exported": self._exported,
            "published": self._published,
            "aside": len(self._aside),
            "bus": self._bus.connected,
        }

    async def run(self, stop: asyncio.Event) -> None:
        repeat = asyncio.create_task(self._repeat_overdue(stop))
        try:
            async with listening(self._institution.pool, EXPORT_CHANNEL, self.wake) as connection:
                while not stop.is_set() and not connection.is_closed():
                    self._wake.clear()
                    if self._connection != self._bus.reconnects:
                        await self._begin_again()
                    if not await self._round():
                        await self._wait()
        finally:
            repeat.cancel()

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
        try:
            async with transaction(institution.pool) as connection:
                exported = await handoff.export_due(connection, institution.gate, self._aside)
                receipts = await make_receipts(connection, spec, institution.keys, spec.directory)
                waiting = await unpublished(connection, _PUBLISH_BATCH)
        except KovraError as error:
            self._set_aside(error)
            return True
        self._exported += len(exported)
        _EXPORTED.labels(spec.name).inc(len(exported))
        _CONNECTED.labels(spec.name).set(self._bus.connected)
        if exported:
            BATCHES.observe(len(exported), "export")
        await self._publish(waiting, receipts)
        return bool(exported or waiting)

    def _set_aside(self, error: KovraError) -> None:
        """One that cannot be exported must not hold up its neighbours. It keeps its funds held and its place in the record."""
        transfer_id = error.extra.get("transfer_id")
        if transfer_id is None:
            raise error
        _log.critical("%s cannot be exported (%s) and is set aside", transfer_id, error.code)
        self._aside.add(transfer_id)
        _ASIDE.labels(self._institution.spec.name).set(len(self._aside))

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
            except KovraError as error:
                _log.warning("overdue envelopes wait: %s", error.code)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            return


class Admitter:
    """What one origin sends, admitted in order."""

    def __init__(self, institution: Institution, bus: Bus, origin: str, wallets: Wallets, exporter: Exporter) -> None:
        self.name = f"admitter-{compact(origin)}"
        self._institution = institution
        self._bus = bus
        self._origin = origin
        self._corridor = Corridor(compact(origin), institution.spec.entry.compact)
        self._wallets = wallets
        self._exporter = exporter
        self._inbox: Inbox | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._admitted = self._refused = 0

    def health(self) -> Mapping[str, Any]:
        silent = self._inbox.silent_s if self._inbox else None
        return {"admitted": self._admitted, "refused": self._refused, "silent_s": silent}

    async def run(self, stop: asyncio.Event) -> None:
        if self._inbox is None:
            self._inbox = await self._bus.inbox(self._corridor)
        while not stop.is_set():
            arrived = await self._inbox.fetch(_ADMIT_BATCH, _FETCH_TIMEOUT_S)
            if arrived:
                await self._take(sorted(arrived, key=lambda one: one.sequence))

    async def _take(self, arrived: Sequence[Arrived]) -> None:
        receipt_subject = self._corridor.subject(Receipt.kind)
        receipts = [one for one in arrived if one.subject == receipt_subject]
        envelopes = [one for one in arrived if one.subject != receipt_subject]
        try:
            await self._take_envelopes(envelopes)
            await self._take_receipts(receipts)
        except (StoreUnavailable, BusUnavailable) as error:
            _log.warning("%s: %d messages come again: %s", self.name, len(arrived), error.code)

    async def _take_envelopes(self, envelopes: Sequence[Arrived]) -> None:
        if not envelopes:
            return
        institution = self._institution
        spec = institution.spec
        async with transaction(institution.pool) as connection:
            decisions = await admit(connection, spec, institution.keys, spec.directory, [one.body for one in envelopes])
            admitted = [one for one in decisions if isinstance(one, Admitted)]
            legs = await institution.destination.admit(connection, admitted)
            answered = await handoff.admit_answers(connection, spec.region, admitted)
            returned = await admit_returns(connection, spec.name, spec.region, admitted)
        self._admitted += len(admitted)
        _ADMITTED.labels(spec.name, self._origin).inc(len(admitted))
        BATCHES.observe(len(envelopes), "admit")
        # The commit stands: the payments go on first, and the broker hears of it meanwhile.
        self._tell([*map(_taken, legs), *map(_answer, answered), *map(return_command, returned)])
        for one, decision in zip(envelopes, decisions, strict=True):
            await self._acknowledge(one, decision)
        self._exporter.wake()

    async def _acknowledge(self, one: Arrived, decision: object) -> None:
        match decision:
            case Admitted() | Duplicate():
                await one.ack()
            case Gap():
                await one.nak(_GAP_DELAY_S)
            case Refused(reason=reason):
                self._refused += 1
                _REFUSED.labels(self._institution.spec.name, self._origin).inc()
                _log.error("%s: refused an envelope: %s", self.name, reason)
                await one.term()

    async def _take_receipts(self, receipts: Sequence[Arrived]) -> None:
        institution = self._institution
        spec = institution.spec
        if not receipts:
            return
        # Need not be waited for: what a crash takes back is published again, and receipted again.
        async with transaction(institution.pool, flushed=False) as connection:
            taken = [await close_through(connection, spec, spec.directory, one.body) for one in receipts]
            closed = [one for one in taken if isinstance(one, Closed)]
            await handoff.receipted(connection, spec.region, [moved for one in closed for moved in one.instructed])
        for one, result in zip(receipts, taken, strict=True):
            await (one.ack() if isinstance(result, Closed) else one.term())
        for peer, through in {one.peer: one.through for one in closed}.items():
            await self._exporter.receipted(peer, through)

    def _tell(self, commands: Sequence[Command]) -> None:
        """Tell the wallets while the next batch is admitted. What is not taken is found by the sweep."""
        if not commands:
            return
        task = asyncio.create_task(self._tell_quietly(commands))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_quietly(self, commands: Sequence[Command]) -> None:
        for reply in await self._wallets.ask_many(commands):
            if isinstance(reply, KovraError):
                _log.warning("%s: a wallet was not told: %s", self.name, reply.code)


def _taken(leg: Transfer) -> Command:
    told = Told(leg.transfer_id, Event.TAKEN)
    return Command(f"{leg.transfer_id}:{told.event}", leg.wallet_id, "tell", told)


def _answer(transfer: Transfer) -> Command:
    told = told_by_answer(transfer)
    return Command(f"{transfer.transfer_id}:{told.event}", transfer.wallet_id, "tell", told)
