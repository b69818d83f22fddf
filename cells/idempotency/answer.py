"""Answers as they are kept and given again: a status and a body, or a problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from residency.errors import KovraError


class IdempotencyConflict(KovraError):
    code = "idempotency-key-reused"
    status = 422
    title = "This Idempotency-Key was used with another request body; use a new key for a new request"


class RequestInFlight(KovraError):
    code = "request-in-flight"
    status = 409
    retryable = True
    title = "The first request with this Idempotency-Key has not been answered yet; ask again in a moment"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answers. `replayed`: given before, under the same key. A problem's `body` is the error's own members.

    `resource_id`: what the request that was answered first makes or would have made, "" where nobody needs it; not kept. A
    caller who minted another id has been given somebody else's first answer again (an actor may remember it).
    """

    status: int
    body: Mapping[str, Any]
    replayed: bool = False
    problem: bool = False
    resource_id: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return Answer, (self.status, self.body, self.replayed, self.problem, self.resource_id)  # see Command


def answer_of_error(error: KovraError, resource_id: str = "") -> Answer:
    """An expected failure as an answer that can be kept."""
    body = {
        "code": error.code,
        "title": error.title,
        "status": error.status,
        "retryable": error.retryable,
        "detail": error.detail,
        "pointer": error.pointer,
        "extra": error.extra,
    }
    return Answer(error.status, body, problem=True, resource_id=resource_id)


def to_stored(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "body": dict(answer.body), "problem": answer.problem}


def from_stored(stored: Mapping[str, Any]) -> Answer:
    return Answer(stored["status"], stored["body"], replayed=True, problem=stored["problem"])
