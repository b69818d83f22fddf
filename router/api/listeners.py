"""Three listeners before one API: partners (through the router), the cell's operator, and its schemes each reach their own routes alone.

What is asked at the wrong one is answered as if there were nothing, so that a mistake in a network's rules opens nothing.
"""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from cells.kit.answered import Answered, log_answered, milliseconds_since
from cells.spec import PrivateSettings
from residency.ids import mint
from router.api.errors import RouteUnknown
from router.api.front import RAIL_PREFIX, REQUEST_ID
from router.api.problems import Problems
from router.serving import App, by_port

_ADMIN = "/v1/admin"
_PROBES = frozenset({"/healthz", "/metrics"})


def for_schemes(path: str) -> bool:
    return path.startswith(RAIL_PREFIX)


def for_operator(path: str) -> bool:
    return path in _PROBES or path == _ADMIN or path.startswith(f"{_ADMIN}/")


def for_partners(path: str) -> bool:
    return not for_schemes(path) and not for_operator(path)


def only(app: ASGIApp, allowed: Callable[[str], bool]) -> App:
    """`app` behind one listener: of its routes, those whose path (decoded) is allowed there."""
    problems = Problems()

    async def face(scope: Scope, receive: Receive, send: Send) -> None:
        if allowed(scope["path"]):
            await app(scope, receive, send)
            return
        started_at, request_id, error = time.perf_counter(), mint("req", "ed-0"), RouteUnknown()
        answer = problems.of_error(error, request_id)
        answer.headers[REQUEST_ID] = request_id
        await answer(scope, receive, send)
        duration_ms = milliseconds_since(started_at)
        log_answered(Answered(request_id, scope["method"], "", error.status, duration_ms, code=error.code))

    return face


def faces(app: ASGIApp, settings: PrivateSettings) -> App:
    """The API of one cell as its three listeners show it."""
    shown = {
        settings.api.port: only(app, for_partners),
        settings.operator.port: only(app, for_operator),
        settings.inbound.port: only(app, for_schemes),
    }
    return by_port(shown, app)
