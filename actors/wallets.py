"""The door to the wallets, for the API and for every process of the cell that gives a wallet something to do.

Commands for one hosting actor are coalesced: while calls to it are in flight (two at most, so that it never idles), what
arrives gathers and goes as one call. At rest a command leaves at once.

Invariants: a command keeps its id through every retry; after ActorUnavailable the actor is resolved anew and the same
commands are asked once more, within the deadline; what is then not answered is unknown, never failed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from actors.mailbox import MailboxFull
from actors.placement import Placement
from actors.runtime import ActorFailed, ActorUnavailable, DeadlineMissed, Handle, Runtime, ServiceSpec
from cells.kit.command import Command, Reply
from residency import tasks
from residency.errors import KovraError, place_of
from residency.retry import Backoff, retried

_log = logging.getLogger("kovra.actors.wallets")

_Waiting = tuple[Command, "asyncio.Future[Reply]"]
_BACKOFF = Backoff(0.02, 0.5)


class Wallets:
    """One per process. `service` says how to spawn the actor of a name, when there is none yet."""

    def __init__(
        self,
        runtime: Runtime,
        placement: Placement,
        service: Callable[[str], ServiceSpec],
        *,
        deadline_s: float = 10.0,
        in_flight: int = 2,
        call_limit: int = 1_000,
        waiting_max: int = 20_000,
    ) -> None:
        self._runtime = runtime
        self._placement = placement
        self._service = service
        self._deadline_s = deadline_s
        self._in_flight = in_flight
        self._call_limit = call_limit
        self._waiting_max = waiting_max
        self._channels: dict[str, HostChannel] = {}

    async def ask(self, command: Command, *, deadline_s: float | None = None) -> Any:
        """The command's value. Raises the KovraError that refused it; ActorUnavailable when the outcome is unknown."""
        future = self._channel(command.wallet_id).put(command)
        try:
            async with asyncio.timeout(self._deadline_s if deadline_s is None else deadline_s):
                reply = await future
        except TimeoutError:
            raise DeadlineMissed() from None
        if isinstance(reply, KovraError):
            raise reply
        return reply

    async def ask_many(self, commands: Sequence[Command], *, deadline_s: float | None = None) -> list[Reply]:
        """One reply each, in order; failures, full mailboxes and unknown outcomes are replies too."""
        futures: list[asyncio.Future[Reply] | KovraError] = []
        for command in commands:
            try:
                futures.append(self._channel(command.wallet_id).put(command))
            except MailboxFull as full:
                futures.append(full)
        waited = [future for future in futures if isinstance(future, asyncio.Future)]
        if waited:
            await asyncio.wait(waited, timeout=self._deadline_s if deadline_s is None else deadline_s)
        return [_reply_of(future) for future in futures]

    def host_of(self, wallet_id: str) -> str:
        """The name of the actor that this door asks for a wallet."""
        return self._placement.host_of(wallet_id)

    def move(self, placement: Placement) -> None:
        """Use another placement from now on. What already waits goes where it was bound."""
        self._placement = placement

    async def close(self) -> None:
        """Wait for the calls in flight; what has not left yet is answered as unknown."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, wallet_id: str) -> "HostChannel":
        host = self._placement.host_of(wallet_id)
        channel = self._channels.get(host)
        if channel is None:
            channel = self._channels[host] = HostChannel(
                self._runtime,
                self._service(host),
                deadline_s=self._deadline_s,
                in_flight=self._in_flight,
                call_limit=self._call_limit,
                waiting_max=self._waiting_max,
            )
        return channel


class HostChannel:
    """The commands on their way to one hosting actor."""

    def __init__(
        self,
        runtime: Runtime,
        service: ServiceSpec,
        *,
        deadline_s: float,
        in_flight: int,
        call_limit: int,
        waiting_max: int,
    ) -> None:
        self._runtime = runtime
        self._service = service
        self._deadline_s = deadline_s
        self._in_flight = in_flight
        self._call_limit = call_limit
        self._waiting_max = waiting_max
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._handle: Handle | None = None
        self._pump_due = False

    def put(self, command: Command) -> "asyncio.Future[Reply]":
        """Raises MailboxFull."""
        if len(self._waiting) >= self._waiting_max:
            raise MailboxFull()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((command, future))
        if not self._pump_due:
            # At the end of this turn of the loop, so that commands which arrived together leave together.
            self._pump_due = True
            loop.call_soon(self._pump)
        return future

    async def close(self) -> None:
        while self._waiting:
            _settle(self._waiting.popleft()[1], ActorUnavailable())
        if self._calls:
            await asyncio.wait(self._calls)

    def _pump(self) -> None:
        self._pump_due = False
        while self._waiting and len(self._calls) < self._in_flight:
            batch: list[_Waiting] = []
            while self._waiting and len(batch) < self._call_limit:
                waiting = self._waiting.popleft()
                if not waiting[1].done():  # done already: its caller gave up before it left
                    batch.append(waiting)
            if batch:
                call = tasks.start(self._call(batch), f"a call to {self._service.name}")
                self._calls.add(call)
                call.add_done_callback(partial(self._called, batch))

    def _called(self, batch: list[_Waiting], call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        for _, future in batch:
            # Unanswered still: the call was ended before it could say anything.
            _settle(future, ActorUnavailable())
        self._pump()

    async def _call(self, batch: list[_Waiting]) -> None:
        commands = [command for command, _ in batch]
        replies: Sequence[Reply]
        try:
            replies = await self._answered(commands)
        except KovraError as failure:
            replies = [failure] * len(batch)
        except Exception as bug:  # noqa: BLE001 - such as a body that does not pickle: its callers must hear of it
            _log.error("a call to %s failed: %s", self._service.name, place_of(bug))
            replies = [ActorFailed()] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            _settle(future, reply)

    async def _answered(self, commands: list[Command]) -> Sequence[Reply]:
        """Ask; if the actor was not there, wait until it is, and ask the same once more. All within the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_s
        try:
            return await self._ask(commands, until)
        except DeadlineMissed:
            raise
        except ActorUnavailable:
            self._handle = None
        await self._reachable(until)
        return await self._ask(commands, until)

    async def _ask(self, commands: list[Command], until: float) -> Sequence[Reply]:
        if self._handle is None:
            self._handle = await self._runtime.spawn(self._service)
        left_s = until - asyncio.get_running_loop().time()
        replies: Sequence[Reply] = await self._handle.ask("ask_many", commands, deadline_s=left_s)
        return replies

    async def _reachable(self, until: float) -> None:
        """Return when the actor runs; raises DeadlineMissed when it does not in time."""

        async def look() -> None:
            try:
                self._handle = await self._runtime.spawn(self._service)
                if (await self._handle.described(deadline_s=1.0)).state != "running":
                    raise ActorUnavailable("The actor is starting.")
            except ActorUnavailable:
                self._handle = None
                raise

        try:
            await retried(look, _BACKOFF, within_s=until - asyncio.get_running_loop().time())
        except ActorUnavailable:
            raise DeadlineMissed() from None


def _settle(future: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)


def _reply_of(future: "asyncio.Future[Reply] | KovraError") -> Reply:
    if isinstance(future, KovraError):
        return future
    if not future.done():
        future.cancel()
        return DeadlineMissed()
    return future.result()
