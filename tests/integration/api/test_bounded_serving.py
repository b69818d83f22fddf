"""What a stranger may hold of a server of ours: heads, time, connections, and places in the router's pools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from router.api.registry import registry
from router.serving import Bounds
from tests.support.edge_cells import World, open_world
from tests.support.waiting import until

KEY = "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "s" * 52
HEAD = f"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: {KEY}\r\n"
SHORT = Bounds(head_timeout_s=0.3, part_timeout_s=0.3)


@asynccontextmanager
async def connected(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def told(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status and the problem's code of what is answered before the connection ends; (0, "") for nothing."""
    async with asyncio.timeout(30):
        raw = await reader.read()
    if not raw:
        return 0, ""
    head, _, body = raw.partition(b"\r\n\r\n")
    problem = httpx.Response(200, content=body).json()
    assert b"application/problem+json" in head
    assert problem["code"] in registry()
    assert problem["request_id"].encode() in head
    return int(head.split(b" ")[1]), problem["code"]


async def asks(world: World, raw: bytes) -> tuple[int, str]:
    async with connected(world) as (reader, writer):
        writer.write(raw)
        return await told(reader)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(bounds=Bounds()) as opened:
        yield opened


@pytest.mark.parametrize(
    "raw",
    [
        HEAD.encode() + b"X-Long: " + b"a" * 20_000,  # it never ends
        HEAD.encode() + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD.encode() + b"".join(b"X-%d: 1\r\n" % number for number in range(101)) + b"\r\n",
        b"GET /v1/" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/quotes?a=" + b"a" * 200_000,
    ],
)
async def test_a_head_has_an_end(world: World, raw: bytes) -> None:
    assert await asks(world, raw) == (431, "request-head-too-large")
    assert world.heard() == {}


async def test_a_head_at_the_bound_is_read(world: World) -> None:
    fields = {f"x-{number}": "1" for number in range(80)}
    answer = await world.http.get("/v1/quotes", headers={"Authorization": KEY, **fields, "x-long": "a" * 14_000})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\nnonsense\r\n\r\n"]
)
async def test_what_is_no_request_is_told_so(world: World, raw: bytes) -> None:
    assert await asks(world, raw) == (400, "request-malformed")


async def test_a_silent_connection_is_closed_and_a_slow_one_told() -> None:
    async with open_world(bounds=SHORT) as world:
        assert await asks(world, b"") == (0, "")
        assert await asks(world, HEAD.encode()) == (408, "request-incomplete")
        assert await asks(world, f"{HEAD}Content-Length: 10\r\n\r\nabc".encode()) == (408, "request-incomplete")
        assert await asks(world, f"{HEAD}Content-Length: 10\r\n\r\n".encode()) == (408, "request-incomplete")
        assert await asks(world, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".encode()) == (
            408,
            "request-incomplete",
        )
        answer = await world.http.get("/v1/quotes", headers={"Authorization": KEY})
        assert answer.status_code == 200


async def test_a_connection_that_is_kept_may_pause_between_two_requests() -> None:
    async with open_world(bounds=SHORT) as world, connected(world) as (reader, writer):
        for _ in range(2):
            writer.write(f"GET /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: {KEY}\r\n\r\n".encode())
            assert (await reader.readuntil(b"eu-1\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):  # longer than a head may take
                    await reader.read(1)


async def test_an_answer_that_takes_long_is_waited_for() -> None:
    async with open_world(bounds=SHORT) as world:
        cell = world.cells["eu-1"]
        cell.hold.clear()
        asking = asyncio.create_task(world.http.post("/v1/quotes", content=b"x", headers={"Authorization": KEY}))
        await until(lambda: bool(cell.heard))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(asking)
        cell.hold.set()
        assert (await asking).status_code == 200


async def test_one_address_holds_so_many_connections() -> None:
    async with open_world(bounds=Bounds(connections_per_address_max=3)) as world:
        held = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(3)]
        assert await asks(world, b"") == (503, "too-many-connections")
        held.pop()[1].close()

        async def taken() -> bool:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.port}") as client:
                return (await client.get("/v1/quotes", headers={"Authorization": KEY})).status_code == 200

        await until(taken)
        for _, writer in held:
            writer.close()


async def test_silent_requests_take_no_place_and_close_no_region() -> None:
    """Twenty-one requests with a body that does not come, before a pool of twenty."""
    async with open_world(connections_max=20, bounds=Bounds()) as world:
        held = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(21)]
        for _, writer in held:
            writer.write(f"{HEAD}Content-Length: 10\r\n\r\n".encode())
            await writer.drain()
        for _ in range(10):
            answer = await world.http.post("/v1/quotes", content=b"x", headers={"Authorization": KEY})
            assert answer.status_code == 200
        assert world.heard() == {"eu-1": 10}
        assert 'kovra_edge_connections_in_use{cell="eu-1"} 0.0' in (await world.operator.get("/metrics")).text
        for _, writer in held:
            writer.close()


async def test_a_full_pool_is_ours_and_no_failure_of_the_cell() -> None:
    async with open_world(connections_max=2) as world:
        cell = world.cells["eu-1"]
        cell.hold.clear()
        held = [asyncio.create_task(world.http.get("/v1/quotes", headers={"Authorization": KEY})) for _ in range(2)]
        await until(lambda: len(cell.heard) == 2)
        answers = await asyncio.gather(
            *(world.http.get("/v1/quotes", headers={"Authorization": KEY}) for _ in range(8))
        )
        assert {(one.status_code, one.json()["code"]) for one in answers} == {(503, "region-busy")}
        assert all(int(one.headers["retry-after"]) >= 1 for one in answers)
        assert (await world.operator.get("/healthz")).json()["cells"]["eu-1"] == "in use"
        cell.hold.set()
        assert {(await one).status_code for one in held} == {200}
        assert (await world.http.get("/v1/quotes", headers={"Authorization": KEY})).text == "eu-1"


async def test_the_operator_s_pages_are_on_a_listener_of_their_own(world: World) -> None:
    for path in (
        "/healthz",
        "/metrics",
        "/eu/metrics",
        "/eu/healthz",
        "/eu/rails/bi_fast/inbound",
        "/eu/v1/admin/tenants",
    ):
        answer = await world.http.get(path, headers={"Authorization": KEY})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
    assert world.heard() == {}
    assert (await world.operator.get("/healthz")).status_code == 200
    assert (await world.operator.get("/v1/quotes", headers={"Authorization": KEY})).status_code == 404
