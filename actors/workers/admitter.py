"""Into the cell: one admitter per origin, in the order of its corridor.

A batch off the link, one transaction that verifies, orders and logs it and makes its legs; then the wallets are told, and the broker
hears of it. An ack is never the commit; a wallet that was not told is found by the sweep.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from prometheus_client import Counter

from actors.wallets import Wallets
from actors.workers.aside import AsideRegister, apart
from actors.workers.exporter import Exporter
from cells.backends import store_aside
from cells.backends.nats import Arrived, Bus, BusUnavailable, Inbox
from cells.backends.postgres import Connection, StoreUnavailable, passing, transaction
from cells.cell import Institution
from cells.customs.admit import Admitted, Duplicate, Gap, Refused, admit, admitted_before
from cells.customs.receipts import Closed, close_through
from cells.kit.command import Command
from cells.kit.metrics import BATCHES
from cells.payments import border
from cells.payments.machine import Event
from cells.payments.recovery import told_by_answer
from cells.payments.transfer import Told, Transfer
from cells.returns.book import return_command
from cells.returns.receive import admit_returns
from residency import tasks
from residency.envelope import OpenedEnvelope
from residency.errors import KovraError
from residency.ids import compact
from residency.links import Corridor
from residency.messages import Receipt

_log = logging.getLogger("kovra.border")
_ADMIT_BATCH = 500
_FETCH_TIMEOUT_S = 1.0
_GAP_DELAY_S = 0.2

_ADMITTED = Counter(
    "kovra_border_admitted_envelopes", "Envelopes verified and logged on the way in", ["cell", "origin"]
)
_REFUSED = Counter("kovra_border_refused_envelopes", "Envelopes that the gate turned away", ["cell", "origin"])


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
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        silent = self._inbox.silent_s if self._inbox else None
        return {
            "admitted": self._admitted,
            "refused": self._refused,
            "silent_s": silent,
            "aside": len(self._aside.held),
        }

    async def run(self, stop: asyncio.Event) -> None:
        if self._inbox is None:
            self._inbox = await self._bus.inbox(self._corridor)
        while not stop.is_set():
            arrived = await self._inbox.fetch(_ADMIT_BATCH, _FETCH_TIMEOUT_S)
            try:
                await self._try_again()
            except StoreUnavailable as error:
                _log.warning("%s: what is set aside waits: %s", self.name, error.code)
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
        try:
            await self._admit(envelopes)
        except Exception as error:
            if passing(error):
                raise
            for one in envelopes:
                await self._admit([one], alone=True)

    async def _admit(self, envelopes: Sequence[Arrived], *, alone: bool = False) -> None:
        """Admit in order, and act upon what was admitted, in one commit. `alone`: an envelope that cannot be acted upon is admitted all
        the same, since its corridor has no hole, and set aside in the same commit with what it says."""
        institution, spec = self._institution, self._institution.spec
        async with transaction(institution.pool) as connection:
            decisions = await admit(connection, spec, institution.keys, spec.directory, [one.body for one in envelopes])
            admitted = [one for one in decisions if isinstance(one, Admitted)]
            commands: Sequence[Command] = ()
            try:
                async with connection.transaction() if alone else nullcontext():
                    commands = await self._act(connection, admitted)
            except Exception as error:
                if passing(error) or not alone:
                    raise
                name = _name(admitted[0].opened)
                await self._aside.put_with(connection, {name: error}, {name: envelopes[0].body})
        self._admitted += len(admitted)
        _ADMITTED.labels(spec.name, self._origin).inc(len(admitted))
        BATCHES.observe(len(envelopes), "admit")
        # The commit stands: the payments go on first, and the broker hears of it meanwhile.
        self._tell(commands)
        for one, decision in zip(envelopes, decisions, strict=True):
            await self._acknowledge(one, decision)
        self._exporter.owe_receipt()

    async def _act(self, connection: Connection, admitted: Sequence[Admitted]) -> list[Command]:
        """Make the legs, keep the answers and the returns; what the wallets are to be told. Done twice it does nothing new."""
        region = self._institution.spec.region
        legs = await self._institution.destination.admit(connection, admitted)
        answered = await border.admit_answers(connection, region, admitted)
        returned = await admit_returns(connection, self._institution.spec.name, region, admitted)
        return [*map(_taken, legs), *map(_answer, answered), *map(return_command, returned)]

    async def _try_again(self) -> None:
        """What was admitted and set aside, and whose turn has come again."""
        due = await self._aside.look()
        if not due:
            return
        institution, spec = self._institution, self._institution.spec
        async with transaction(institution.pool) as connection:
            kept = await store_aside.envelopes(connection, spec.region, self.name, due)

        async def act(names: Sequence[str]) -> Sequence[Command]:
            async with transaction(institution.pool) as connection:
                admitted = [
                    await admitted_before(connection, spec, institution.keys, spec.directory, *kept[one])
                    for one in names
                ]
                return await self._act(connection, admitted)

        done, culprits = await apart(list(kept), act)
        await self._aside.put(dict(culprits))
        await self._aside.close()
        self._tell([command for some in done for command in some])

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
            await border.receipted(connection, spec.region, [moved for one in closed for moved in one.instructed])
        for one, result in zip(receipts, taken, strict=True):
            await (one.ack() if isinstance(result, Closed) else one.term())
        for peer, through in {one.peer: one.through for one in closed}.items():
            await self._exporter.receipted(peer, through)

    def _tell(self, commands: Sequence[Command]) -> None:
        """Tell the wallets while the next batch is admitted. What is not taken is found by the sweep."""
        if not commands:
            return
        task = tasks.start(self._tell_quietly(commands), f"{self.name}, telling wallets")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_quietly(self, commands: Sequence[Command]) -> None:
        for reply in await self._wallets.ask_many(commands):
            if isinstance(reply, KovraError):
                _log.warning("%s: a wallet was not told: %s", self.name, reply.code)


def _name(opened: OpenedEnvelope) -> str:
    return f"{opened.transfer_id}:{opened.message.kind}:{opened.sequence}"


def _taken(leg: Transfer) -> Command:
    told = Told(leg.transfer_id, Event.TAKEN)
    return Command(f"{leg.transfer_id}:{told.event}", leg.wallet_id, "tell", told)


def _answer(transfer: Transfer) -> Command:
    told = told_by_answer(transfer)
    return Command(f"{transfer.transfer_id}:{told.event}", transfer.wallet_id, "tell", told)
