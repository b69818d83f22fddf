"""What the scheme's console answers otherwise than it should is an outage of the sandbox, and never a crash or a made-up answer."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cells.rails.connection import SchemeConnection
from cells.rails.console import ConsoleRefused, SchemeConsole
from cells.rails.rail import RailUnavailable
from cells.rails.registry import connection_to


class Answers:
    status: int = 200
    body: str = ""


@pytest.fixture
async def connection() -> AsyncIterator[SchemeConnection]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=Answers.status, text=Answers.body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        yield connection_to("sepa_instant", 1, str(server.make_url("")).rstrip("/"), "s" * 32)


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("body", ["", "no JSON", "[1]", "null", "7", '"text"', "[]"])
async def test_what_is_no_object_is_no_answer(connection: SchemeConnection, status: int, body: str) -> None:
    Answers.status, Answers.body = status, body
    async with SchemeConsole(connection) as console:
        with pytest.raises(RailUnavailable):
            await console.state()


@pytest.mark.parametrize(
    "fields", [{}, {"rail": "sepa_instant"}, {"asked": 1, "paid": 1}, {"now": "2026-05-04T12:00:00+00:00"}]
)
async def test_an_object_that_lacks_what_it_should_say_is_no_answer(connection: SchemeConnection, fields: dict) -> None:
    Answers.status, Answers.body = 200, json.dumps(fields)
    async with SchemeConsole(connection) as console:
        for ask in (console.state, console.statement, console.movements):
            with pytest.raises(RailUnavailable):
                await ask()
        with pytest.raises(RailUnavailable):
            await console.payments("e2e")


async def test_a_refusal_says_why(connection: SchemeConnection) -> None:
    Answers.status, Answers.body = 422, json.dumps({"detail": "The scheme never paid that payment."})
    async with SchemeConsole(connection) as console:
        with pytest.raises(ConsoleRefused, match="never paid"):
            await console.state()
