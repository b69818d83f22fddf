"""What the router's log says of a request."""

from collections.abc import AsyncIterator

import pytest

from residency.ids import mint
from tests.support.edge_cells import World, open_world

_KEY = {"Authorization": "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "s" * 52}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


async def test_each_answer_is_one_line_of_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """With the route, the region and the code of a problem of its own; with no path, no query, no header of the caller's."""
    caplog.set_level("INFO", "kovra.requests")
    person = "Astrid Lindqvist"
    named = {**_KEY, "Kovra-Request-Id": "Astrid.Lindqvist"}
    answers = [
        await world.http.get(f"/v1/transfers/{mint('tr', 'uk-1')}/events?after={person}", headers=named),
        await world.http.get(f"/eu/v1/recipients/{person}", headers=named),
        await world.http.get(f"/{person}", headers=named),
    ]
    lines = [one for record in caplog.records for one in getattr(record, "lines", ())]
    told = [(one.request_id, one.method, one.route, one.status, one.region, one.code) for one in lines]
    ids = [one.headers["kovra-request-id"] for one in answers]
    assert told == [
        (ids[0], "GET", "/v1/transfers/{}/events", 200, "UK", ""),
        (ids[1], "GET", "/v1/recipients/{}", 200, "EU", ""),
        (ids[2], "GET", "", 404, "", "not-found"),
    ]
    assert "Astrid" not in str(lines)
