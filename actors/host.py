"""`python -m actors.host --cell eu-1`: everything that lives in one cell besides its API.

Ensures the hosting and rail actors, runs the workers, and answers on the loopback address: `/healthz`, `/actors`, `/metrics`.
It holds no truth: killed at any point and started again, it goes on where the record stands.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import Mapping
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from actors import figures
from actors.deployment import Deployment
from actors.listing import ActorRow, list_actors
from actors.on_ray import OnRay, RayConnection
from actors.runtime import ActorUnavailable, Runtime
from actors.workers.registry import HostParts, opened_workers
from actors.workers.worker import Supervisor, sleep_unless
from cells.kit import metrics, trace
from cells.spec import CellSpec, load_spec
from residency import log, tasks

_log = logging.getLogger("kovra.host")
_ENSURE_EVERY_S = 5.0


class Host:
    """The running host: what its three pages show."""

    def __init__(self, cell: str, runtime: Runtime, deployment: Deployment, supervisor: Supervisor) -> None:
        self._cell = cell
        self._runtime = runtime
        self._deployment = deployment
        self._supervisor = supervisor
        self._actors_ensured = False

    async def keep_actors(self, stop: asyncio.Event) -> None:
        """Spawn what is missing, for ever: a cluster that was restarted comes back empty."""
        while not stop.is_set():
            try:
                await self._deployment.ensure(self._runtime)
                self._actors_ensured = True
            except ActorUnavailable as error:
                self._actors_ensured = False
                _log.warning("the actors of %s cannot be ensured: %s", self._cell, error.detail)
            await sleep_unless(stop, _ENSURE_EVERY_S)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/actors", self._actors),
                Route("/metrics", self._metrics),
            ]
        )

    async def _healthz(self, _: Request) -> Response:
        healthy = self._actors_ensured and self._supervisor.healthy
        workers = {name: one.shown() for name, one in self._supervisor.supervised.items()}
        body: Mapping[str, Any] = {
            "cell": self._cell,
            "healthy": healthy,
            "actors_ensured": self._actors_ensured,
            "workers": workers,
        }
        return JSONResponse(body, status_code=200 if healthy else 503)

    async def _actors(self, _: Request) -> Response:
        try:
            rows = await list_actors(self._runtime)
        except ActorUnavailable as error:
            return JSONResponse({"cell": self._cell, "error": error.detail}, status_code=503)
        return JSONResponse({"cell": self._cell, "actors": [row.as_json() for row in rows]})

    async def _metrics(self, _: Request) -> Response:
        rows: list[ActorRow] | None
        try:
            rows = await list_actors(self._runtime)
        except ActorUnavailable:
            rows = None
        body = figures.exposition(self._cell, self._supervisor.supervised, rows)
        return Response(body, media_type=metrics.CONTENT_TYPE)


async def run(spec: CellSpec) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runtime = OnRay(RayConnection.of(spec))
    deployment = Deployment.of(spec)
    wallets = deployment.wallets(runtime)
    try:
        async with opened_workers(HostParts(spec, runtime, wallets, deployment.rails(runtime))) as workers:
            supervisor = Supervisor(workers)
            host = Host(spec.name, runtime, deployment, supervisor)
            async with asyncio.TaskGroup() as group:
                group.create_task(host.keep_actors(stop))
                group.create_task(supervisor.run(stop))
                group.create_task(_serve(host, spec, stop))
    finally:
        await wallets.close()
        await runtime.close()


async def _serve(host: Host, spec: CellSpec, stop: asyncio.Event) -> None:
    listen = spec.settings.host
    server = uvicorn.Server(
        uvicorn.Config(
            host.app(),
            host=listen.host,
            port=listen.port,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
        )
    )
    serving = tasks.asked(server.serve(), "the host's own server")
    stopping = tasks.asked(stop.wait(), "the end of the host")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    # uvicorn takes the signals over while it serves, and returns on one of them; then everything else stops too.
    stop.set()
    server.should_exit = True
    await asyncio.wait({serving, stopping})
    serving.result()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the actors and workers of one cell.")
    parser.add_argument("--cell", required=True, help="the cell's name, such as eu-1")
    arguments = parser.parse_args()
    log.configure("host", arguments.cell)
    trace.configure("host", arguments.cell)
    with log.refusing_to_start():
        uvloop.run(run(load_spec(arguments.cell)))


if __name__ == "__main__":
    main()
