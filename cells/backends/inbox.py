"""The receiving end of a link: what one origin's broker pushes to this cell, gathered into batches.

Whoever controls the transit can push here, too, and choose every field of a message. So nothing of it is
believed: admission judges the body, and an answer goes to the origin's own consumer or nowhere.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from residency.links import Corridor

# The origin sends no more than this ahead of the acks.
UNACKED_MAX = 1024

Publish = Callable[[str, bytes], Awaitable[None]]

log = logging.getLogger("kovra.bus")


class Carried(Protocol):
    """What the driver hands over."""

    @property
    def subject(self) -> str: ...
    @property
    def reply(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str] | None: ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from another cell, to be admitted and then acked. `deliveries` counts from one.

    `sequence` is that of the origin's stream, and 0 for a message which did not come from the origin's
    consumer: such a one is for admission to refuse, and the three answers do nothing. All raise
    BusUnavailable.
    """

    subject: str
    message_id: str
    body: bytes
    sequence: int
    deliveries: int
    _reply: str
    _publish: Publish

    async def ack(self) -> None:
        """Do not send it again. Only after the inbox row is committed."""
        await self._answer(b"+ACK")

    async def nak(self, delay_s: float) -> None:
        """Send it again after `delay_s`."""
        await self._answer(b"-NAK " + json.dumps({"delay": int(delay_s * 1e9)}).encode())

    async def term(self) -> None:
        """Never send it again: it was refused, and the refusal is on the record."""
        await self._answer(b"+TERM")

    async def _answer(self, payload: bytes) -> None:
        if self.sequence:
            await self._publish(self._reply, payload)


class Inbox:
    """What one origin sends us. Use from one task; `Bus.inbox` builds it."""

    def __init__(self, corridor: Corridor, publish: Publish) -> None:
        numbers = r"(?P<deliveries>\d+)\.(?P<sequence>\d+)\.\d+\.\d+\.\d+"
        # An ack is a publish with our permissions: to $JS.API.STREAM.DELETE, if a reply subject were trusted.
        self._reply = re.compile(re.escape(corridor.acks.removesuffix(">")) + numbers, re.ASCII)
        self._publish = publish
        self._arrived: asyncio.Queue[Arrived] = asyncio.Queue(4 * UNACKED_MAX)
        self._heard_at: float | None = None

    @property
    def silent_s(self) -> float | None:
        """How long ago the origin's broker was last heard, which on a live link is every 2 s. None: never."""
        return None if self._heard_at is None else time.monotonic() - self._heard_at

    async def fetch(self, batch: int, timeout_s: float) -> list[Arrived]:
        """At least one message as soon as there is one, at most `batch`; none after `timeout_s`.

        The batch is what has gathered: nothing waits for more. In order of arrival, which a redelivery
        upsets.
        """
        try:
            async with asyncio.timeout(timeout_s):
                messages = [await self._arrived.get()]
        except TimeoutError:
            return []
        while len(messages) < batch and not self._arrived.empty():
            messages.append(self._arrived.get_nowait())
        return messages

    async def receive(self, message: Carried) -> None:
        """Take one message from the driver."""
        self._heard_at = time.monotonic()
        headers = message.headers or {}
        if "Status" in headers:  # a heartbeat
            return
        came = self._reply.fullmatch(message.reply)
        arrived = Arrived(
            message.subject,
            headers.get("Nats-Msg-Id", ""),
            message.data,
            int(came["sequence"]) if came else 0,
            int(came["deliveries"]) if came else 1,
            message.reply,
            self._publish,
        )
        try:
            self._arrived.put_nowait(arrived)
        except asyncio.QueueFull:
            log.warning("an inbox is full; the dropped message comes again if it was the origin's")
