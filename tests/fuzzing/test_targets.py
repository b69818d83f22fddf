"""Request targets at the router, before a real API: for seconds; `make fuzz` does it at length."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from router.edge import app as edge_app
from router.edge import resolve
from router.serving import Bounds
from tests.fuzzing.targets import drawn, searched
from tests.support.api_cell import open_api_cell
from tests.support.edge_cells import World, open_world

KEY = "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "s" * 52


@pytest.fixture
async def world(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[World]:
    """The real API stands where the cell of the EU is; it has no listeners, so that it answers whatever the router lets through."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with (
        open_api_cell(tmp_path, cell_database("EU"), schemes) as cell,
        open_world(bounds=Bounds()) as opened,
    ):
        opened.cells["eu-1"].app = cell.app
        yield opened


async def test_no_target_gets_past_the_closed_list(world: World) -> None:
    assert not await searched(world, seed=1, requests=400, authorization=KEY)
    assert world.heard(), "some of them are carried"


async def test_a_router_that_carries_what_it_is_given_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_app, "normalised", lambda raw: raw)
    monkeypatch.setattr(resolve, "check_carried", lambda path: None)
    found = await searched(world, seed=1, requests=200, authorization=KEY)
    assert any("was asked" in one for one in found)


def test_the_same_seed_draws_the_same_targets() -> None:
    first, second = Random(7), Random(7)
    assert [drawn(first) for _ in range(200)] == [drawn(second) for _ in range(200)]
