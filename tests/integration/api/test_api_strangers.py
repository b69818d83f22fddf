"""What anybody may ask: counted by address, answered without the writer's connections, in nobody's way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from router.api.strangers import is_open
from tests.integration.api.test_api_rates import through_router
from tests.support.api_cell import ApiCell, open_api_cell

OPEN = (
    "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/problems", "/problems/rate-expired", "/reasons",
    "/reasons/AC04", "/docs", "/docs/swagger-ui.css", "/openapi.json",
)  # fmt: skip
PER_MINUTE = len(OPEN) + 1
FORM = {"grant_type": "client_credentials", "client_id": "key_eu1_00000000000000000000000000", "client_secret": "x"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    database = cell_database("EU")
    async with open_api_cell(tmp_path, database, schemes, open_per_minute=PER_MINUTE) as opened:
        yield opened


async def ask(cell: ApiCell, path: str, address: str) -> httpx.Response:
    headers = through_router(address)
    if path == "/v1/oauth/token":
        return await cell.anyone.post(path, data=FORM, headers=headers)
    return await cell.anyone.get(path, headers=headers)


async def test_each_address_has_a_rate_and_nobody_elses_counts_against_it(cell: ApiCell) -> None:
    everything = [*OPEN, "/v1/oauth/token"]
    first = [await ask(cell, path, "198.51.100.1") for path in everything]
    assert 429 not in [one.status_code for one in first]
    for path in everything:
        answer = await ask(cell, path, "198.51.100.1")
        if answer.status_code != 429:  # the machine is slow, and one more was free again
            answer = await ask(cell, path, "198.51.100.1")
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-from-address"), path
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await ask(cell, "/problems", "198.51.100.2")).status_code == 200
    assert (await cell.client.get("/v1/wallets", headers=through_router("198.51.100.1"))).status_code == 200


async def test_open_routes_take_no_connection_of_the_writers(cell: ApiCell) -> None:
    pool = cell.parts.writer
    async with AsyncExitStack() as held:
        for _ in range(pool.get_max_size()):
            await held.enter_async_context(pool.acquire())
        tenant = f"/.well-known/jwks.json?tenant_id={cell.tenant.tenant_id}"
        for path in [*OPEN[1:], tenant]:
            assert is_open(path.partition("?")[0])
            assert (await cell.anyone.get(path)).status_code in (200, 404), path
        assert (await cell.anyone.post("/v1/oauth/token", data=FORM)).status_code == 401
