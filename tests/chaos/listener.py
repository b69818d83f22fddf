"""The partner's webhook endpoint: remembers what arrived, believes nothing that is not signed for it."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web


@dataclass
class Heard:
    """By transfer, the types of the events that came; `deliveries` counts repeats too."""

    url: str = ""
    by_transfer: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    deliveries: int = 0
    arrived: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        event = orjson.loads(await request.read())
        self.deliveries += 1
        self.arrived.add(request.headers["webhook-id"])
        if event["type"].startswith("transfer."):
            self.by_transfer[event["data"]["id"]].add(event["type"])
        return web.Response(status=204)

    def ended(self, transfer_id: str, status: str) -> bool:
        """Whether the event of this final state has come."""
        return f"transfer.{status.lower()}" in self.by_transfer.get(transfer_id, set())


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Heard]:
    """An endpoint on that port of the loopback address."""
    heard = Heard()
    app = web.Application()
    app.router.add_post("/{cell}", heard.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    heard.url = f"http://127.0.0.1:{port}"
    try:
        yield heard
    finally:
        await runner.cleanup()
