"""Every failure as an RFC 9457 problem document, and the registry of their kinds.

`type` is the address of a page that the API serves about that kind. Members beside the RFC's own: `code` (the last part of
`type`), `retryable`, `request_id`, `pointer` (RFC 6901, to the field at fault) and what the failure itself adds. A failure of
500 says nothing but that it happened.
"""

from collections.abc import Mapping
from html import escape
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import HTMLResponse, Response

from cells.idempotency.answer import Answer
from residency.classes import Public
from residency.errors import KovraError
from router.api.errors import BodyNotJson, InvalidRequest, UnknownProblem

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "1"
_OWN = frozenset({"type", "title", "status", "detail", "code", "retryable", "request_id", "pointer"})


class FieldFault(BaseModel):
    """One field at fault: `pointer` into the body, or the `parameter` of the query."""

    model_config = ConfigDict(extra="forbid")
    detail: Annotated[str, Public]
    pointer: Annotated[str | None, Public] = None
    parameter: Annotated[str | None, Public] = None


class Problem(BaseModel):
    """An RFC 9457 problem document. Kinds may add members of their own."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Public] = Field(description="Address of the page about this kind of problem")
    title: Annotated[str, Public]
    status: Annotated[int, Public]
    detail: Annotated[str, Public]
    code: Annotated[str, Public] = Field(description="Stable; the last part of `type`")
    retryable: Annotated[bool, Public] = Field(description="Whether the same request may succeed later")
    request_id: Annotated[str, Public]
    pointer: Annotated[str | None, Public] = Field(None, description="JSON pointer to the field at fault")
    errors: Annotated[list[FieldFault] | None, Public] = Field(None, description="Every field at fault")


class Problems:
    """Makes problem documents. A `type` is a relative reference (RFC 9457 section 3.1.1): the same from every cell and from the
    router, each of which serves the page it names."""

    def of_error(self, error: KovraError, request_id: str) -> Response:
        """An expected failure as an answer."""
        silent = error.status == 500
        return self._response(
            code=error.code,
            title=error.title,
            status=error.status,
            detail=error.title if silent else error.detail,
            retryable=error.retryable,
            pointer=None if silent else error.pointer,
            extra={} if silent else error.extra,
            request_id=request_id,
        )

    def of_answer(self, answer: Answer, request_id: str) -> Response:
        """A kept refusal, given again or for the first time."""
        assert answer.problem
        body = answer.body
        return self._response(
            code=body["code"],
            title=body["title"],
            status=answer.status,
            detail=body["detail"],
            retryable=body["retryable"],
            pointer=body["pointer"],
            extra=body["extra"],
            request_id=request_id,
        )

    def document(self, kind: type[KovraError], request_id: str) -> dict[str, Any]:
        """What a failure of that kind looks like at least: the example in the OpenAPI document."""
        return {
            "type": f"/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": kind.title,
            "code": kind.code,
            "retryable": kind.retryable,
            "request_id": request_id,
        }

    def _response(
        self, *, code: str, title: str, status: int, detail: str, retryable: bool, pointer: str | None,
        extra: Mapping[str, Any], request_id: str,
    ) -> Response:  # fmt: skip
        body: dict[str, Any] = {
            "type": f"/problems/{code}",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "retryable": retryable,
            "request_id": request_id,
        }
        if pointer is not None:
            body["pointer"] = pointer
        body |= {name: value for name, value in extra.items() if name not in _OWN}
        headers = {"WWW-Authenticate": 'Bearer realm="kovra"'} if status == 401 else {}
        if retryable:
            headers["Retry-After"] = _RETRY_AFTER_S
        return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def invalid(error: ValidationError) -> KovraError:
    """What pydantic found in a body, as a failure of ours."""
    return invalid_fields(
        [("body", one["type"], one["loc"], one["msg"]) for one in error.errors(include_url=False, include_input=False)]
    )


def invalid_fields(found: list[tuple[str, str, tuple[int | str, ...], str]]) -> KovraError:
    """`(where, pydantic's type, place, message)` of each field at fault as one failure. No message repeats what was sent."""
    if any(kind == "json_invalid" for _, kind, _, _ in found):
        return BodyNotJson()
    faults: list[dict[str, str]] = []
    for where, _, place, message in found:
        said = message.removeprefix("Value error, ")
        at = {"pointer": _pointer(place)} if where == "body" else {"parameter": str(place[0]) if place else where}
        faults.append({"detail": said, **at})
    first = faults[0]
    named = first.get("pointer") or first.get("parameter") or "the body"
    return InvalidRequest(f"{named}: {first['detail']}", pointer=first.get("pointer"), errors=faults)


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def kinds() -> dict[str, type[KovraError]]:
    """Every kind of failure that this process knows, by code. Of two with one code, either speaks for both."""
    found: dict[str, type[KovraError]] = {KovraError.code: KovraError}
    waiting = list(KovraError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        found.setdefault(kind.code, kind)
    return dict(sorted(found.items()))


def page(code: str) -> Response:
    """The page about one kind. Raises UnknownProblem."""
    kind = kinds().get(code)
    if kind is None:
        raise UnknownProblem("The index at /problems lists them all.")
    retry = "The same request may succeed later." if kind.retryable else "The same request will fail again."
    more = (kind.__doc__ or "").strip() if kind.__doc__ and kind is not KovraError else ""
    return _html(
        code, f"<p><b>{escape(kind.title)}</b></p><p>HTTP status {kind.status}. {retry}</p><p>{escape(more)}</p>"
    )


def index() -> Response:
    """The page that lists every kind."""
    rows = "".join(
        f'<tr><td><a href="/problems/{escape(code)}">{escape(code)}</a></td><td>{kind.status}</td><td>{escape(kind.title)}</td></tr>'
        for code, kind in kinds().items()
    )
    return _html("Problems", f"<table>{rows}</table>")


def _html(title: str, content: str) -> Response:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)} · Kovra</title>"
    return HTMLResponse(f"{head}<h1>{escape(title)}</h1>{content}</html>")
