"""Whence a request comes, as a cell is told it: by the router, and by nobody before it."""

import time
from collections.abc import AsyncIterator

import pytest

from cells.kit.forwarded import element, origin
from tests.support.edge_cells import SECRETS, World, open_world

_KEY = {"Authorization": "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "s" * 52}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


def test_a_secret_of_the_router_is_good_at_one_cell() -> None:
    assert len(set(SECRETS.values())) == len(SECRETS)


async def test_each_cell_knows_the_router_by_a_secret_of_its_own(world: World) -> None:
    await world.http.get("/id/v1/wallets", headers=_KEY)
    [heard] = world.cells["id-1"].heard
    said = {name: heard.header(name) or "" for name in ("kovra-router", "forwarded")}
    assert said["forwarded"] == element("127.0.0.1", f"127.0.0.1:{world.port}", "http")
    for name, secret in SECRETS.items():
        found, holds = origin(said, "10.0.0.1", [secret], time.time())
        assert holds == (name == "id-1")
        assert found.address == ("127.0.0.1" if holds else "10.0.0.1")


async def test_nothing_of_the_callers_says_who_it_is(world: World) -> None:
    """Each on two lines, and a proof that another cell was shown."""
    claims = ["Forwarded", "X-Forwarded-For", "x_forwarded_for", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"]
    await world.http.get("/id/v1/wallets", headers=_KEY)
    proof = world.cells["id-1"].heard[0].header("kovra-router") or ""
    headers = [(name, "for=203.0.113.9") for name in claims for _ in range(2)]
    answer = await world.http.get("/eu/v1/wallets", headers=[*_KEY.items(), *headers, ("Kovra-Router", proof)])
    assert answer.status_code == 200
    [heard] = world.cells["eu-1"].heard
    assert "203.0.113.9" not in str(heard.headers)
    told = [value for name, value in heard.headers if name == "forwarded"]
    assert told == [element("127.0.0.1", f"127.0.0.1:{world.port}", "http")]
    [ours] = [value for name, value in heard.headers if name == "kovra-router"]
    assert ours != proof
