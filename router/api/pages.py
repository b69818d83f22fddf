"""The pages that the API serves about itself, open to all: its problems, by kind, and the documentation to read.

Nothing on them comes from another host: a page that explains a failure must not depend on a stranger's server.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Annotated, Any, Final

import fastapi_offline
import orjson
from fastapi import FastAPI
from fastapi import Path as PathParam
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from cells.kit.headers import HeaderRepeated
from router.api.call import Json
from router.api.errors import InvalidRequest, UnknownProblem
from router.api.openapi import problem_responses
from router.api.registry import ProblemKind, ProblemKinds, entry_of, registry
from router.api.strangers import TooManyFromAddress

_CACHE: Final = {"Cache-Control": "public, max-age=300", "Vary": "Accept"}
_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The documentation calls this API from the page, and its library writes styles into the elements it makes.
_DOCS_POLICY: Final = (
    f"{_POLICY}; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'"
)
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_NO_ICON = "data:,"
_ASSETS = Path(fastapi_offline.__file__).parent / "static"
_SCRIPT, _STYLE = "swagger-ui-bundle.js", "swagger-ui.css"
HTML_TOO: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_LOOK = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "td{padding:.2rem .8rem .2rem 0;vertical-align:top}pre{background:#f4f4f4;padding:1rem;overflow:auto}"
)


async def list_problems(request: Request) -> Response:
    """Every kind of problem: a page for a browser, JSON otherwise."""
    found = list(registry().values())
    rows = ((link(one.type, one.code), str(one.status), escape(one.title)) for one in found)
    return shown(request, ProblemKinds(data=found).model_dump(mode="json"), "Problems", table_of(rows))


async def get_problem(request: Request, code: Annotated[str, PathParam(max_length=64)]) -> Response:
    """One kind of problem, at the address that its `type` names: a page for a browser, JSON otherwise."""
    found = entry_of(code)
    return shown(request, found.model_dump(mode="json"), found.title, _told(found))


def _told(kind: ProblemKind) -> str:
    retry = "The same request may succeed later." if kind.retryable else "The same request will fail again."
    example = orjson.dumps(kind.example, option=orjson.OPT_INDENT_2).decode()
    return (
        f"<p><code>{escape(kind.code)}</code> · HTTP status {kind.status} · {retry}</p>"
        f"{explained(kind.meaning, kind.remedy)}<h2>Example</h2><pre>{escape(example)}</pre><p><a href='/problems'>All problems</a></p>"
    )


def shown(request: Request, document: object, title: str, content: str) -> Response:
    """The same thing as a page for a browser, and as JSON otherwise. `content` is HTML."""
    if "text/html" in request.headers.get("accept", ""):
        return _page(title, content)
    return Json(document, headers=_CACHE)


def table_of(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells, each HTML."""
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def link(address: str, text: str) -> str:
    return f"<a href='{escape(address)}'>{escape(text)}</a>"


def explained(meaning: str, remedy: str) -> str:
    """What every page of a code says of it."""
    return f"<h2>What it means</h2><p>{escape(meaning)}</p><h2>What to do</h2><p>{escape(remedy)}</p>"


def _page(title: str, content: str) -> Response:
    """A page in the house's look. `content` is HTML."""
    head = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)} · Kovra</title><style>{_LOOK}</style>"
    )
    policy = f"{_POLICY}; style-src '{_hash(_LOOK)}'"
    return HTMLResponse(
        f"{head}<h1>{escape(title)}</h1>{content}</html>", headers={**_CACHE, "Content-Security-Policy": policy}
    )


def _hash(inline: str) -> str:
    """How a policy names a script or style that stands in the page itself (CSP Level 3, section 2.3.1)."""
    return f"sha256-{b64encode(sha256(inline.encode()).digest()).decode()}"


def add_pages(app: FastAPI) -> None:
    async def docs() -> Response:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json", title=app.title, swagger_js_url=f"/docs/{_SCRIPT}",
            swagger_css_url=f"/docs/{_STYLE}", swagger_favicon_url=_NO_ICON,
        )  # fmt: skip
        scripts = " ".join(f"'{_hash(one)}'" for one in _INLINE.findall(bytes(page.body).decode()))
        page.headers["Content-Security-Policy"] = f"{_DOCS_POLICY} {scripts}"
        return page

    async def script() -> Response:
        return FileResponse(_ASSETS / _SCRIPT)

    async def style() -> Response:
        return FileResponse(_ASSETS / _STYLE)

    for path, page in (("/docs", docs), (f"/docs/{_SCRIPT}", script), (f"/docs/{_STYLE}", style)):
        app.add_api_route(path, page, include_in_schema=False)
    app.add_api_route(
        "/problems", list_problems, response_model=ProblemKinds, tags=["Problems"], summary="Every kind of problem",
        responses=HTML_TOO | problem_responses((InvalidRequest, HeaderRepeated, TooManyFromAddress)),
    )  # fmt: skip
    app.add_api_route(
        "/problems/{code}", get_problem, response_model=ProblemKind, tags=["Problems"], summary="One kind of problem",
        responses=HTML_TOO | problem_responses((UnknownProblem, InvalidRequest, HeaderRepeated, TooManyFromAddress)),
    )  # fmt: skip
