"""The router as an ASGI application: what partners ask for is carried to a cell and back; its own two pages are for its operator."""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import aiohttp
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cells.kit.answered import Answered, log_answered, milliseconds_since
from cells.kit.forwarded import prove
from residency import tasks
from residency.directory import Directory
from residency.errors import KovraError
from router.edge import messages, problems
from router.edge.paths import normalised, of_any_cell, template
from router.edge.problems import CellAway
from router.edge.resolve import Asked, KeyMissing, resolve, split_prefix
from router.edge.upstream import CONNECTIONS_MAX, Body, Upstream, opened

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("kovra.edge")

_ENDLESS = "text/event-stream"


class Candidate(NamedTuple):
    """A cell that may be asked, with the path and region to ask it for."""

    upstream: Upstream
    path: str
    region: str | None


class Carried(NamedTuple):
    """An answer passed back; `ends`: it was none of those that go on for as long as their caller listens."""

    cell: str
    status: int
    ends: bool


class Edge:
    """The application. Its pools open with ASGI's lifespan. `secrets`: by which each cell knows this router."""

    def __init__(
        self,
        directory: Directory,
        secrets: Mapping[str, bytes],
        *,
        silence_timeout_s: float = 30.0,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._directory = directory
        self._secrets = secrets
        self._silence_timeout_s = silence_timeout_s
        self._connections_max = connections_max
        self._upstreams: dict[str, Upstream] = {}
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "kovra_edge_answers", "Answers by cell and status", ["cell", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "kovra_edge_seconds", "Time to the last byte of an answer", ["cell"], registry=self.registry
        )
        self._in_use = Gauge(
            "kovra_edge_connections_in_use", "Requests under way to a cell", ["cell"], registry=self.registry
        )
        self._open = Gauge(
            "kovra_edge_breaker_open", "1 while a cell is taken for away", ["cell"], registry=self.registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            for cell in self._directory.cells.values():
                self._upstreams[cell.name] = await stack.enter_async_context(
                    opened(cell, self._silence_timeout_s, self._connections_max)
                )
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        found, repeated = messages.looked_at(scope["headers"])
        request_id = messages.request_id(found.get(messages.REQUEST_ID, ""))
        cell, begun, ends, route, code = "none", False, True, "", ""

        async def noticed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if repeated is not None:
                raise repeated
            path = normalised(scope["raw_path"].decode("latin-1"))
            candidates = self._candidates(scope["method"], path, found)
            route = template(candidates[0].path)
            cell, status, ends = await self._carry(
                candidates, scope, receive, noticed, found=found, request_id=request_id
            )
        except KovraError as error:
            cell, code = error.extra.get("cell", cell), error.code
            body = problems.document(error, request_id)
            status = await _say(noticed, error.status, body, problems.headers(error), request_id=request_id)
        except Exception as error:  # a bug leaves as a bare 500, and its words in no log
            _log.error("%s failed: %s", request_id, type(error).__name__)
            if begun:
                raise
            bug = KovraError(
                "Report the `request_id` to us. Repeat a request that moves money only with the same Idempotency-Key."
            )
            code = bug.code
            status = await _say(
                send, bug.status, problems.document(bug, request_id), problems.headers(bug), request_id=request_id
            )
        self._answers.labels(cell, str(status)).inc()
        if ends:
            self._seconds.labels(cell).observe(time.perf_counter() - began)
        region = self._upstreams[cell].cell.region if cell in self._upstreams else ""
        log_answered(
            Answered(request_id, scope["method"], route, status, milliseconds_since(began), region=region, code=code)
        )

    def _candidates(self, method: str, path: str, found: Mapping[str, str]) -> list[Candidate]:
        """Where the request may go, best first: one place, but for what any cell may answer. Raises KovraError."""
        asked = Asked(
            method=method,
            path=path,
            host=found.get("host", ""),
            region=found.get(messages.REGION, ""),
            authorization=found.get("authorization", ""),
            signature_input=found.get("signature-input", ""),
        )
        try:
            to = resolve(self._directory, asked)
        except KeyMissing:
            if method not in ("GET", "HEAD") or not of_any_cell(split_prefix(path)[1]):
                raise
            return [Candidate(upstream, path, None) for upstream in self._upstreams.values()]
        return [Candidate(self._upstreams[to.cell.name], to.path, to.region)]

    async def operator(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the router's own two pages, for a listener that partners do not reach."""
        if scope["path"] == "/healthz":
            cells = {name: "away" if one.away else "in use" for name, one in self._upstreams.items()}
            page, form = json.dumps({"healthy": True, "cells": cells}).encode(), "application/json"
        elif scope["path"] == "/metrics":
            for name, one in self._upstreams.items():
                self._open.labels(name).set(one.away)
                self._in_use.labels(name).set(one.in_use)
            page, form = generate_latest(self.registry), CONTENT_TYPE_LATEST
        else:
            await _say(send, 404, b"", [], request_id=messages.request_id(""))
            return
        await _say(send, 200, page, [(b"content-type", form.encode())], request_id=messages.request_id(""))

    async def _carry(
        self,
        candidates: Sequence[Candidate],
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        found: Mapping[str, str],
        request_id: str,
    ) -> Carried:
        """Ask the candidates in turn, and pass the first answer back. Raises CellAway, CellSilent, CellBusy, RequestIncomplete."""
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        forwarded = messages.forwarded_element(scope, found.get("host", ""))
        body = Body(receive) if found.get("content-length", "0") != "0" or "transfer-encoding" in found else None
        if body is not None:
            # A place in a cell's pool is taken only when there is something to send.
            await body.begin()
        for number, (upstream, path, region) in enumerate(candidates, start=1):
            proof = prove(self._secrets[upstream.cell.name], forwarded, int(time.time()))
            headers = messages.onward(
                scope["headers"], region=region, request_id=request_id, forwarded=forwarded, proof=proof
            )
            try:
                async with upstream.ask(scope["method"], path + query.decode("latin-1"), headers, body) as answer:
                    status = await _pass_back(answer, receive, send, request_id)
                    return Carried(upstream.cell.name, status, answer.content_type != _ENDLESS)
            except CellAway:
                if number == len(candidates):
                    raise
        raise AssertionError("there is always a candidate")


async def _pass_back(answer: aiohttp.ClientResponse, receive: Receive, send: Send, request_id: str) -> int:
    headers = messages.back(answer.raw_headers, request_id)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    leaving = tasks.start(_leave(answer, receive), "the end of a stream") if answer.content_type == _ENDLESS else None
    try:
        async for chunk in answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (aiohttp.ClientError, TimeoutError):
        # The cell broke off in the middle of its answer. Without a last part our server breaks off too, and the caller knows.
        return answer.status
    finally:
        if leaving is not None:
            leaving.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return answer.status


async def _leave(answer: aiohttp.ClientResponse, receive: Receive) -> None:
    """Let go of an answer that has no end as soon as its caller has hung up: otherwise the cell would go on telling it to nobody."""
    while (await receive())["type"] != "http.disconnect":
        pass
    answer.close()


async def _say(send: Send, status: int, body: bytes, headers: problems.Headers, *, request_id: str) -> int:
    told = [*headers, (b"content-length", str(len(body)).encode()), (b"kovra-request-id", request_id.encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body, "more_body": False})
    return status
