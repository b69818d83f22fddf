"""The pages of reason codes, open to all: why a bank or a scheme has refused or returned a payment, and what can be done."""

from dataclasses import asdict
from html import escape
from typing import Annotated

from fastapi import FastAPI
from fastapi import Path as PathParam
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from cells.kit.headers import HeaderRepeated
from cells.rails.iso20022.reason_words import reasons
from residency.classes import Public
from router.api.errors import InvalidRequest, UnknownReason
from router.api.openapi import problem_responses
from router.api.pages import HTML_TOO, explained, link, shown, table_of
from router.api.strangers import TooManyFromAddress


class ReasonShown(BaseModel):
    """One reason code (ISO 20022). `source`: the code set that has it."""

    code: Annotated[str, Public]
    title: Annotated[str, Public]
    meaning: Annotated[str, Public]
    remedy: Annotated[str, Public]
    source: Annotated[str, Public]


class ReasonList(BaseModel):
    """All of them, by code. A `reason_code` with small letters is a problem of ours, with a page at `/problems/{code}`."""

    data: Annotated[list[ReasonShown], Public]


async def list_reasons(request: Request) -> Response:
    """Every reason code with its meaning: a page for a browser, JSON otherwise."""
    found = sorted(reasons().values(), key=lambda one: one.code)
    rows = ((link(f"/reasons/{one.code}", one.code), escape(one.title)) for one in found)
    return shown(request, {"data": [asdict(one) for one in found]}, "Reason codes", table_of(rows))


async def get_reason(request: Request, code: Annotated[str, PathParam(max_length=64)]) -> Response:
    """One reason code: what it means, and what you can do."""
    found = reasons().get(code)
    if found is None:
        raise UnknownReason("The index at /reasons lists them all.")
    content = (
        f"<p><code>{found.code}</code> · {escape(found.source)}</p>{explained(found.meaning, found.remedy)}"
        f"<p>{link('/reasons', 'All reason codes')}</p>"
    )
    return shown(request, asdict(found), found.title, content)


def add_reasons(app: FastAPI) -> None:
    app.add_api_route(
        "/reasons", list_reasons, response_model=ReasonList, tags=["Problems"], summary="Every reason code",
        responses=HTML_TOO | problem_responses((InvalidRequest, HeaderRepeated, TooManyFromAddress)),
    )  # fmt: skip
    app.add_api_route(
        "/reasons/{code}", get_reason, response_model=ReasonShown, tags=["Problems"], summary="One reason code",
        responses=HTML_TOO | problem_responses((UnknownReason, InvalidRequest, HeaderRepeated, TooManyFromAddress)),
    )  # fmt: skip
