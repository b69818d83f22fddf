"""EUR to IDR one payment after the other: how long each takes, and how many statements it needs in both cells together."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp

from tests.bench.accepting import percentiles
from tests.bench.statements import statements
from tests.bench.tree import DESTINATION, ORIGIN, QUOTE, Tree

_PAYMENTS = 15


async def one_by_one(tree: Tree) -> dict[str, float]:
    times: list[float] = []

    async def pay() -> None:
        async with partner(tree) as session:
            times.extend([await _whole(session, tree) for _ in range(_PAYMENTS)])

    asked = await statements([(tree.database(cell), tree.server_log(cell)) for cell in (ORIGIN, DESTINATION)], pay)
    return {
        "e2e_alone_p50_ms": percentiles(times)["p50_ms"],
        "statements_alone": asked["statements"] / _PAYMENTS,
        "transactions_alone": asked["transactions"] / _PAYMENTS,
    }


async def _whole(session: aiohttp.ClientSession, tree: Tree) -> float:
    """One payment from the request to the event that it is completed, in seconds."""
    quote = await _post(session, "/v1/quotes", QUOTE)
    began = time.perf_counter()
    transfer = await _post(session, "/v1/transfers", tree.wanted(quote["id"]))
    async with session.get(f"/v1/transfers/{transfer['id']}/events") as stream:
        async for line in stream.content:
            if b"transfer.completed" in line:
                return time.perf_counter() - began
    raise AssertionError(f"{transfer['id']} of {tree.label} was not completed")


async def _post(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with session.post(path, json=body, headers={"Idempotency-Key": str(uuid4())}) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status in (201, 202), found
    return found


@asynccontextmanager
async def partner(tree: Tree) -> AsyncIterator[aiohttp.ClientSession]:
    """The partner at the origin's API."""
    host, port = tree.listen
    headers = {"Authorization": f"Bearer {tree.key}"}
    async with aiohttp.ClientSession(f"http://{host}:{port}", headers=headers) as session:
        yield session
