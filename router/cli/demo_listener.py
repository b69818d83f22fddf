"""The partner's own webhook endpoint: a real HTTP server on loopback that believes nothing it cannot verify.

Both proofs are checked: the Standard Webhooks signature with the client library, the detached JWS with `joserfc` against the key set that
the cell publishes. What fails either is answered 401 and kept apart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from router.client.webhooks import Webhook, WebhookVerificationError

_JWS_HEADER = "Kovra-Signature-Jws"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Heard:
    """One delivery that verified: the event's type and data, and when it arrived."""

    type: str
    data: Mapping[str, Any]
    at: datetime


@dataclass
class Listener:
    """Endpoints by cell under one address; register each with `url_for`, then `trust` what it should verify with."""

    base_url: str
    heard: list[Heard] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _trust: dict[str, tuple[Webhook, KeySet]] = field(default_factory=dict)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url_for(self, cell: str) -> str:
        return f"{self.base_url}/hooks/{cell}"

    def trust(self, cell: str, secret: str, jwks: Mapping[str, Any]) -> None:
        """Verify deliveries to `url_for(cell)` with the endpoint's secret and the published key set from now on."""
        self._trust[cell] = Webhook(secret), KeySet.import_key_set(dict(jwks))  # type: ignore[arg-type]  # a JWK set as fetched

    async def wait_for(self, fits: Callable[[Heard], bool], timeout_s: float) -> Heard | None:
        """The first verified delivery that fits, waiting for it if need be; None when it does not come in time."""
        try:
            async with asyncio.timeout(timeout_s), self._arrived:
                await self._arrived.wait_for(lambda: any(map(fits, self.heard)))
        except TimeoutError:
            return None
        return next(filter(fits, self.heard))

    async def take(self, request: web.Request) -> web.Response:
        """One delivery."""
        at, cell, body = datetime.now(UTC), request.match_info["cell"], await request.read()
        try:
            secret, keys = self._trust[cell]
            event = secret.verify(body, request.headers)
            jws.deserialize_compact(request.headers.get(_JWS_HEADER, ""), keys, algorithms=["ES256"], payload=body)
        except (KeyError, WebhookVerificationError, JoseError, ValueError) as error:
            self.refused.append(f"{cell}: {type(error).__name__} {error}")
            return web.Response(status=401)
        async with self._arrived:
            self.heard.append(Heard(event["type"], event["data"], at))
            self._arrived.notify_all()
        return web.Response(status=204)


@asynccontextmanager
async def open_listener(port: int) -> AsyncIterator[Listener]:
    """A listener on that port of loopback."""
    listener = Listener(f"http://{_LOOPBACK}:{port}")
    app = web.Application()
    app.router.add_post("/hooks/{cell}", listener.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, port).start()
        yield listener
    finally:
        await runner.cleanup()
