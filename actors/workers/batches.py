"""The batches' worker: brings every batch that is due one step on, again and again, until it rests.

It starts from the rows and holds nothing: validation and pricing are pages of their own transactions, and whatever moves money is asked of
the wallet's actor, a chunk at a time, so that single payments go in between. Killed anywhere, the next one goes on; twice at once,
each step is done once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from actors.runtime import ActorFailed
from actors.workers.aside import AsideRegister
from actors.workers.worker import sleep_unless
from cells.backends.postgres import passing, transaction
from cells.batches import store, store_status
from cells.batches.batch import Batch, State
from cells.batches.funding import AT_REST
from cells.batches.store_status import Busy
from cells.cell import Institution
from cells.fx.rates import RateSource
from cells.kit.command import Command, Reply
from residency.errors import KovraError

_log = logging.getLogger("kovra.batches")
_EVERY_S = 0.5
_PAGE = 100

_NONE_BUSY = Busy(frozenset(), frozenset())

Ask = Callable[[Sequence[Command]], Awaitable[Sequence[Reply]]]
_COMMAND = {State.FUNDING: "fund", State.FUNDED: "accept_lines", State.CLOSING: "give_back"}


class Batches:
    """One per cell. `ask`: the door to the wallets."""

    name = "batches"

    def __init__(self, institution: Institution, ask: Ask, rates: RateSource) -> None:
        self._institution = institution
        self._ask = ask
        self._room = institution.batches(rates)
        self._open = 0
        self._lines = 0
        self._asked_last: frozenset[tuple[str, State]] = frozenset()
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"due": self._open, "lines_taken": self._lines, "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await self.round():
                await sleep_unless(stop, _EVERY_S)

    async def round(self) -> bool:
        """One step of every batch that is due; whether any went on. Raises StoreUnavailable."""
        await self._aside.look()
        after, count, went_on, asked = "", 0, False, set[tuple[str, State]]()
        while page := await self._page(after):
            after, found = page
            count += len(found)
            for one, _ in found:
                if one.state in (State.VALIDATING, State.SCHEDULED):
                    went_on |= await self._prepare(one)
            asked |= {(one.batch_id, one.state) for one, command in found if command is not None}
            went_on |= await self._take({one.batch_id: command for one, command in found if command is not None})
        # What its wallet is asked again in the same state (its ledger is silent, or refuses what it must not) is asked after a pause.
        went_on |= not asked <= self._asked_last
        self._open, self._asked_last = count, frozenset(asked)
        await self._aside.close()
        return went_on

    async def _page(self, after: str) -> tuple[str, list[tuple[Batch, Command | None]]] | None:
        """Batches that are due after that id, each with what its wallet is to be asked, and the id after which to go on."""
        region = self._institution.spec.region
        async with transaction(self._institution.pool) as connection:
            found, unreadable = await store.due(connection, region, after, _PAGE, self._aside.held)
            processing = [one.batch_id for one in found if one.state is State.PROCESSING]
            busy = await store_status.busy(connection, region, processing, AT_REST) if processing else _NONE_BUSY
        await self._aside.put(unreadable)
        if not found and not unreadable:
            return None
        last = max([*(one.batch_id for one in found[-1:]), *unreadable])
        return last, [(one, _command(one, busy)) for one in found]

    async def _prepare(self, batch: Batch) -> bool:
        """One that cannot be looked at now holds up no other."""
        try:
            async with transaction(self._institution.pool) as connection:
                return await self._room.prepare(connection, batch.batch_id)
        except KovraError as error:
            _log.warning("%s waits: %s", batch.batch_id, error.code)
        except Exception as error:
            if passing(error):
                raise
            await self._aside.put({batch.batch_id: error})
        return False

    async def _take(self, commands: Mapping[str, Command]) -> bool:
        """Ask the wallets, by the ids of the batches; whether any line was taken up. A batch that trips its wallet's actor is set aside."""
        taken, faults = 0, dict[str, Exception]()
        replies = await self._ask(list(commands.values())) if commands else ()
        for batch_id, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ActorFailed):
                faults[batch_id] = reply
            elif isinstance(reply, KovraError):
                _log.warning("a wallet did not take up its batch: %s", reply.code)
            else:
                taken += reply or 0
        await self._aside.put(faults)
        self._lines += taken
        return taken > 0


def _command(batch: Batch, busy: Busy) -> Command | None:
    """What the wallet is to be asked for a batch, under an id of its own each time: what was done before is not done again."""
    name = _COMMAND.get(batch.state)
    if batch.state is State.PROCESSING:
        waits = batch.batch_id in busy.waiting
        name = "accept_lines" if waits else None if batch.batch_id in busy.moving else "give_back"
    if name is None:
        return None
    word = f"{datetime.now(UTC):%H%M%S%f}"
    return Command(f"{batch.batch_id}:{name}:{word}", batch.wallet_id, name, batch.batch_id)
