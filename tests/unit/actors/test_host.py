"""The host's three pages, and that it brings back what is missing."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from actors.deployment import Deployment
from actors.host import Host
from actors.in_process import InProcess
from actors.workers.worker import Supervisor
from cells.kit.command import Command
from tests.support.waiting import until


class Idler:
    name = "idler"

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    def health(self) -> Mapping[str, Any]:
        return {"lag_s": 0}


async def test_the_pages_show_actors_workers_and_gauges(tmp_path: Path) -> None:
    runtime = InProcess()
    deployment = Deployment(str(tmp_path), handler="tests.support.actor_doubles:open_folder_handler")
    supervisor = Supervisor([Idler()])
    host = Host("eu-1", runtime, deployment, supervisor)
    stop = asyncio.Event()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app()), base_url="http://host") as client:
        assert (await client.get("/healthz")).status_code == 503
        keeping = asyncio.gather(host.keep_actors(stop), supervisor.run(stop))

        async def healthy() -> bool:
            return (await client.get("/healthz")).status_code == 200

        await until(healthy)
        wallets = deployment.wallets(runtime)
        await wallets.ask_many([Command(f"c{number}", "w", "pay") for number in range(4)])
        health = (await client.get("/healthz")).json()
        assert health["workers"]["idler"] == {
            "state": "running",
            "restarts": 0,
            "last_failure": "",
            "lag_s": 0,
        }
        (actor,) = (await client.get("/actors")).json()["actors"]
        assert (actor["name"], actor["kind"], actor["state"]) == ("wallets-0", "shared", "running")
        assert (actor["hosts"], actor["depth"], actor["last_batch"]) == (1, 0, 4)
        assert actor["details"]["wallets"]["w"]["epoch"] == 1
        metrics = (await client.get("/metrics")).text
        assert 'kovra_actor_processed{actor="wallets-0",cell="eu-1"} 4.0' in metrics
        assert 'kovra_worker_restarts{cell="eu-1",worker="idler"} 0.0' in metrics
        stop.set()
        await keeping
    await wallets.close()
    await runtime.close()
