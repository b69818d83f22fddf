"""Tiny real HTTP servers that stand where cells' APIs stand, and a real router before them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from residency.directory import Directory, load_directory
from router.edge.app import Edge
from router.serving import BoundedProtocol, Bounds, Listener, by_port, listen

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SECRETS = {name: f"by which {name} knows the router".encode() for name in load_directory().cells}


@dataclass
class Heard:
    """One request as a cell got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class TinyCell:
    """Answers what it was asked, after `hold` is set (it is, unless a test clears it). `steps` feed the answer's chunks. With `app`, that
    answers in its place, once the request is noted."""

    name: str
    heard: list[Heard] = field(default_factory=list)
    chunks: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    app: Any = None
    port: int = 0
    server: uvicorn.Server | None = None
    serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        query = scope["query_string"].decode()
        one = Heard(scope["method"], scope["raw_path"].decode() + (f"?{query}" if query else ""), headers)
        self.heard.append(one)
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        more = True
        while more:
            message = await receive()
            one.body += message.get("body", b"")
            more = message.get("more_body", False)
        await self.hold.wait()
        told = [
            (b"content-type", b"text/plain"),
            (b"x-cell", self.name.encode()),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": told})
        if "/stream" in one.target:
            while chunk := await self.chunks.get():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": self.name.encode()})

    async def start(self) -> None:
        """On a port of its own, the same after a stop."""
        self.hold.set()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.server, self.serving = await serve(self, listener)

    async def stop(self) -> None:
        if self.server is not None and self.serving is not None:
            self.hold.set()
            self.server.should_exit = True
            self.server.force_exit = True
            await self.serving
        self.server = self.serving = None


async def serve(
    app: Any, *listeners: socket.socket, lifespan: bool = True, bounds: Bounds | None = None
) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    """A uvicorn server in this loop, once it serves, within `bounds` if given. Without `lifespan` the application's parts are open
    already."""
    started = asyncio.Event()
    http: Any = "auto" if bounds is None else type("Bounded", (BoundedProtocol,), {"bounds": bounds})

    class Started(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

        def install_signal_handlers(self) -> None:
            """The test keeps its own."""

    server = Started(
        uvicorn.Config(
            app,
            http=http,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="auto" if lifespan else "off",
        )
    )
    serving = asyncio.create_task(server.serve(list(listeners)))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert started.is_set(), "the server did not start"
    return server, serving


@dataclass
class World:
    """Three tiny cells and the router; `http` speaks to the router as partners do, `operator` as who runs it."""

    cells: Mapping[str, TinyCell]
    http: httpx.AsyncClient
    operator: httpx.AsyncClient
    edge: Edge
    port: int

    def heard(self) -> dict[str, int]:
        return {name: len(cell.heard) for name, cell in self.cells.items() if cell.heard}


@asynccontextmanager
async def open_world(
    *, silence_timeout_s: float = 5.0, connections_max: int = 512, bounds: Bounds | None = None
) -> AsyncIterator[World]:
    directory = load_directory()
    cells = {name: TinyCell(name) for name in directory.cells}
    async with AsyncExitStack() as stack:
        for cell in cells.values():
            await cell.start()
            stack.push_async_callback(cell.stop)
        entries = {
            name: entry.model_copy(update={"addresses": {"api": f"http://127.0.0.1:{cells[name].port}"}})
            for name, entry in directory.cells.items()
        }
        edge = Edge(
            Directory(cells=entries), SECRETS, silence_timeout_s=silence_timeout_s, connections_max=connections_max
        )
        listener, operators = (listen(Listener("127.0.0.1", 0)) for _ in range(2))
        port, operator_port = (one.getsockname()[1] for one in (listener, operators))
        application = by_port({port: edge, operator_port: edge.operator}, edge)
        server, serving = await serve(application, listener, operators, bounds=bounds)

        async def stop() -> None:
            server.should_exit = True
            await serving

        stack.push_async_callback(stop)
        http, operator = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{one}", timeout=10))
            for one in (port, operator_port)
        ]
        yield World(cells, http, operator, edge, port)
