"""A cell's inbound door for tests of the scheme simulator: it checks signatures, keeps every message, and answers as it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from aiohttp import web
from lxml import etree

from cells.rails.connection import verify
from cells.rails.rail import utc_now
from infra.schemes.messages import Status, report
from tests.support.schemes import RunningSchemes


@dataclass(frozen=True)
class Message:
    """One message that came: its name (pacs.004, …) and its tree."""

    rail: str
    name: str
    root: etree._Element

    def text(self, path: str) -> str:
        """The text at the first such path, anywhere."""
        found = self.root.find(".//" + "/".join("{*}" + step for step in path.split("/")))
        return "" if found is None else found.text or ""

    def amount(self, path: str) -> int:
        """In minor units."""
        return int(Decimal(self.text(path)) * 100)


@dataclass
class Gateway:
    """`refusal`: the reason under which all money is refused. `failures`: how often it breaks first. `status`: of every answer."""

    schemes: RunningSchemes
    refusal: str | None = None
    failures: int = 0
    status: int = 200
    came: list[Message] = field(default_factory=list)

    def named(self, name: str, end_to_end_id: str | None = None) -> list[Message]:
        """What came under that name, of all or of one payment."""
        among = self.came if end_to_end_id is None else self.about(end_to_end_id)
        return [one for one in among if one.name == name]

    def about(self, end_to_end_id: str) -> list[Message]:
        """What came about one payment. The simulator is the session's: what other tests left to deliver comes too."""
        paths = ("OrgnlEndToEndId", "PmtId/EndToEndId", "Refs/EndToEndId")
        return [one for one in self.came if end_to_end_id in {one.text(path) for path in paths}]

    async def handle(self, request: web.Request) -> web.Response:
        body, rail = await request.read(), request.match_info["rail"]
        verify(self.schemes.connection(rail).secret, request.headers, body, utc_now())
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        root = etree.fromstring(body)
        name = ".".join(etree.QName(root).namespace.rpartition(":")[2].split(".")[:2])
        message = Message(rail, name, root)
        self.came.append(message)
        if name not in ("pacs.008", "pacs.004") or self.status != 200:
            return web.Response(status=self.status)
        reference = message.text("RtrId") or message.text("PmtId/TxId")
        status = Status("NOTPROVIDED", reference, "RJCT" if self.refusal else "ACSC", self.refusal or "")
        return web.Response(body=report([status]), content_type="application/xml")


@asynccontextmanager
async def listening(schemes: RunningSchemes) -> AsyncIterator[Gateway]:
    """A gateway at the address to which the simulator delivers."""
    gateway = Gateway(schemes)
    app = web.Application()
    app.router.add_post("/rails/{rail}/inbound", gateway.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", schemes.gateway_port).start()
        yield gateway
    finally:
        await runner.cleanup()
