"""One cell as the router sees it: a connection pool of its own, a breaker of its own, and streams both ways.

Each cell has its own pool, so that a cell that is slow can fill only its own.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from residency.directory import CellEntry
from residency.errors import KovraError
from router.edge.breaker import Breaker
from router.edge.problems import CellAway, CellSilent

Headers = Sequence[tuple[str, str]]
Message = MutableMapping[str, Any]


class CallerGone(KovraError):
    """Whoever asked hung up, or fell silent, before the request was whole."""

    code = "request-incomplete"
    status = 408
    title = "The request did not arrive whole"


class Body:
    """A request's body as it arrives from the caller, for one reading. `whole` once its last byte has passed."""

    def __init__(self, receive: Callable[[], Awaitable[Message]]) -> None:
        self._receive = receive
        self.whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            self.whole = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk


_CONNECTIONS_MAX = 512
# Less than an API process keeps an idle connection (5 s): one that it is just closing must not be picked for a payment.
_KEEPALIVE_S = 3.0
_CONNECT_TIMEOUT_S = 2.0
_SILENCE_TIMEOUT_S = 30.0


class Upstream:
    """Use `opened`. `silence_timeout_s`: the longest pause in an answer, the one before its first byte included."""

    def __init__(self, cell: CellEntry, session: aiohttp.ClientSession, breaker: Breaker) -> None:
        self.cell = cell
        self.breaker = breaker
        self._session = session
        self._base = cell.addresses["api"].rstrip("/")

    @asynccontextmanager
    async def ask(
        self, method: str, target: str, headers: Headers, body: Body | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The cell's answer, its body not read yet. `target` is the path with its query, as it came over the wire.

        Raises CellAway when nothing was sent, CellSilent when something may have been, CallerGone.
        """
        if wait_s := self.breaker.wait_s(time.monotonic()):
            raise self._away(wait_s)
        try:
            answer = await self._session.request(
                method, URL(self._base + target, encoded=True), headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.breaker.failed(time.monotonic())
            raise self._away(self.breaker.open_s) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if body is not None and not body.whole and not isinstance(error, aiohttp.ServerDisconnectedError):
                # The caller's doing, which must not count against the cell.
                raise CallerGone from error
            self.breaker.failed(time.monotonic())
            region = self.cell.region
            raise CellSilent(
                f"Region {region} has not answered. Send the same request again, with the same Idempotency-Key.",
                region=region,
                cell=self.cell.name,
                retry_after_s=self.breaker.open_s,
            ) from error
        self.breaker.succeeded()
        try:
            yield answer
        finally:
            answer.release() if answer.content.at_eof() else answer.close()

    def _away(self, wait_s: float) -> CellAway:
        region = self.cell.region
        return CellAway(
            f"Region {region} is not reachable from here; the other regions are not affected. Nothing was sent; try again.",
            region=region,
            cell=self.cell.name,
            retry_after_s=round(wait_s, 3),
        )


@asynccontextmanager
async def opened(cell: CellEntry, silence_timeout_s: float = _SILENCE_TIMEOUT_S) -> AsyncIterator[Upstream]:
    """A pool to one cell, closed at the end of the block."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_KEEPALIVE_S),
        timeout=aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S, sock_read=silence_timeout_s
        ),
        # What goes through belongs to the two ends: no cookies kept, nothing unpacked, no header of our own.
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    async with session:
        yield Upstream(cell, session, Breaker())
