"""One cell as the router sees it: a connection pool of its own, a breaker of its own, and streams both ways.

Each cell has its own pool, so that a cell that is slow can fill only its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from cells.kit.breaker import Breaker, BreakerState
from residency.directory import CellEntry
from router.edge.problems import CellAway, CellBusy, CellSilent
from router.serving import RequestIncomplete

Headers = Sequence[tuple[str, str]]
Message = MutableMapping[str, Any]


class Body:
    """A request's body as it arrives from the caller, for one reading. `whole` once its last byte has come."""

    def __init__(self, receive: Callable[[], Awaitable[Message]]) -> None:
        self._receive = receive
        self._first = b""
        self.whole = False

    async def begin(self) -> None:
        """Wait for its first bytes. Raises RequestIncomplete."""
        while not self.whole and not self._first:
            self._first = await self._next()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk, self._first = self._first, b""
        while True:
            if chunk:
                yield chunk
            if self.whole:
                return
            chunk = await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise RequestIncomplete(_SEND_AGAIN)
        self.whole = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


CONNECTIONS_MAX = 512
# How long a request waits for a place in its cell's pool before it is told that there is none.
_PLACE_TIMEOUT_S = 2.0
# Less than an API process keeps an idle connection (5 s): one that it is just closing must not be picked for a payment.
_KEEPALIVE_S = 3.0
_CONNECT_TIMEOUT_S = 2.0
_SEND_AGAIN = "Nothing was done. Send the whole request again, with the same Idempotency-Key."
_SILENCE_TIMEOUT_S = 30.0


class Upstream:
    """Use `opened`. A full pool is the router's own: it says nothing of the cell, and the breaker does not hear of it."""

    def __init__(self, cell: CellEntry, session: aiohttp.ClientSession, breaker: Breaker, connections_max: int) -> None:
        self.cell = cell
        self.breaker = breaker
        self.in_use = 0
        self._places = asyncio.Semaphore(connections_max)
        self._session = session
        self._base = cell.addresses["api"].rstrip("/")

    @property
    def away(self) -> bool:
        """Whether the cell is taken for away."""
        return self.breaker.state(time.monotonic()) is not BreakerState.CLOSED

    @asynccontextmanager
    async def ask(
        self, method: str, target: str, headers: Headers, body: Body | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The cell's answer, its body not read yet. `target` is the path with its query, as it came over the wire.

        Raises CellBusy and CellAway when nothing was sent, CellSilent when something may have been, RequestIncomplete.
        """
        async with self._place():
            if not self.breaker.grant(1, now := time.monotonic()):
                raise self._away(self.breaker.wait_s(now))
            answer = await self._asked(method, target, headers, body)
            self.breaker.succeeded()
            try:
                yield answer
            finally:
                answer.release() if answer.content.at_eof() else answer.close()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place in the pool. Raises CellBusy."""
        try:
            async with asyncio.timeout(_PLACE_TIMEOUT_S):
                await self._places.acquire()
        except TimeoutError:
            region = self.cell.region
            raise CellBusy(
                f"Too many requests to region {region} are under way here. Nothing was sent; try again.",
                region=region,
                cell=self.cell.name,
                retry_after_s=1,
            ) from None
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self._places.release()

    async def _asked(self, method: str, target: str, headers: Headers, body: Body | None) -> aiohttp.ClientResponse:
        try:
            return await self._session.request(
                method, URL(self._base + target, encoded=True), headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.breaker.failed(time.monotonic())
            raise self._away(self.breaker.open_s) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if body is not None and not body.whole and not isinstance(error, aiohttp.ServerDisconnectedError):
                # The caller's doing, which must not count against the cell.
                raise RequestIncomplete(_SEND_AGAIN) from error
            self.breaker.failed(time.monotonic())
            region = self.cell.region
            raise CellSilent(
                f"Region {region} has not answered. Send the same request again, with the same Idempotency-Key.",
                region=region,
                cell=self.cell.name,
                retry_after_s=self.breaker.open_s,
            ) from error

    def _away(self, wait_s: float) -> CellAway:
        region = self.cell.region
        return CellAway(
            f"Region {region} is not reachable from here; the other regions are not affected. Nothing was sent; try again.",
            region=region,
            cell=self.cell.name,
            retry_after_s=round(wait_s, 3),
        )


@asynccontextmanager
async def opened(
    cell: CellEntry, silence_timeout_s: float = _SILENCE_TIMEOUT_S, connections_max: int = CONNECTIONS_MAX
) -> AsyncIterator[Upstream]:
    """A pool to one cell, closed at the end of the block. `silence_timeout_s`: the longest pause in an answer, the one before its first
    byte included."""
    session = aiohttp.ClientSession(
        # Upstream counts its places itself: a wait for one would otherwise look like a cell that does not take connections.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
        timeout=aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S, sock_read=silence_timeout_s
        ),
        # What goes through belongs to the two ends: no cookies kept, nothing unpacked, no header of our own.
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    async with session:
        yield Upstream(cell, session, Breaker(open_s=1.0, open_max_s=8.0), connections_max)
