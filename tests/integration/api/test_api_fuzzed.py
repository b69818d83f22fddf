"""The API against a fuzzer that knows nothing but its OpenAPI document: no 5xx, nothing that the document does not say. For seconds; `make
fuzz` does it at length."""

from collections.abc import AsyncIterator

import pytest

from router.api import front
from router.api.v1 import batch_creation
from tests.fuzzing.edges import mutated, submitted
from tests.fuzzing.runs import fuzz
from tests.support.api_cell import ApiCell, open_api_cell

SHORT = ("--generation-deterministic", "--max-examples", "2", "--phases", "examples,coverage,fuzzing")


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def test_a_fuzzer_with_a_key_finds_nothing(cell: ApiCell) -> None:
    key = cell.client.headers["Authorization"]
    status, said = await fuzz(cell, *SHORT, "--max-time", "15", authorization=key)
    assert status == 0, said[:30_000]


async def test_a_fuzzer_without_a_key_finds_nothing(cell: ApiCell) -> None:
    status, said = await fuzz(cell, *SHORT, "--max-time", "8")
    assert status == 0, said[:30_000]


async def test_nothing_is_said_twice_or_at_the_edge_of_time_and_taken(cell: ApiCell) -> None:
    assert not await mutated(cell, seed=1, requests=160)


async def test_every_option_of_a_batch_holds_with_every_form(cell: ApiCell) -> None:
    assert not await submitted(cell, seed=1, requests=60)


async def test_what_is_passed_over_is_seen(cell: ApiCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both searches, shown a door that takes the last of two headers, and batches that go by their bodies alone."""
    monkeypatch.setattr(front, "single_headers", dict)
    assert any(one.startswith("a header twice") for one in await mutated(cell, seed=1, requests=40))
    monkeypatch.setattr(batch_creation, "_one_of", lambda name, in_body, in_query: in_body)
    assert any("shows" in one or "taken" in one for one in await submitted(cell, seed=1, requests=40))
