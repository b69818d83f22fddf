"""How the scheme's server says no: a problem document, RFC 9457; and how it says nothing."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_SILENCE_S = 60.0
_SILENCE_STEP_S = 0.1


def problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


async def silence(request: Request) -> Response:
    """No answer: until whoever asked gives up, and not for ever."""
    waited_s = 0.0
    while waited_s < _SILENCE_S and not await request.is_disconnected():
        await asyncio.sleep(_SILENCE_STEP_S)
        waited_s += _SILENCE_STEP_S
    return problem(504, "Silence", "The scheme gave no answer.")
