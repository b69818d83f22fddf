"""Every failure as an RFC 9457 problem document.

`type` is the address of a page that the API serves about that kind (registry.py, pages.py). Members beside the RFC's own: `code`
(the last part of `type`), `retryable`, `request_id`, `pointer` (RFC 6901, to the field at fault) and what the failure itself adds.
A failure of 500 says nothing but that it happened: every one of them is `internal`.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cells.idempotency.answer import Answer
from residency.classes import Public
from residency.errors import KovraError
from router.api.call import CALL
from router.api.errors import InvalidRequest
from router.api.field_words import unknown_field, words_of
from router.api.registry import detail_of

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "1"
_log = logging.getLogger("kovra.api")
_SILENT = KovraError.status
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


class ProblemAnswer(Response):
    """A problem document on its way out. Its call is told the code, for the log."""

    media_type = MEDIA_TYPE

    def __init__(self, body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(orjson.dumps(body), status, headers)
        self._code: str = body["code"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CALL in scope:
            scope[CALL].problem = self._code
        await super().__call__(scope, receive, send)


class Problems:
    """Makes problem documents. A `type` is a relative reference (RFC 9457 section 3.1.1): the same from every cell and from the
    router, each of which serves the page it names."""

    def of_error(self, error: KovraError, request_id: str) -> Response:
        """An expected failure as an answer."""
        if error.status == _SILENT:
            _log.error("%s failed: %s", request_id, error.code)
            return self.of_bug(request_id)
        return self._response(
            code=error.code,
            title=error.title,
            status=error.status,
            detail=error.detail,
            retryable=error.retryable,
            pointer=error.pointer,
            extra=error.extra,
            request_id=request_id,
        )

    def of_bug(self, request_id: str) -> Response:
        """What nobody expected, and no reason given."""
        return self._response(
            code=KovraError.code,
            title=KovraError.title,
            status=KovraError.status,
            detail=KovraError.title,
            retryable=KovraError.retryable,
            pointer=None,
            extra={},
            request_id=request_id,
        )

    def of_answer(self, answer: Answer, request_id: str) -> Response:
        """A kept refusal, given again or for the first time."""
        assert answer.problem
        if answer.status == _SILENT:
            return self.of_bug(request_id)
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

    def _response(
        self, *, code: str, title: str, status: int, detail: str, retryable: bool, pointer: str | None,
        extra: Mapping[str, Any], request_id: str,
    ) -> Response:  # fmt: skip
        body: dict[str, Any] = {
            "type": f"/problems/{code}",
            "title": title,
            "status": status,
            "detail": detail_of(code, title, detail),
            "code": code,
            "retryable": retryable,
            "request_id": request_id,
        }
        if pointer is not None:
            body["pointer"] = pointer
        body |= {name: value for name, value in extra.items() if name not in _OWN}
        headers = {"WWW-Authenticate": 'Bearer realm="kovra"'} if status == 401 else {}
        if retryable:
            headers["Retry-After"] = str(extra.get("retry_after_s", _RETRY_AFTER_S))
        return ProblemAnswer(body, status, headers)


def invalid(error: ValidationError, model: type[BaseModel] | None = None) -> KovraError:
    """What pydantic found in a body, as a failure of ours. `model`: what the body was to be."""
    return invalid_fields(
        [
            ("body", one["loc"], described_fault(one, one["loc"], model))
            for one in error.errors(include_url=False, include_input=False)
        ]
    )


def described_fault(fault: Mapping[str, Any], place: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """One fault of pydantic's in words for a partner."""
    if fault["type"] == "extra_forbidden":
        return unknown_field(place, model)
    return words_of(fault["type"], fault["msg"], fault.get("ctx"))


def invalid_fields(found: Sequence[tuple[str, tuple[int | str, ...], str]]) -> KovraError:
    """`(where, place, words)` of each field at fault as one failure. No words repeat what was sent."""
    faults: list[dict[str, str]] = []
    for where, place, said in found:
        at = {"pointer": _pointer(place)} if where == "body" else {"parameter": str(place[0]) if place else where}
        faults.append({"detail": said, **at})
    first = faults[0]
    named = first.get("pointer") or first.get("parameter") or "the body"
    return InvalidRequest(f"{named}: {first['detail']}", pointer=first.get("pointer"), errors=faults)


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
