"""A transfer watched live: over a real server, and through the router before it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from cells.backends.postgres import transaction
from cells.tenants import store_keys
from residency.directory import Directory, load_directory
from residency.ids import mint
from router.api import tail
from router.api.v1 import transfer_stream
from router.edge.app import Edge
from tests.integration.api.test_api_payment import cross_border_wish, pay
from tests.support.api_cell import ROUTER_SECRET, ApiCell, open_api_cell
from tests.support.edge_cells import serve
from tests.support.waiting import until


@dataclass
class Watched:
    """A cell, and clients that speak to its server (`near`) and to the router before it (`far`)."""

    cell: ApiCell
    near: httpx.AsyncClient
    far: httpx.AsyncClient
    stranger: httpx.AsyncClient


@pytest.fixture
async def watched(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[Watched]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as cell, AsyncExitStack() as stack:
        near, api_port = await served(stack, cell.app)
        address = {"addresses": {"api": f"http://127.0.0.1:{api_port}"}}
        entries = {name: one.model_copy(update=address) for name, one in load_directory().cells.items()}
        far, _ = await served(stack, Edge(Directory(cells=entries), dict.fromkeys(entries, ROUTER_SECRET.encode())))
        stranger = await stack.enter_async_context(
            httpx.AsyncClient(base_url=near.base_url, headers=cell.other.headers)
        )
        for one in (near, far):
            one.headers["Authorization"] = cell.client.headers["Authorization"]
        yield Watched(cell, near, far, stranger)


async def served(stack: AsyncExitStack, app) -> tuple[httpx.AsyncClient, int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server, serving = await serve(app, listener, lifespan=isinstance(app, Edge))

    async def stop() -> None:
        server.should_exit = True
        await serving

    stack.push_async_callback(stop)
    port = listener.getsockname()[1]
    return await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)), port


async def messages(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The stream's messages, by field; comments under the name ``."""
    found: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            found[name.rstrip(":")] = value
        elif found:
            yield found
            found = {}


async def held(cell: ApiCell) -> str:
    """A payment that stays held until it is cancelled: nobody exports it here."""
    await cell.fund()
    made = (await pay(cell, await cross_border_wish(cell))).json()
    assert made["status"] == "FUNDS_HELD", made
    return made["id"]


async def test_a_stream_tells_from_the_beginning_goes_on_live_and_ends(watched: Watched) -> None:
    transfer_id = await held(watched.cell)
    async with watched.far.stream("GET", f"/v1/transfers/{transfer_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = messages(answer)
        first = await anext(told)
        await watched.cell.client.post(f"/v1/transfers/{transfer_id}/cancel")
        last = await anext(told)
        assert [one async for one in told if "data" in one] == [], "a cancelled transfer has nothing more to say"
    assert [first["event"], last["event"]] == ["transfer.funds_held", "transfer.cancelled"]
    feed = (await watched.cell.client.get("/v1/events", params={"transfer_id": transfer_id})).json()["data"]
    assert [orjson.loads(one["data"]) for one in (first, last)] == feed
    assert [first["id"], last["id"]] == [one["id"] for one in feed]


async def test_a_reader_comes_back_where_it_was(watched: Watched) -> None:
    transfer_id = await held(watched.cell)
    path = f"/v1/transfers/{transfer_id}/events"
    async with watched.far.stream("GET", path) as answer:
        first = await anext(messages(answer))
    await watched.cell.client.post(f"/v1/transfers/{transfer_id}/cancel")
    back = {"Last-Event-ID": first["id"]}
    async with watched.far.stream("GET", path, headers=back) as answer:
        [rest] = [one async for one in messages(answer)]
    assert rest["event"] == "transfer.cancelled"
    done = await watched.far.get(path, headers={"Last-Event-ID": rest["id"]})
    assert done.status_code == 204, "an EventSource that gets this stops asking"
    strange = await watched.near.get(path, headers={"Last-Event-ID": mint("evt", "eu-1")})
    assert strange.text.count("event: ") == 2, "one who has seen none of them begins anew"


async def test_who_hangs_up_at_the_router_frees_the_stream_in_the_cell(watched: Watched) -> None:
    transfer_id = await held(watched.cell)
    async with watched.far.stream("GET", f"/v1/transfers/{transfer_id}/events") as answer:
        told = messages(answer)
        await anext(told)
        assert open_streams(watched.cell) == 1

    async def none_left() -> bool:
        return open_streams(watched.cell) == 0

    await until(none_left)


async def test_a_silent_stream_says_that_it_is_alive_and_one_that_is_old_ends(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_stream, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(transfer_stream, "LIFE_S", 1.0)
    transfer_id = await held(watched.cell)
    async with watched.near.stream("GET", f"/v1/transfers/{transfer_id}/events") as answer:
        told = [one async for one in messages(answer)]
    assert [one["event"] for one in told if "event" in one] == ["transfer.funds_held"]
    assert sum("" in one for one in told) >= 2


async def test_streams_of_a_tenant_are_bounded_and_another_tenants_are_nobodys(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "PER_TENANT_MAX", 1)
    transfer_id = await held(watched.cell)
    path = f"/v1/transfers/{transfer_id}/events"
    assert (await watched.stranger.get(path)).status_code == 404
    assert (await watched.near.get(f"/v1/transfers/{mint('tr', 'eu-1')}/events")).status_code == 404
    async with watched.near.stream("GET", path) as answer:
        told = messages(answer)
        await anext(told)
        refused = await watched.near.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")
        assert refused.headers["Retry-After"]


async def test_many_readers_share_one_look(watched: Watched) -> None:
    """However many watch, one task asks the database; and each is told of the transfers it watches alone."""
    ours = await held(watched.cell)
    other = (await pay(watched.cell, await cross_border_wish(watched.cell), "pay-2")).json()["id"]

    async def follow(transfer_id: str) -> list[str]:
        async with watched.near.stream("GET", f"/v1/transfers/{transfer_id}/events") as answer:
            return [orjson.loads(one["data"])["data"]["id"] async for one in messages(answer) if "data" in one]

    readers = [asyncio.create_task(follow(one)) for one in (ours, other) * 8]

    async def all_there() -> bool:
        return open_streams(watched.cell) == 16

    await until(all_there)
    for one in (ours, other):
        await watched.cell.client.post(f"/v1/transfers/{one}/cancel")
    told = await asyncio.gather(*readers)
    assert told == [[ours] * 2, [other] * 2] * 8


async def test_a_stream_ends_with_its_key_and_with_its_tokens_client(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "KEYS_EVERY_S", 0.2)
    cell, transfer_id = watched.cell, await held(watched.cell)
    revoked, revoked_id = await cell.issue(cell.tenant, "key")
    secret, client_id = await cell.issue(cell.tenant, "client")
    expiring, _ = await cell.issue(cell.tenant, "key", expires_at=datetime.now(UTC) + timedelta(seconds=3))
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    token = (await cell.anyone.post("/v1/oauth/token", data=form)).json()["access_token"]

    async def follow(text: str) -> list[str]:
        headers = {"Authorization": f"Bearer {text}"}
        async with watched.near.stream("GET", f"/v1/transfers/{transfer_id}/events", headers=headers) as answer:
            return [one["event"] async for one in messages(answer) if "event" in one]

    good = watched.near.headers["Authorization"].removeprefix("Bearer ")
    readers = [asyncio.create_task(follow(one)) for one in (revoked, token, expiring, good)]
    await until(lambda: open_streams(cell) == 4, "all streams")
    async with transaction(cell.parts.writer) as connection:
        await store_keys.revoke_keys(connection, cell.spec.region, [revoked_id, client_id])
    await until(lambda: open_streams(cell) == 1, "the streams of the keys that are out of use end")
    assert await asyncio.gather(*readers[:3]) == [["transfer.funds_held"]] * 3
    await cell.client.post(f"/v1/transfers/{transfer_id}/cancel")
    assert await readers[3] == ["transfer.funds_held", "transfer.cancelled"]


def open_streams(cell: ApiCell) -> int:
    return len(cell.parts.tail._open)
