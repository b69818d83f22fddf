"""`make fuzz`: as long as the fuzzer finds something to try. Not collected by `make test`, whose files are named test_*.

SEED decides what is tried of what is said twice, at the edge of time, in several forms, or in many spellings of a path; without it one is drawn, and told.
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from router.serving import Bounds
from tests.fuzzing import targets
from tests.fuzzing.credentials import malformed
from tests.fuzzing.edges import mutated, submitted
from tests.fuzzing.runs import fuzz
from tests.support.api_cell import ApiCell, credit_to, open_api_cell
from tests.support.edge_cells import open_world

pytestmark = pytest.mark.timeout(3_600)
Search = Callable[[ApiCell, int, int], Awaitable[list[str]]]
REQUESTS = 4_000
LONG = ("--max-examples", "60", "--continue-on-failure", "--suppress-health-check", "all")


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def ids_of(cell: ApiCell) -> dict[str, str]:
    """Something of everything, so that the fuzzer gets past `not found`."""
    await cell.fund()
    quote, recipient, payer = await cell.quote(), await cell.recipient(), await cell.payer()
    asked = {"quote_id": quote["id"], "recipient_id": recipient, "payer_id": payer}
    made = await cell.client.post("/v1/transfers", json=asked, headers={"Idempotency-Key": "k"})
    endpoint = await cell.client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    account = cell.wallets["EUR"].account_number
    await cell.inbound("sepa_instant", credit_to({"iban": account}, 1_000))
    return {
        "transfer_id": made.json()["id"],
        "quote_id": (await cell.quote())["id"],
        "recipient_id": recipient,
        "payer_id": payer,
        "wallet_id": cell.wallets["EUR"].wallet_id,
        "source_wallet_id": cell.wallets["EUR"].wallet_id,
        "endpoint_id": endpoint.json()["id"],
    }


@pytest.mark.parametrize("speaks", ["with a key", "with a key, of what exists", "without a key"])
async def test_a_fuzzer_finds_nothing_at_length(cell: ApiCell, speaks: str) -> None:
    options, ids = (), None
    if speaks == "with a key, of what exists":
        options, ids = ("--mode", "positive"), await ids_of(cell)
    key = cell.client.headers["Authorization"] if speaks != "without a key" else None
    status, said = await fuzz(cell, *LONG, *options, authorization=key, ids=ids)
    assert status == 0, said[:100_000]


async def test_no_target_gets_past_the_router_s_closed_list_at_length(cell: ApiCell) -> None:
    seed = int(os.environ.get("SEED", secrets.randbelow(10**6)))
    async with open_world(bounds=Bounds()) as world:
        world.cells["eu-1"].app = cell.app
        key = cell.client.headers["Authorization"]
        found = await targets.searched(world, seed, REQUESTS, key)
    assert not found, f"SEED={seed}:\n" + "\n".join(found)


@pytest.mark.parametrize("searched", [mutated, submitted, malformed])
async def test_what_is_said_twice_or_in_several_forms_at_length(cell: ApiCell, searched: Search) -> None:
    seed = int(os.environ.get("SEED", secrets.randbelow(10**6)))
    found = await searched(cell, seed, REQUESTS)
    assert not found, f"SEED={seed}:\n" + "\n".join(found)
