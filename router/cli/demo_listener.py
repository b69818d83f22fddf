"""The partner's own webhook endpoint: a real HTTP server on loopback that believes nothing it cannot verify.

Both proofs are checked with other people's libraries: the Standard Webhooks signature with `standardwebhooks`, the detached JWS
with `joserfc` against the key set that the cell publishes. What fails either is answered 401 and kept apart.
"""

import asyncio
import json
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

JWS_HEADER = "Kovra-Signature-Jws"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Heard:
    """One delivery that verified: the cell whose endpoint it came to, the event as sent, and when it arrived."""

    cell: str
    event: Mapping[str, Any]
    at: datetime

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.event["data"]
        return data


@dataclass(frozen=True)
class Trust:
    """What a partner verifies one cell's deliveries with: the endpoint's secret, and the published key set."""

    secret: str
    keys: KeySet


@dataclass
class Listener:
    """Endpoints by cell under one address; register each with `url_for`, then `trust` what it should verify with."""

    base_url: str = ""
    heard: list[Heard] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _trust: dict[str, Trust] = field(default_factory=dict)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url_for(self, cell: str) -> str:
        return f"{self.base_url}/hooks/{cell}"

    def trust(self, cell: str, secret: str, jwks: Mapping[str, Any]) -> None:
        """Verify deliveries to `url_for(cell)` with these from now on."""
        self._trust[cell] = Trust(secret, KeySet.import_key_set(dict(jwks)))  # type: ignore[arg-type]  # a JWK set as fetched

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
        fault = _fault(self._trust.get(cell), request.headers, body)
        if fault is not None:
            self.refused.append(f"{cell}: {fault}")
            return web.Response(status=401)
        async with self._arrived:
            self.heard.append(Heard(cell, json.loads(body), at))
            self._arrived.notify_all()
        return web.Response(status=204)


def _fault(trust: Trust | None, headers: Mapping[str, str], body: bytes) -> str | None:
    """Why a delivery is not to be believed; None when both of its signatures hold."""
    if trust is None:
        return "it came before the endpoint was registered"
    try:
        Webhook(trust.secret).verify(body, headers)
    except WebhookVerificationError as error:
        return f"Standard Webhooks signature: {error}"
    try:
        jws.deserialize_compact(headers.get(JWS_HEADER, ""), trust.keys, algorithms=["ES256"], payload=body)
    except (JoseError, ValueError) as error:
        return f"detached JWS: {type(error).__name__}"
    return None


@asynccontextmanager
async def open_listener(port: int) -> AsyncIterator[Listener]:
    """A listener on that port of loopback."""
    listener = Listener()
    app = web.Application()
    app.router.add_post("/hooks/{cell}", listener.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _LOOPBACK, port)
        await site.start()
        listener.base_url = f"http://{_LOOPBACK}:{port}"
        yield listener
    finally:
        await runner.cleanup()
