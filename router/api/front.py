"""What every request meets first: an id, single headers, the region guard, the size limit, the clock; and what every answer carries.

It stands around the whole application, so that whatever goes wrong inside leaves as a problem document with an id, and the
log says which error and where, never what it said.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cells.audit.refusals import REFUSED
from cells.kit.answered import Answered, log_answered, milliseconds_since
from cells.kit.forwarded import FORWARDED, PROOF, Origin, origin
from cells.kit.headers import HeaderRepeated, single_headers
from residency.directory import CellEntry, Directory
from residency.errors import KovraError, place_of
from residency.ids import MalformedId, mint, parse
from router.api.call import CALL, Call
from router.api.errors import BodyTooLarge
from router.api.metrics import IN_FLIGHT, LATENCY, ROUTER_UNPROVEN
from router.api.problems import Problems
from router.api.region import check_header, check_path
from router.api.routes import Direct
from router.api.strangers import Strangers, is_open

BODY_MAX_BYTES = 64 * 1024
RAIL_BODY_MAX_BYTES = 1024 * 1024
RAIL_PREFIX = "/rails/"
BATCH_BODY_MAX_BYTES = 16 * 1024 * 1024
_LIMITS = {"/v1/batches": BATCH_BODY_MAX_BYTES}
# Of an announced length: a number of thousands of digits is none that can be read.
_DIGITS_MAX = 18
REQUEST_ID = "Kovra-Request-Id"
_log = logging.getLogger("kovra.api")


class Front:
    """ASGI middleware. `refused` is given each call that was denied, with its status. `direct`: by method and path, the routes whose
    handlers need nothing of the framework. It spends as much on
    finding a route and on its own layers as such a handler does on a payment."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        entry: CellEntry,
        directory: Directory,
        router_secrets: Sequence[str],
        problems: Problems,
        direct: Mapping[tuple[str, str], Direct],
        refused: Callable[[Call, int], None],
        strangers: Strangers,
    ) -> None:
        self._app = app
        self._direct = direct
        self._refused = refused
        self._strangers = strangers
        self._entry = entry
        self._directory = directory
        self._router_secrets = [one.encode() for one in router_secrets]
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, repeated = _read(scope)
        call = Call(self._request_id(headers.get(b"kovra-request-id")), self._origin(scope, headers))
        scope[CALL] = call
        stamp = (REQUEST_ID.encode(), call.request_id.encode())
        started_at, status = time.perf_counter(), 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], stamp, *_guards(message["headers"]), *_rate(call)]
            await send(message)

        IN_FLIGHT.inc()
        try:
            if repeated is not None:
                raise repeated
            await self._guarded(scope, receive, stamped, call, headers)
        except KovraError as error:
            await self._problems.of_error(error, call.request_id)(scope, receive, stamped)
        except Exception as error:  # noqa: BLE001 - a bug must leave as a bare 500, and its message in no log
            _log.error("%s failed: %s", call.request_id, place_of(error))
            if not status:
                await self._problems.of_bug(call.request_id)(scope, receive, stamped)
        finally:
            IN_FLIGHT.dec()
            if status in REFUSED:
                self._refused(call, status)
            route = getattr(scope.get("route"), "path", "none")
            LATENCY.labels(scope["method"], route, status).observe(time.perf_counter() - started_at)
            self._log_answered(scope, call, status, started_at)

    def _log_answered(self, scope: Scope, call: Call, status: int, started_at: float) -> None:
        caller = call.caller
        log_answered(
            Answered(
                request_id=call.request_id,
                method=scope["method"],
                route=getattr(scope.get("route"), "path", ""),
                status=status,
                duration_ms=milliseconds_since(started_at),
                tenant_id=caller.tenant.tenant_id if caller else "",
                key_id=caller.key_id if caller else "",
                resource_id=call.resource_id,
                region=self._entry.region,
                code=call.problem,
            )
        )

    async def _guarded(
        self, scope: Scope, receive: Receive, send: Send, call: Call, headers: dict[bytes, bytes]
    ) -> None:
        path: str = scope["path"]
        if is_open(path):
            self._strangers.admit(call.origin.address)
        check_path(self._entry, self._directory, path)
        region = headers.get(b"kovra-region")
        if region is not None:
            check_header(self._entry, self._directory, region.decode("latin-1"))
            call.region_named = True
        limit = _LIMITS.get(path, RAIL_BODY_MAX_BYTES if path.startswith(RAIL_PREFIX) else BODY_MAX_BYTES)
        length = headers.get(b"content-length")
        if length is None:
            await self._app(scope, _counted(receive, limit), send)
            return
        if not length.isdigit() or len(length) > _DIGITS_MAX or int(length) > limit:
            raise BodyTooLarge(f"This address takes {limit} bytes at most.")
        direct = self._direct.get((scope["method"], path))
        if direct is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handle = direct
        response = await handle(Request(scope, receive))
        await response(scope, receive, send)

    def _origin(self, scope: Scope, headers: dict[bytes, bytes]) -> Origin:
        """Whence it comes. Of what is said about that, an authenticated router alone is believed."""
        said = {"host": headers.get(b"host", b"").decode("latin-1")}
        proof = headers.get(PROOF.encode())
        if proof is not None:
            lines = [value for name, value in scope["headers"] if name == FORWARDED.encode()]
            said |= {PROOF: proof.decode("latin-1"), FORWARDED: b", ".join(lines).decode("latin-1")}
        client = scope.get("client")
        found, holds = origin(said, client[0] if client else "", self._router_secrets, time.time())
        if not holds:
            ROUTER_UNPROVEN.inc()
        return found

    def _request_id(self, given: bytes | None) -> str:
        """The router's id where it gave one, else a new one."""
        if given is not None:
            try:
                return parse(given.decode("latin-1"), "req").text
            except MalformedId:
                pass
        return mint("req", self._entry.name)


def _read(scope: Scope) -> tuple[dict[bytes, bytes], HeaderRepeated | None]:
    """The headers that may be there once, and what is wrong where one is not: it is answered under an id like anything else."""
    try:
        return single_headers(scope["headers"]), None
    except HeaderRepeated as error:
        return {}, error


_NOT_SNIFFED = (b"x-content-type-options", b"nosniff")
# Every answer may hold a partner's data, until a handler says that it may be kept; none is a page, until a page says what it loads.
_UNLESS_SAID = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


def _guards(said: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What keeps an answer from being stored by a cache, or taken for a page, by accident."""
    names = {name.lower() for name, _ in said}
    return [_NOT_SNIFFED, *(pair for pair in _UNLESS_SAID if pair[0] not in names)]


def _rate(call: Call) -> list[tuple[bytes, bytes]]:
    """Where the caller stands with its tier's rate (draft-ietf-httpapi-ratelimit-headers-10; lists of RFC 9651)."""
    told = call.allowance
    if told is None:
        return []
    tier = call.tenant.tier
    return [
        (b"ratelimit-policy", f'"{tier}";q={told.quota};w=60'.encode()),
        (b"ratelimit", f'"{tier}";r={told.remaining};t={told.wait_s}'.encode()),
    ]


def _counted(receive: Receive, limit: int) -> Receive:
    """A body without an announced length is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(BodyTooLarge.status)
        return message

    return counted
