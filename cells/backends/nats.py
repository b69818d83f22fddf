"""The cell's own NATS: streams of the links, publishing, fetching. The only file that imports the driver.

JetStream is transport, not record. The outbox row is closed by the destination's signed receipt and the inbox
row is what admits, so everything here may be lost, repeated, out of order or late:

- `FX_OUT_<to>`, one per destination, keeps messages by *limits*: what the peer acknowledges is not sent
  again, and deletes nothing. Sealed copies go with `purge_through` on receipt, and after `KEPT_S` in any
  case; what was not received by then is published again from the outbox. Full means refused (`discard: new`),
  never silently dropped.
- `WEBHOOK_DLQ` keeps the ids of webhook deliveries that were given up, for thirty days, here and nowhere else.
- The origin's own push consumer delivers over the link straight to the destination's worker, which holds an
  `Inbox` per origin and acks after the inbox row is committed. While nobody listens (worker, link or transit
  down) nothing is delivered and all waits; when somebody listens again it flows at once. What was under way
  when a link broke comes again after `ACK_WAIT_S`. Nothing is stored at the destination, and no part of the
  JetStream API crosses a border (infra/local/nats.py says why that beats sourcing the stream).

A message id is deduplicated for `DUPLICATE_WINDOW_S` only. Whoever publishes an unreceipted message again
uses a new id or waits longer than that; the inbox row is what makes a repetition harmless.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import nats
from nats.aio.client import Client
from nats.js import api
from nats.js import errors as js_errors

from cells.backends.inbox import UNACKED_MAX, Arrived, Inbox
from residency import dead_letters
from residency.errors import KovraError
from residency.links import MESSAGE_MAX_BYTES, PAYLOAD_MAX_BYTES, STREAM_MAX_BYTES, Corridor, outgoing

__all__ = ["Arrived", "Bus", "BusUnavailable", "Inbox", "Outgoing", "open_bus"]

KEPT_S = 24 * 3600
DUPLICATE_WINDOW_S = 30
ACK_WAIT_S = 10
HEARTBEAT_S = 2

log = logging.getLogger("kovra.bus")


class BusUnavailable(KovraError):
    """The cell's own broker did not answer. What was sent may have arrived; sending it again is harmless."""

    code = "bus-unavailable"
    status = 503
    retryable = True
    title = "This cell's message broker is not reachable just now"


# What a lost, restarting or refusing server raises; everything else is a bug and travels up.
LOST = (
    OSError,
    TimeoutError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.NoServersError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    js_errors.NoStreamResponseError,
    js_errors.ServerError,
    js_errors.ServiceUnavailableError,
)


class Outgoing(NamedTuple):
    """One message to publish. `message_id` is what JetStream deduplicates by."""

    subject: str
    message_id: str
    body: bytes


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise BusUnavailable(f"{what}: {type(error).__name__}") from error


class Bus:
    """One connection to the cell's own broker, held for ever. Build it with `open_bus`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js = client.jetstream(timeout=5)

    async def ensure_streams(self, me: str, peers: Sequence[str]) -> None:
        """Create or amend every stream and consumer of `me` (compact name) towards `peers`. Idempotent.

        Call it at start, and again when publishing answers None for a whole batch: a wiped store comes back
        this way. Raises BusUnavailable.
        """
        with _translated("ensure streams"):
            for corridor in outgoing(me, peers):
                await self._ensure_stream(_stream(corridor))
                await self._js.add_consumer(corridor.stream, _consumer(corridor))

    async def ensure_dead_letters(self) -> None:
        """Create or amend the stream of dead letters. Idempotent. Raises BusUnavailable."""
        with _translated("ensure the stream of dead letters"):
            await self._ensure_stream(_DEAD_LETTERS)

    async def _ensure_stream(self, config: api.StreamConfig) -> None:
        try:
            await self._js.add_stream(config)
        except js_errors.BadRequestError as error:
            if error.err_code != 10058:  # name in use with another configuration
                raise
            await self._js.update_stream(config)

    async def publish_batch(self, messages: Sequence[Outgoing], deadline_s: float = 5.0) -> list[int | None]:
        """Publish all, pipelined, and wait until each is on disk.

        Returns for each, in order, its sequence in its stream, or None when that is not known at the deadline
        (it may have arrived) or it was refused (the stream is full, or gone). Raises BusUnavailable when not
        connected.
        """
        if not self._client.is_connected:
            raise BusUnavailable("publish: not connected")
        futures: list[asyncio.Future[api.PubAck]] = []
        try:
            async with asyncio.timeout(deadline_s):
                for message in messages:
                    assert len(message.body) <= MESSAGE_MAX_BYTES, "an envelope has a limit of its own"
                    headers = {"Nats-Msg-Id": message.message_id}
                    ack = await self._js.publish_async(message.subject, message.body, headers=headers)
                    futures.append(ack)
                if futures:
                    await asyncio.wait(futures)
        except LOST as error:
            log.warning("publishing stopped early: %s", type(error).__name__)
        sequences = [_acknowledged(future) for future in futures]
        return sequences + [None] * (len(messages) - len(sequences))

    async def inbox(self, corridor: Corridor) -> Inbox:
        """Listen to one incoming corridor, as long as the bus lives. Raises BusUnavailable.

        A second listener of the cell gets the same messages, too.
        """
        inbox = Inbox(corridor, self._answer)
        with _translated("open inbox"):
            await self._client.subscribe(corridor.delivery, cb=inbox.receive)
            await self._client.flush()
        return inbox

    async def _answer(self, subject: str, payload: bytes) -> None:
        with _translated("answer"):
            await self._client.publish(subject, payload)

    async def purge_through(self, corridor: Corridor, sequence: int) -> None:
        """Delete an outgoing corridor's messages up to and with `sequence`, one that publish_batch returned.

        For when the destination's receipt covers them. Raises BusUnavailable.
        """
        with _translated("purge"):
            await self._js.purge_stream(corridor.stream, seq=sequence + 1)

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    @property
    def reconnects(self) -> int:
        """How often the broker has been away and come back. Each time it may have lost everything."""
        return int(self._client.stats["reconnects"])

    async def ping(self, timeout_s: float = 1.0) -> float:
        """Round trip to the broker in seconds. Raises BusUnavailable."""
        if not self._client.is_connected:
            raise BusUnavailable("ping: not connected")
        started = time.monotonic()
        with _translated("ping"):
            async with asyncio.timeout(timeout_s):
                await self._client.flush()
        return time.monotonic() - started

    async def close(self) -> None:
        await self._client.close()


async def open_bus(url: str, *, seed: str, name: str, timeout_s: float = 10.0) -> Bus:
    """Connect to the cell's own broker and stay connected, coming back for ever.

    `seed` is the nkey seed of the cell's worker; `name` shows in the broker's monitoring. Raises
    BusUnavailable when there is no answer in `timeout_s`.
    """

    async def complain(error: Exception) -> None:
        log.warning("%s: %s", name, type(error).__name__)

    with _translated("connect"):
        async with asyncio.timeout(timeout_s):
            client = await nats.connect(
                url,
                name=name,
                nkeys_seed_str=seed,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,
                connect_timeout=2,
                error_cb=complain,
            )
    return Bus(client)


def _acknowledged(future: "asyncio.Future[api.PubAck]") -> int | None:
    if not future.done():
        future.cancel()  # gives its place in the driver's window back
        return None
    return None if future.cancelled() or future.exception() else future.result().seq


def _stream(corridor: Corridor) -> api.StreamConfig:
    return api.StreamConfig(
        name=corridor.stream,
        subjects=[corridor.messages],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        max_age=KEPT_S,
        max_bytes=STREAM_MAX_BYTES,
        max_msg_size=PAYLOAD_MAX_BYTES,
        duplicate_window=DUPLICATE_WINDOW_S,
    )


_DEAD_LETTERS = api.StreamConfig(
    name=dead_letters.STREAM,
    subjects=[dead_letters.SUBJECT],
    retention=api.RetentionPolicy.LIMITS,
    storage=api.StorageType.FILE,
    discard=api.DiscardPolicy.OLD,
    max_age=dead_letters.KEPT_S,
    max_bytes=dead_letters.STREAM_MAX_BYTES,
    max_msg_size=dead_letters.LETTER_MAX_BYTES,
    duplicate_window=DUPLICATE_WINDOW_S,
)


def _consumer(corridor: Corridor) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        name=corridor.consumer,
        durable_name=corridor.consumer,
        deliver_subject=corridor.delivery,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_ack_pending=UNACKED_MAX,
        idle_heartbeat=HEARTBEAT_S,
    )
