"""The cell's own NATS: streams of the links, publishing, fetching. The only file that imports the driver.

JetStream is transport, not record. The outbox row is closed by the destination's signed receipt and the inbox row
is what admits, so everything here may be lost, repeated or late:

- `FX_OUT_<to>`, one per destination, keeps messages by *limits*: a peer's flow control says how far its copy is,
  and deletes nothing. Sealed copies go with `purge_through` on receipt, and after `KEPT_S` in any case; what was not
  received by then is published again from the outbox. Full means refused (`discard: new`), never silently dropped.
- `FX_IN_<from>`, one per origin, sources that origin's stream and is a *work queue*: an ack, sent after the inbox
  row is committed, deletes the copy. One per origin because peers are not friends: one that floods fills its own
  stream, a source that must start afresh leaves the others alone, and admission is in order per corridor anyway.
- The origin creates the consumer through which its stream is sourced (infra/local/nats.py says why), so a peer can
  ask for nothing but its own messages. That is durable sourcing, of NATS 2.14.

A message id is deduplicated for `DUPLICATE_WINDOW_S` only, in both streams. Whoever publishes an unreceipted message
again uses a new id or waits longer than that; the inbox row is what makes a repetition harmless.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import errors as js_errors
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    ExternalStream,
    PubAck,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamConsumerSource,
    StreamSource,
)

from residency.errors import KovraError
from residency.links import MESSAGE_MAX_BYTES, STREAM_MAX_BYTES, Corridor, incoming, outgoing

KEPT_S = 24 * 3600
DUPLICATE_WINDOW_S = 30
ADMISSION = "admission"
ACK_WAIT_S = 30.0
UNACKED_MAX = 4096
PULL_EXPIRES_S = 10.0

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


class LinkState(NamedTuple):
    """What comes from one origin: messages not sourced yet, as far as known, and how long it has been silent.

    A live link is heard every second; `silent_s` is None when it was never heard.
    """

    origin: str
    waiting: int
    silent_s: float | None


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise BusUnavailable(f"{what}: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from another cell, to be admitted and then acked. `deliveries` counts from one."""

    subject: str
    message_id: str
    body: bytes
    sequence: int
    deliveries: int
    _message: Msg

    async def ack(self) -> None:
        """Delete it from the stream. Only after the inbox row is committed."""
        with _translated("ack"):
            await self._message.ack()

    async def nak(self, delay_s: float) -> None:
        """Deliver it again after `delay_s`."""
        with _translated("nak"):
            await self._message.nak(delay_s)

    async def term(self) -> None:
        """Delete it and never deliver it again: it was refused, and the refusal is on the record."""
        with _translated("term"):
            await self._message.term()


class Inbox:
    """What one origin sends us, pulled in batches. Use from one task; build it with `Bus.inbox`."""

    def __init__(self, client: Client, corridor: Corridor) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{corridor.in_stream}.{ADMISSION}"
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._reply = client.new_inbox()
        self._asked = 0
        self._asked_until = 0.0

    async def fetch(self, batch: int, timeout_s: float) -> list[Arrived]:
        """At least one message as soon as there is one, at most `batch`; none after `timeout_s`.

        The batch is what has gathered: nothing waits for more to come. Raises BusUnavailable.
        """
        # The driver's own fetch waits out its timeout once the first of several messages has come.
        deadline = time.monotonic() + timeout_s
        messages: list[Arrived] = []
        with _translated("fetch"):
            while not messages:
                await self._ask(batch)
                until = min(deadline, self._asked_until)
                try:
                    async with asyncio.timeout(max(0.0, until - time.monotonic())):
                        self._take(await self._arrived.get(), messages)
                except TimeoutError:
                    if time.monotonic() >= deadline:
                        return messages
                while len(messages) < batch and not self._arrived.empty():
                    self._take(self._arrived.get_nowait(), messages)
        return messages

    async def start(self) -> None:
        await self._client.subscribe(self._reply, cb=self._arrived.put)

    async def _ask(self, batch: int) -> None:
        """Leave one request standing at the server. It is lost with a connection, hence the expiry of our own."""
        if not self._arrived.empty() or (self._asked > 0 and time.monotonic() < self._asked_until):
            return
        self._asked, self._asked_until = batch, time.monotonic() + PULL_EXPIRES_S
        request = {"batch": batch, "expires": int(PULL_EXPIRES_S * 1e9)}
        await self._client.publish(self._next, json.dumps(request).encode(), self._reply)

    def _take(self, message: Msg, into: list[Arrived]) -> None:
        headers = message.headers or {}
        if "Status" in headers:  # the standing request ended without (more) messages
            self._asked = 0
            return
        self._asked -= 1
        meta = message.metadata
        into.append(
            Arrived(
                message.subject,
                headers.get("Nats-Msg-Id", ""),
                message.data,
                meta.sequence.stream,
                meta.num_delivered,
                message,
            )
        )


class Bus:
    """One connection to the cell's own broker, held for ever. Build it with `open_bus`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js = client.jetstream(timeout=5)

    async def ensure_streams(self, me: str, peers: Sequence[str]) -> None:
        """Create or amend every stream and consumer of `me` (compact name) towards `peers`. Idempotent.

        Call it at start, and again whenever a publish or fetch says BusUnavailable for long: a wiped store
        comes back this way. Raises BusUnavailable.
        """
        with _translated("ensure streams"):
            for corridor in outgoing(me, peers):
                await self._ensure_stream(_out_stream(corridor))
                await self._js.add_consumer(corridor.out_stream, _link_consumer(corridor))
            for corridor in incoming(me, peers):
                await self._ensure_stream(_in_stream(corridor))
                await self._js.add_consumer(corridor.in_stream, _admission_consumer())

    async def _ensure_stream(self, config: StreamConfig) -> None:
        try:
            await self._js.add_stream(config)
        except js_errors.BadRequestError as error:
            if error.err_code != 10058:  # name in use with another configuration
                raise
            await self._js.update_stream(config)

    async def publish_batch(self, messages: Sequence[Outgoing], deadline_s: float = 5.0) -> list[int | None]:
        """Publish all, pipelined, and wait until each is on disk.

        Returns for each, in order, its sequence in its stream, or None when that is not known at the deadline (it
        may have arrived) or it was refused (the stream is full, or gone). Raises BusUnavailable when not connected.
        """
        if not self._client.is_connected:
            raise BusUnavailable("publish: not connected")
        futures: list[asyncio.Future[PubAck]] = []
        try:
            async with asyncio.timeout(deadline_s):
                for message in messages:
                    assert len(message.body) <= MESSAGE_MAX_BYTES, "an envelope has a limit of its own"
                    headers = {"Nats-Msg-Id": message.message_id}
                    futures.append(await self._js.publish_async(message.subject, message.body, headers=headers))
                if futures:
                    await asyncio.wait(futures)
        except LOST as error:
            log.warning("publishing stopped early: %s", type(error).__name__)
        sequences = [_acknowledged(future) for future in futures]
        return sequences + [None] * (len(messages) - len(sequences))

    async def inbox(self, corridor: Corridor) -> Inbox:
        """The messages of one incoming corridor. Raises BusUnavailable."""
        inbox = Inbox(self._client, corridor)
        with _translated("open inbox"):
            await inbox.start()
        return inbox

    async def purge_through(self, corridor: Corridor, sequence: int) -> None:
        """Delete an outgoing corridor's messages up to and with `sequence` (of the stream, as publish_batch said).

        For when the destination's receipt covers them. Raises BusUnavailable.
        """
        with _translated("purge"):
            await self._js.purge_stream(corridor.out_stream, seq=sequence + 1)

    async def links(self, me: str, peers: Sequence[str]) -> list[LinkState]:
        """How each incoming link is. Raises BusUnavailable."""
        states = []
        with _translated("ask for links"):
            for corridor in incoming(me, peers):
                info = await self._js.stream_info(corridor.in_stream)
                assert info.sources, "an incoming stream has its one source"
                source = info.sources[0]
                heard = source.active is not None and source.active >= 0
                states.append(LinkState(corridor.origin, source.lag or 0, (source.active or 0) / 1e9 if heard else None))
        return states

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def ping(self, timeout_s: float = 1.0) -> float:
        """Round trip to the broker in seconds. Raises BusUnavailable."""
        started = time.monotonic()
        with _translated("ping"):
            await asyncio.wait_for(self._client.flush(), timeout_s)
        return time.monotonic() - started

    async def close(self) -> None:
        await self._client.close()


async def open_bus(url: str, *, seed: str, name: str, timeout_s: float = 10.0) -> Bus:
    """Connect to the cell's own broker and stay connected, coming back for ever. `name` shows in its monitoring.

    `seed` is the nkey seed of the cell's worker. Raises BusUnavailable when there is no answer in `timeout_s`.
    """

    async def complain(error: Exception) -> None:
        log.warning("%s: %s", name, type(error).__name__)

    with _translated("connect"):
        client = await asyncio.wait_for(
            nats.connect(
                url,
                name=name,
                nkeys_seed_str=seed,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,
                connect_timeout=2,
                error_cb=complain,
            ),
            timeout_s,
        )
    return Bus(client)


def _acknowledged(future: "asyncio.Future[PubAck]") -> int | None:
    if not future.done():
        future.cancel()  # gives its place in the driver's window back
        return None
    return None if future.cancelled() or future.exception() else future.result().seq


def _out_stream(corridor: Corridor) -> StreamConfig:
    return StreamConfig(
        name=corridor.out_stream,
        subjects=[corridor.messages],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=KEPT_S,
        max_bytes=STREAM_MAX_BYTES,
        max_msg_size=MESSAGE_MAX_BYTES,
        duplicate_window=DUPLICATE_WINDOW_S,
    )


def _link_consumer(corridor: Corridor) -> ConsumerConfig:
    """ADR-60: push, flow controlled, acked by flow control; a heartbeat of 1 s is what the server insists on."""
    return ConsumerConfig(
        name=corridor.consumer,
        durable_name=corridor.consumer,
        deliver_subject=corridor.delivery,
        ack_policy=AckPolicy.FLOW_CONTROL,
        flow_control=True,
        idle_heartbeat=1,
        max_ack_pending=UNACKED_MAX,
    )


def _in_stream(corridor: Corridor) -> StreamConfig:
    source = StreamSource(
        name=corridor.out_stream,
        external=ExternalStream(api=corridor.api, deliver=""),
        consumer=StreamConsumerSource(name=corridor.consumer, deliver_subject=corridor.delivery),
    )
    return StreamConfig(
        name=corridor.in_stream,
        sources=[source],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=KEPT_S,
        max_bytes=STREAM_MAX_BYTES,
        max_msg_size=MESSAGE_MAX_BYTES,
        duplicate_window=DUPLICATE_WINDOW_S,
    )


def _admission_consumer() -> ConsumerConfig:
    return ConsumerConfig(
        name=ADMISSION,
        durable_name=ADMISSION,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_ack_pending=UNACKED_MAX,
    )
