"""The global router before real servers: what arrives where, streaming, and what one cell's absence does to the others."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from residency.ids import mint, parse
from router.api.registry import registry
from tests.support import waiting
from tests.support.edge_cells import World, open_world
from tests.support.waiting import until

_KEY = {"Authorization": "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "s" * 52}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


async def _poke(world: World, region: str) -> httpx.Response:
    return await world.http.get(f"/{region}/v1/wallets", headers=_KEY)


async def test_a_request_arrives_whole_where_it_belongs(world: World) -> None:
    answer = await world.http.post(
        "/id/v1/recipients?a=%2F1&b", content=b'{"name": "x"}', headers={**_KEY, "X-Own": "1"}
    )
    assert (answer.status_code, answer.text) == (200, "id-1")
    assert world.heard() == {"id-1": 1}
    [heard] = world.cells["id-1"].heard
    assert (heard.method, heard.target, heard.body) == ("POST", "/v1/recipients?a=%2F1&b", b'{"name": "x"}')
    assert (heard.header("kovra-region"), heard.header("x-own")) == ("ID", "1")
    assert heard.header("authorization") == _KEY["Authorization"]
    forwarded = heard.header("forwarded")
    assert forwarded == f'for=127.0.0.1;host="127.0.0.1:{world.port}";proto=http'


async def test_a_path_arrives_in_its_one_spelling_and_the_query_as_it_came(world: World) -> None:
    await world.http.get("/%65u/v1/%77allets/a%20b%7Ec?x=%2F%77", headers=_KEY)
    assert world.cells["eu-1"].heard[0].target == "/v1/wallets/a%20b~c?x=%2F%77"


async def test_an_id_leads_to_its_cell_and_the_key_home_else(world: World) -> None:
    assert (await world.http.get(f"/v1/transfers/{mint('tr', 'uk-1')}", headers=_KEY)).text == "uk-1"
    assert (await world.http.get("/v1/quotes", headers=_KEY)).text == "eu-1"
    assert world.heard() == {"uk-1": 1, "eu-1": 1}


async def test_the_answer_comes_back_whole(world: World) -> None:
    world.cells["eu-1"].status = 422
    mine = mint("req", "eu-1")
    answer = await world.http.get("/v1/quotes", headers={**_KEY, "Kovra-Request-Id": mine})
    assert answer.status_code == 422
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["kovra-request-id"] == mine
    assert world.cells["eu-1"].heard[0].header("kovra-request-id") == mine


async def test_a_request_id_is_made_when_there_is_none(world: World) -> None:
    answer = await world.http.get("/v1/quotes", headers=_KEY)
    assert parse(answer.headers["kovra-request-id"], "req")
    assert world.cells["eu-1"].heard[0].header("kovra-request-id") == answer.headers["kovra-request-id"]


async def test_a_recipient_without_a_region_goes_nowhere(world: World) -> None:
    answer = await world.http.post("/v1/recipients", json={"name": "Budi"}, headers=_KEY)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "region-required")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "/problems/region-required"
    assert problem["regions"] == ["EU", "ID", "UK"]
    assert problem["request_id"] == answer.headers["kovra-request-id"]
    assert "Budi" not in answer.text
    assert world.heard() == {}


async def test_an_unknown_region_and_a_missing_key_are_told(world: World) -> None:
    unknown = await world.http.get("/fr/v1/quotes", headers=_KEY)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-cell")
    assert "EU, ID, UK" in unknown.json()["detail"]
    missing = await world.http.get("/v1/quotes")
    assert (missing.status_code, missing.json()["code"]) == (401, "invalid-api-key")
    assert missing.headers["www-authenticate"] == "Bearer"
    assert world.heard() == {}


async def test_a_body_streams_in_before_it_is_whole(world: World) -> None:
    gate = asyncio.Event()
    cell = world.cells["eu-1"]

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await until(lambda: bool(cell.heard) and cell.heard[0].body == b"first")
        gate.set()
        yield b"second"

    answer = await world.http.post("/v1/batches", content=parts(), headers=_KEY)
    assert answer.status_code == 200
    assert gate.is_set()
    assert cell.heard[0].body == b"firstsecond"


async def test_an_answer_streams_out_before_it_is_whole(world: World) -> None:
    cell = world.cells["eu-1"]
    await cell.chunks.put(b"one")
    async with world.http.stream("GET", "/v1/events/stream", headers=_KEY) as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"one"
        await cell.chunks.put(b"two")
        assert await anext(pieces) == b"two"
        await cell.chunks.put(b"")
        assert await anext(pieces) == b"eu-1"


async def test_a_cell_that_is_down_is_told_and_touches_no_other(world: World) -> None:
    await world.cells["uk-1"].stop()
    for _ in range(8):
        away = await _poke(world, "uk")
        assert away.status_code == 503
        assert (away.json()["code"], away.json()["region"], away.json()["retryable"]) == (
            "region-unavailable",
            "UK",
            True,
        )
        assert int(away.headers["retry-after"]) >= 1
    assert (await _poke(world, "eu")).text == "eu-1"
    assert (await _poke(world, "id")).text == "id-1"
    health = (await world.operator.get("/healthz")).json()
    assert health == {"healthy": True, "cells": {"eu-1": "in use", "id-1": "in use", "uk-1": "away"}}
    assert 'kovra_edge_breaker_open{cell="uk-1"} 1.0' in (await world.operator.get("/metrics")).text


async def test_a_cell_that_comes_back_is_used_again(world: World) -> None:
    cell = world.cells["uk-1"]
    await cell.stop()
    for _ in range(6):
        await _poke(world, "uk")
    await cell.start()

    async def taken() -> bool:
        return (await _poke(world, "uk")).status_code != 503

    await waiting.until(taken, timeout_s=20)
    assert (await _poke(world, "uk")).text == "uk-1"


async def test_a_cell_that_is_silent_holds_up_only_its_own() -> None:
    async with open_world(silence_timeout_s=0.3) as world:
        world.cells["uk-1"].hold.clear()
        slow = [asyncio.create_task(_poke(world, "uk")) for _ in range(40)]
        assert (await _poke(world, "eu")).text == "eu-1"
        answers = await asyncio.gather(*slow)
        assert {one.status_code for one in answers} == {504}
        assert answers[0].json()["code"] == "region-silent"
        assert "Idempotency-Key" in answers[0].json()["detail"]
        assert (await _poke(world, "id")).text == "id-1"


async def test_a_caller_who_hangs_up_does_not_count_against_the_cell(world: World) -> None:
    heard = world.cells["eu-1"].heard
    for _ in range(10):
        before = len(heard)
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = f"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: {_KEY['Authorization']}\r\nContent-Length: 10\r\n\r\nabc"
        writer.write(head.encode())
        await until(lambda before=before: len(heard) > before)
        writer.close()
        await writer.wait_closed()
    assert (await world.http.get("/v1/quotes", headers=_KEY)).text == "eu-1"
    assert (await world.operator.get("/healthz")).json()["cells"]["eu-1"] == "in use"


async def test_pages_for_everybody_come_from_whichever_cell_is_up(world: World) -> None:
    for path in ("/docs", "/openapi.json", "/problems/quote-expired"):
        assert (await world.http.get(path)).status_code == 200
    await world.cells["eu-1"].stop()
    assert (await world.http.get("/docs")).text in {"id-1", "uk-1"}
    assert (await world.http.get("/eu/docs")).status_code == 503
    assert (await world.http.post("/docs")).status_code == 401


async def test_nothing_of_a_request_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    await world.cells["uk-1"].stop()
    for region in ("id", "uk", "fr"):
        await world.http.post(f"/{region}/v1/recipients", json={"name": "Budi Marker"}, headers=_KEY)
    told = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    assert not any("Marker" in one.getMessage() or "kv_sandbox" in one.getMessage() for one in told)
    metrics = (await world.operator.get("/metrics")).text
    assert "Marker" not in metrics
    assert 'kovra_edge_answers_total{cell="uk-1",status="503"} 1.0' in metrics


async def test_a_bug_of_the_router_says_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("router.edge.app.resolve", lambda *_: {}["Budi Marker"])
    answer = await world.http.get("/v1/quotes", headers=_KEY)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "/problems/internal", "title": "Something went wrong", "status": 500,
        "detail": "Report the `request_id` to us. Repeat a request that moves money only with the same Idempotency-Key.",
        "code": "internal", "retryable": False, "request_id": answer.headers["kovra-request-id"],
    }  # fmt: skip
    assert f"{answer.json()['request_id']} failed: KeyError" in caplog.text
    assert "Marker" not in caplog.text


async def test_every_answer_of_the_router_s_own_is_a_problem_with_a_page(world: World) -> None:
    for path, headers in (
        ("/v1/quotes", {}),
        ("/mars/v1/quotes", _KEY),
        ("/fr/v1/quotes", _KEY),
        ("/id/v1/quotes", {**_KEY, "Kovra-Region": "EU"}),
        ("//", _KEY),
        ("/v1/wallets/wal_zz9_" + "0" * 26, _KEY),
        ("/%ff%00", {}),
    ):
        answer = await world.http.get(path, headers=headers)
        if answer.status_code == 200:
            continue
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", path
        assert problem["type"] == f"/problems/{problem['code']}"
        assert problem["code"] in registry()
        assert problem["request_id"] == answer.headers["kovra-request-id"]


async def test_what_the_router_goes_by_is_said_once(world: World) -> None:
    """Two regions, keys or hosts would each lead somewhere; none is chosen, and no cell hears of it."""
    for name in (
        "Kovra-Region",
        "Authorization",
        "Kovra-Request-Id",
        "Idempotency-Key",
        "Content-Type",
    ):
        for second in ("EU", "ID"):
            headers = (
                [*_KEY.items(), (name, "EU"), (name, second)] if name not in _KEY else [*_KEY.items(), (name, second)]
            )
            answer = await world.http.post("/v1/transfers", json={}, headers=headers)
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (400, "header-repeated"), name
            assert problem["request_id"] == answer.headers["kovra-request-id"]
    assert world.heard() == {}


@pytest.mark.parametrize(
    "twice", ["Host: id.api.example", "Content-Length: 2", "Content-Length: 3", "Transfer-Encoding: chunked"]
)
async def test_what_frames_a_request_is_said_once(world: World, twice: str) -> None:
    """By the server before the router, or by the router."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    head = [
        "POST /v1/transfers HTTP/1.1",
        "Host: api.example",
        f"Authorization: {_KEY['Authorization']}",
        "Content-Length: 2",
    ]
    writer.write("\r\n".join([*head, twice, "Connection: close", "", "{}"]).encode())
    said = (await reader.read()).decode()
    writer.close()
    assert said.startswith("HTTP/1.1 400 "), said
    assert world.heard() == {}


async def test_a_list_on_two_lines_passes(world: World) -> None:
    headers = [
        *_KEY.items(),
        ("Accept", "text/csv"),
        ("Accept", "application/json"),
    ]
    assert (await world.http.get("/v1/quotes", headers=headers)).status_code == 200
    heard = world.cells["eu-1"].heard[0]
    assert [value for name, value in heard.headers if name == "accept"] == ["text/csv", "application/json"]
