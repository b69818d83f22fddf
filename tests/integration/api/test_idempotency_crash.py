"""Two hundred requests with one key while the API is killed under them: one payment, and every caller learns of it.

The API is its own process, over the cell's Postgres and wallet actors on a real Ray cluster; it is killed with SIGKILL and started
again. The callers know nothing but the key: they ask again until they are answered.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from actors.deployment import Deployment
from actors.listing import list_actors
from actors.on_ray import OnRay, RayConnection
from cells.backends.postgres import Pool, open_pool, transaction
from cells.cell import found_cell
from cells.rails.connection import sign
from cells.rails.console import SchemeConsole
from cells.rails.rail import end_to_end_id
from cells.spec import CellSpec
from cells.tenants import store as tenants
from cells.tenants import store_keys
from cells.tenants.keys import SCOPES, mint_key
from cells.tenants.tenant import ApiKey, NewWallet, Wallet, mint_tenant
from infra.local.home import Home
from infra.schemes.credits import credit_message
from tests.support.api_cell import PAYER, RAIL_SECRETS, RECIPIENT, credit_to, write_home
from tests.support.ray_cluster import RunningRay
from tests.support.schemes import RunningSchemes
from tests.support.servers import free_port
from tests.support.waiting import until

CALLERS = 200
PAUSE_S = (0.05, 0.5)
FUNDED_MINOR = 5_000_000
HERE = {"Kovra-Region": "EU"}
Moment = Callable[[], Awaitable[bool]]


class Api:
    """The API's process, which may be killed and started again on its port."""

    def __init__(self, spec: CellSpec) -> None:
        self._spec = spec
        self.url = f"http://127.0.0.1:{spec.settings.api.port}"
        self.operator_url = f"http://127.0.0.1:{spec.settings.operator.port}"
        self.inbound_url = f"http://127.0.0.1:{spec.settings.inbound.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "router.api", "--cell", self._spec.name,
            env=os.environ | {"KOVRA_HOME": str(self._spec.home)}, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with httpx.AsyncClient(base_url=self.operator_url) as client:

            async def serves() -> bool:
                assert self._process is not None
                assert self._process.returncode is None, "the API ended while starting"
                try:
                    parts = (await client.get("/healthz")).json()["parts"]
                except httpx.TransportError:
                    return False
                return bool(parts == {"postgres": "up", "actors": "up"})

            await until(serves, timeout_s=60)

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@dataclass
class World:
    """`client` speaks with the partner's key and keeps a connection for each caller."""

    spec: CellSpec
    api: Api
    runtime: OnRay
    writer: Pool
    client: httpx.AsyncClient
    wallet: Wallet
    schemes: RunningSchemes

    async def keys_claimed(self, key: str) -> bool:
        async with transaction(self.writer) as connection:
            return await connection.fetchval("select count(*) from idempotency_keys where key = $1", key) == 1

    async def transfers(self) -> list[str]:
        async with transaction(self.writer) as connection:
            found = await connection.fetch("select transfer_id from transfers order by transfer_id")
        return [row["transfer_id"] for row in found]

    async def available(self) -> str:
        found = (await self.client.get(f"/v1/wallets/{self.wallet.wallet_id}")).json()
        return str(found["available"]["value"])

    async def wish(self) -> dict[str, Any]:
        quote = await self._made(
            "/v1/quotes", {"source": {"value": "100.00", "currency": "EUR"}, "target_currency": "EUR"}
        )
        recipient, payer = await self._made("/v1/recipients", RECIPIENT), await self._made("/v1/payers", PAYER)
        return {"quote_id": quote, "recipient_id": recipient, "payer_id": payer}

    async def _made(self, path: str, body: dict[str, Any]) -> str:
        answer = await self.client.post(path, json=body, headers=HERE)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def kill_the_wallet(self) -> None:
        """The processes of the actors that host wallets, killed; Ray starts others."""
        for one in await list_actors(self.runtime):
            if one.kind == "shared":
                os.kill(one.pid, 9)


@pytest.fixture
async def world(cell_database, schemes: RunningSchemes, ray_cluster: RunningRay, tmp_path) -> AsyncIterator[World]:
    ray = ray_cluster.connection
    elsewhere = RunningSchemes(schemes.home, schemes.port, free_port(), schemes.process)
    spec = write_home(Home(tmp_path), "eu-1", cell_database("EU"), elsewhere, ray=ray)
    await found_cell(spec)
    writer = await open_pool(spec.settings.postgres.writer, size_max=2, name="test-writer")
    wallet, key = await partner(writer, spec)
    runtime = OnRay(RayConnection(ray.address, ray.token_path, environment={"KOVRA_HOME": str(tmp_path)}))
    await Deployment.of(spec).ensure(runtime)
    api = Api(spec)
    await api.start()
    try:
        async with speaking(api.url, key) as client:
            world = World(spec, api, runtime, writer, client, wallet, schemes)
            await fund(world)
            yield world
    finally:
        await api.kill()
        for name in await runtime.names():
            await runtime.stop(name)
        await runtime.close()
        await writer.close()


async def partner(writer: Pool, spec: CellSpec) -> tuple[Wallet, str]:
    tenant, minted = mint_tenant("Nusantara Pay", spec.entry, tier="benchmark"), mint_key(spec.name, "sandbox")
    async with transaction(writer) as connection:
        await tenants.create_tenants(connection, spec.region, [tenant])
        [wallet] = await tenants.open_wallets(connection, spec.entry, [NewWallet(tenant.tenant_id, "EUR")])
        key = ApiKey(minted.key_id, tenant.tenant_id, minted.secret_sha256, SCOPES)
        await store_keys.add_keys(connection, spec.region, [key])
    return wallet, minted.text


@asynccontextmanager
async def speaking(url: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    async with httpx.AsyncClient(
        base_url=url, limits=limits, timeout=60, headers={"Authorization": f"Bearer {key}"}
    ) as client:
        yield client


async def fund(world: World) -> None:
    rail = "sepa_instant"
    body = credit_message(credit_to({"iban": world.wallet.account_number}, FUNDED_MINOR))
    headers = sign(RAIL_SECRETS[rail].encode(), body, datetime.now(UTC))
    async with httpx.AsyncClient(base_url=world.api.inbound_url, timeout=60) as scheme:
        answer = await scheme.post(f"/rails/{rail}/inbound", content=body, headers=headers)
    assert answer.status_code == 200, answer.text

    async def arrived() -> bool:
        return await world.available() == "50000.00"

    await until(arrived, timeout_s=60)


async def ask_until_answered(world: World, asked: dict[str, Any], key: str) -> httpx.Response:
    """As a careful partner does: a lost connection or a retryable problem is asked again, under the same key."""
    while True:
        try:
            answer = await world.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": key})
            if answer.status_code < 400 or not answer.json()["retryable"]:
                return answer
        except httpx.TransportError:
            pass
        await asyncio.sleep(random.uniform(*PAUSE_S))


async def pay_through_a_crash(world: World, key: str, moment: Moment, *, wallet_too: bool = False) -> str:
    """All callers at once; at the moment, SIGKILL; the id of the one payment."""
    asked, before = await world.wish(), await world.transfers()
    callers = [asyncio.create_task(ask_until_answered(world, asked, key)) for _ in range(CALLERS)]
    await until(moment, timeout_s=60)
    await world.api.kill()
    if wallet_too:
        await world.kill_the_wallet()
    await world.api.start()
    answers = await asyncio.gather(*callers)
    assert {answer.status_code for answer in answers} == {202}, [one.text for one in answers if one.status_code != 202]
    [transfer_id] = {answer.json()["id"] for answer in answers}
    firsts = [answer for answer in answers if "Idempotent-Replayed" not in answer.headers]
    assert len(firsts) <= 1, "one request at most was the first"
    assert [one for one in await world.transfers() if one not in before] == [transfer_id]
    return transfer_id


async def test_the_api_is_killed_amid_two_hundred_requests_with_one_key(world: World) -> None:
    async def at_once() -> bool:
        return True

    async def claimed() -> bool:
        return await world.keys_claimed("claimed")

    made = [
        await pay_through_a_crash(world, "claimed", claimed),
        await pay_through_a_crash(world, "at-once", at_once, wallet_too=True),
    ]
    assert len(set(made)) == len(made)

    async def settled() -> bool:
        shown = [(await world.client.get(f"/v1/transfers/{one}")).json()["status"] for one in made]
        return set(shown) == {"COMPLETED"}

    await until(settled, timeout_s=60)
    assert await world.available() == "49800.00", "each paid once: what both cost is gone, and no more"
    async with SchemeConsole(world.schemes.connection("sepa_instant")) as console:
        counts = [await console.payments(end_to_end_id(one)) for one in made]
    assert [(one.asked, one.paid) for one in counts] == [(1, 1)] * len(made)
