"""The API as its own process: it serves while the actors are away, says so, logs no request, and ends when told to."""

import asyncio
import os
import signal
import sys

import httpx

from infra.local.home import Home
from tests.support.api_cell import write_home
from tests.support.schemes import RunningSchemes
from tests.support.servers import free_port
from tests.support.waiting import until


async def test_it_starts_without_its_actors_and_stops_when_told(cell_database, schemes, tmp_path) -> None:
    port = free_port()
    elsewhere = RunningSchemes(schemes.home, schemes.port, port, schemes.process)
    spec = write_home(Home(tmp_path), "eu-1", cell_database("EU"), elsewhere)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router.api", "--cell", "eu-1",
        env=os.environ | {"KOVRA_HOME": str(tmp_path)}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        operators = f"http://127.0.0.1:{spec.settings.operator.port}"
        async with (
            httpx.AsyncClient(base_url=operators) as operator,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
            asyncio.timeout(90),
        ):

            async def serves() -> bool:
                assert process.returncode is None
                return await answers(operator)

            await until(serves, timeout_s=60)

            async def seen() -> bool:
                parts = (await operator.get("/healthz")).json()["parts"]
                return bool(parts == {"postgres": "up", "actors": "down"})

            await until(seen, timeout_s=60)
            named = await client.get("/v1/wallets/somebody-by-name", headers={"Authorization": "Bearer Somebody"})
            assert named.status_code == 401
            for where, path in (
                (client, "/healthz"), (client, "/v1/admin/tenants"), (client, "/rails/sepa_instant/inbound"), (operator, "/v1/wallets"),
            ):  # fmt: skip
                assert (await where.get(path)).json()["code"] == "not-found", path
            process.send_signal(signal.SIGTERM)
            _, said = await process.communicate()
        # uvicorn closes everything, and then ends by the very signal that it was told with.
        assert process.returncode == -signal.SIGTERM, said
        assert b"omebody" not in said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
