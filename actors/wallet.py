"""The wallet actor: single writer of the wallets it hosts.

A wallet is activated by its first command (its epoch in the journal rises, so that any other copy can journal no more) and
passivated when idle. All mailboxes drain into one batch for the handler, which carries it out on the journal and the ledger.

Invariants: memory is a cache; the single writer is an optimisation, the guard is the epoch plus the ledger's ids; every
command is idempotent, so a batch whose outcome is unknown is asked again under the same ids, by whoever asked.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.deployment import Deployment
from actors.hosted import resolve
from actors.mailbox import MailboxLoop
from actors.runtime import ActorFailed, ActorUnavailable, Runtime
from cells.backends.postgres import passing
from cells.kit.command import Command, Journaled, Reply, StaleEpoch, WalletHandler
from residency import tasks
from residency.errors import KovraError, UnexpectedAnswer, place_of

_log = logging.getLogger("kovra.actors.wallet")


class UnknownWallet(KovraError):
    code = "unknown-wallet"
    status = 404
    title = "There is no such wallet"


@dataclass(slots=True)
class _Active:
    """A wallet in memory. `epoch` as the journal gave it; `used_at` on the monotonic clock, in seconds."""

    epoch: int
    used_at: float


class WalletActor:
    """Hosts wallets behind one handler, which lives in this process: a Service of actors.runtime."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        idle_after_s: float = 300.0,
        wallets_max: int = 10_000,
        batch_limit: int = 1_000,
        mailbox_bound: int = 10_000,
    ) -> None:
        self._deployment = deployment
        self._idle_after_s = idle_after_s
        self._wallets_max = wallets_max
        self._active: OrderedDict[str, _Active] = OrderedDict()
        self._leaving: set[str] = set()
        self._activating = asyncio.Lock()
        self._loop = MailboxLoop(self._run, batch_limit=batch_limit, mailbox_bound=mailbox_bound)
        self._handler: WalletHandler | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._calls = self._activations = self._passivations = self._stale = 0

    async def start(self, runtime: Runtime) -> None:
        deployment = self._deployment
        self._handler = await resolve(deployment.handler)(deployment.cell, deployment.rails(runtime))
        self._sweeper = tasks.keep(self._sweep, "the sweep of idle wallets")

    async def stop(self) -> None:
        await self._loop.close(ActorUnavailable("The wallet's actor was stopped; ask again."))
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        if self._handler is not None:
            await self._handler.close()

    async def ask_many(self, commands: Sequence[Command]) -> list[Reply]:
        """One reply each, in order: a value, or the KovraError that refused it."""
        self._calls += 1
        return await self._loop.ask_many(commands)

    def describe(self) -> Mapping[str, Any]:
        """Counts since start, and for each active wallet its epoch and mailbox, the most lately used last."""
        boxes = self._loop.mailbox_stats()
        wallets = {
            wallet_id: {"epoch": active.epoch, **(boxes[wallet_id].shown() if wallet_id in boxes else {})}
            for wallet_id, active in list(self._active.items())[-100:]
        }
        assert self._handler is not None
        return {
            **self._loop.stats.shown(),
            **self._handler.counts(),
            "calls": self._calls,
            "active": len(self._active),
            "activations": self._activations,
            "passivations": self._passivations,
            "stale": self._stale,
            "wallets": wallets,
        }

    async def _run(self, batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        """Carry out a batch; wallets found stale are activated anew and asked once more."""
        replies = list(await self._carry_out(batch, journaled))
        stale = [index for index, reply in enumerate(replies) if isinstance(reply, StaleEpoch)]
        if stale:
            self._stale += len(stale)
            self._drop({batch[index].wallet_id for index in stale})
            # Whoever activates last is the writer. Two copies that both get commands take turns, one batch at a time:
            # slow but safe, and over when every door has heard of the new placement.
            again = await self._carry_out([batch[index] for index in stale], journaled)
            for index, reply in zip(stale, again, strict=True):
                replies[index] = reply
            self._drop({batch[i].wallet_id for i in stale if isinstance(replies[i], StaleEpoch)})
        self._keep_within_bounds()
        return replies

    async def _carry_out(self, batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        assert self._handler is not None
        try:
            await self._activate(batch)
            known = [command for command in batch if command.wallet_id in self._active]
            epochs = {command.wallet_id: self._active[command.wallet_id].epoch for command in known}
            answered = await self._handler.run(known, epochs, journaled) if known else ()
            if len(answered) != len(known):
                raise UnexpectedAnswer("a handler answered more or fewer commands than it was given")
        except Exception as error:  # noqa: BLE001 - any failure must become an answer, or its callers wait for ever
            return await self._after(error, batch, journaled)
        replies = iter(answered)
        return [next(replies) if command.wallet_id in epochs else UnknownWallet() for command in batch]

    async def _after(self, error: Exception, batch: Sequence[Command], journaled: Journaled) -> Sequence[Reply]:
        """An outage leaves the whole batch unknown. Whatever else one command sets off must not become its neighbours'
        answer: halve the batch until that command stands alone. All ids may run again, so nothing is done twice.
        """
        if passing(error):
            _log.warning("a batch of %d ended unknown: %s", len(batch), place_of(error))
            return [error if isinstance(error, KovraError) else ActorUnavailable()] * len(batch)
        if len(batch) > 1:
            half = len(batch) // 2
            first, second = batch[:half], batch[half:]
            return [*await self._carry_out(first, journaled), *await self._carry_out(second, journaled)]
        if isinstance(error, KovraError):
            return [error]
        _log.error("%s %s met a bug: %s", batch[0].name, batch[0].command_id, place_of(error))
        return [ActorFailed()]

    async def _activate(self, batch: Sequence[Command]) -> None:
        assert self._handler is not None
        now = time.monotonic()
        missing: dict[str, None] = {}
        for command in batch:
            active = self._active.get(command.wallet_id)
            if active is None:
                missing[command.wallet_id] = None
            else:
                active.used_at = now
                self._active.move_to_end(command.wallet_id)
        if missing:
            await self._bring_in(list(missing), now)

    async def _bring_in(self, missing: Sequence[str], now: float) -> None:
        """One at a time: the batch before may be activating the same wallets, and each activation makes the one before it stale."""
        assert self._handler is not None
        async with self._activating:
            still = [one for one in missing if one not in self._active]
            epochs = await self._handler.activate(still) if still else {}
            self._activations += len(epochs)
            for wallet_id, epoch in epochs.items():
                self._active[wallet_id] = _Active(epoch, now)

    def _keep_within_bounds(self) -> None:
        """Passivate what has been idle longest, down to the bound and the idle time."""
        oldest_allowed = time.monotonic() - self._idle_after_s
        surplus = len(self._active) - self._wallets_max
        leaving: set[str] = set()
        for wallet_id, active in self._active.items():
            if len(leaving) >= surplus and active.used_at > oldest_allowed:
                break
            if self._loop.idle(wallet_id):
                leaving.add(wallet_id)
        if leaving:
            self._passivations += len(leaving)
            self._drop(leaving)

    def _drop(self, wallet_ids: set[str]) -> None:
        """Write for these no more. What the handler remembers of them may still serve a batch under way; the sweep clears it away."""
        for wallet_id in wallet_ids:
            self._active.pop(wallet_id, None)
            if self._loop.idle(wallet_id):
                self._loop.forget(wallet_id)
        self._leaving |= wallet_ids

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(max(self._idle_after_s / 4, 0.01))
            await self._loop.between_batches(self._clear_away)

    async def _clear_away(self) -> None:
        assert self._handler is not None
        self._keep_within_bounds()
        gone, self._leaving = self._leaving - self._active.keys(), set()
        try:
            if gone:
                await self._handler.passivate(sorted(gone))
        except Exception as error:  # noqa: BLE001 - the epoch guards; a cache that stayed behind costs memory only
            _log.warning("could not passivate %d wallets: %s", len(gone), place_of(error))
