"""How our doors serve HTTP: uvicorn, with what a stranger may hold bounded, and several listeners before one process.

Until a request has been understood it costs whoever sent it as much as us. So its head is bounded in bytes and fields (431, RFC 6585
section 5), a head and each part of a body come within some seconds or the connection ends (408, RFC 9110 section 15.5.9), and one address
holds only so many connections. Nothing of what is refused here is logged.
"""

import asyncio
import os
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import orjson
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from residency.errors import KovraError
from residency.ids import mint

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BACKLOG = 2_048
_LINGER_S = 0.5
# Ids minted before a request has been understood carry no cell's name.
_NO_CELL = "ed-0"


class Listener(NamedTuple):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may hold. `connections_per_address_max` None: whoever calls is known (a router, a scheme's gateway)."""

    head_bytes_max: int = 16 * 1024
    head_fields_max: int = 100
    head_timeout_s: float = 10.0
    part_timeout_s: float = 10.0
    connections_per_address_max: int | None = None


class HeadTooLarge(KovraError):
    code = "request-head-too-large"
    status = 431
    title = "The request line and headers are too large"


class HeadInvalid(KovraError):
    code = "request-malformed"
    status = 400
    title = "That is no HTTP request"


class RequestIncomplete(KovraError):
    """Whoever asked hung up, or fell silent, before the request was whole."""

    code = "request-incomplete"
    status = 408
    title = "The request did not arrive whole"


class TooManyConnections(KovraError):
    code = "too-many-connections"
    status = 503
    retryable = True
    title = "Too many connections are open from this address"


class BoundedProtocol(HttpToolsProtocol):
    """One connection, within bounds; `bounds` are those of the process."""

    bounds: ClassVar[Bounds] = Bounds()
    _by_address: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_bytes = 0
        self._in_head = True
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._address = self.client[0] if self.client else ""
        self._by_address[self._address] += 1
        most = self.bounds.connections_per_address_max
        if most is not None and self._by_address[self._address] > most:
            self._refuse(TooManyConnections(f"{most} may be open at once."))
            return
        self._wait(self.bounds.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._by_address[self._address] -= 1
        if not self._by_address[self._address]:
            del self._by_address[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._timer is None:
                self._wait(self.bounds.head_timeout_s)
        else:
            self._wait(self.bounds.part_timeout_s)
        super().data_received(data)
        # What is left in the head when all of the data has been read is one that has not ended yet.
        if self._in_head and self._head_bytes > self.bounds.head_bytes_max:
            self._refuse_head()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._ended:
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.bounds.head_bytes_max or len(self.headers) > self.bounds.head_fields_max:
            self._refuse_head()
            return
        self._in_head, self._head_bytes = False, 0
        self._wait(self.bounds.part_timeout_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._ended:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._ended:
            return
        self._stop_waiting()
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """In place of the library's own text: a problem document, like every other failure."""
        self._refuse(HeadInvalid("Send a request line and headers as HTTP/1.1 has them (RFC 9112)."))

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self.flow.read_paused:
            # We are the slow one: nothing is read until the application has taken what came.
            self._wait(self.bounds.part_timeout_s)
            return
        if self._in_head and not self._head_bytes:
            # A connection that never asked for anything is closed, not answered.
            self._end()
            return
        seconds = self.bounds.head_timeout_s if self._in_head else self.bounds.part_timeout_s
        self._refuse(RequestIncomplete(f"Nothing more of it came for {seconds:g} seconds."))

    def _refuse_head(self) -> None:
        most = self.bounds
        self._refuse(
            HeadTooLarge(f"Together they have {most.head_bytes_max} bytes and {most.head_fields_max} fields at most.")
        )

    def _refuse(self, error: KovraError) -> None:
        """Say why, unless an answer is under way or was given, and end the connection."""
        before = self.cycle
        answered = before is not None and (
            before.response_started if not self._in_head else not before.response_complete
        )
        if not answered and not self.transport.is_closing():
            self.transport.write(_answer(error))
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing():
            return
        # Closed at once, with something of theirs unread, the kernel would reset the connection, and our answer with it.
        self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.close)


def _answer(error: KovraError) -> bytes:
    request_id = mint("req", _NO_CELL)
    body = orjson.dumps({
        "type": f"/problems/{error.code}", "title": error.title, "status": error.status, "detail": error.detail, "code": error.code,
        "retryable": error.retryable, "request_id": request_id,
    })  # fmt: skip
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\ncontent-type: application/problem+json\r\n"
        f"cache-control: no-store\r\nkovra-request-id: {request_id}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def by_port(applications: Mapping[int, App], lifespan: App) -> App:
    """One ASGI application out of several, chosen by the port that a request came in at. `lifespan` opens and closes for all."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
            return
        await applications[scope["server"][1]](scope, receive, send)

    return application


def listen(listener: Listener) -> socket.socket:
    """A socket that takes connections. Raises OSError, naming the address."""
    found = socket.create_server(listener, backlog=_BACKLOG, reuse_port=False)
    found.setblocking(False)
    os.set_inheritable(found.fileno(), True)
    return found


def serve(
    application: App | str, listeners: Sequence[Listener], bounds: Bounds, *, workers: int = 1, grace_s: int = 10
) -> None:
    """Serve until SIGTERM or SIGINT. `application` as text is the factory that each worker process calls; several have the default
    bounds. Raises OSError for an address that is taken."""
    assert workers == 1 or bounds == Bounds(), "worker processes import this module anew"
    BoundedProtocol.bounds = bounds
    config = uvicorn.Config(
        application,
        factory=isinstance(application, str),
        workers=workers,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        # What is said about the caller in a header of its own decides nothing.
        proxy_headers=False,
        timeout_graceful_shutdown=grace_s,
    )
    sockets = [listen(one) for one in listeners]
    if workers > 1:
        Multiprocess(config, sockets=sockets).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)
