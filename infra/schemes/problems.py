"""How the scheme's server says no: a problem document, RFC 9457."""

from starlette.responses import JSONResponse, Response


def problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
