"""What can go wrong for a partner: the API said no (a problem document), or it said nothing."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from residency.classes import Public
from residency.errors import KovraError


class Problem(BaseModel):
    """An RFC 9457 problem document. What the kind adds (`region`, `limit`, …) is in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: Annotated[str, Public] = "about:blank"
    title: Annotated[str, Public] = ""
    status: Annotated[int, Public] = 0
    detail: Annotated[str, Public] = ""
    code: Annotated[str, Public] = ""
    retryable: Annotated[bool, Public] = False
    pointer: Annotated[str | None, Public] = None
    request_id: Annotated[str, Public] = ""

    @property
    def file_faults(self) -> list[str]:
        """What is wrong in a file that was refused, a line each, in its own words."""
        return [
            f"line {one['file_line']}: {one['reason_code']} {one['path']}: {one['detail']}"
            for one in (self.model_extra or {}).get("faults", ())
        ]


class ProblemError(KovraError):
    """The API's refusal. `retry_after_s`: how long it asked to wait, None when it did not.

    `replayed`: it was refused before, under the same Idempotency-Key, and this is that answer again.
    """

    code = "refused"
    title = "The API refused the request"

    def __init__(self, problem: Problem, retry_after_s: float | None = None, *, replayed: bool = False) -> None:
        told = (
            f"{problem.title} (HTTP {problem.status}, {problem.code}, request {problem.request_id}): {problem.detail}"
        )
        super().__init__("\n".join([told, *problem.file_faults]), pointer=problem.pointer)
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.replayed = replayed


class Unreachable(KovraError):
    """No answer. What became of the request is not known; the same call with the same key is safe."""

    code = "unreachable"
    status = 503
    retryable = True
    title = "The API did not answer"


class NotAsked(KovraError):
    """The address or the key is not one that a request can be made with."""

    code = "not-asked"
    title = "The API could not be asked"


class StillRunning(KovraError):
    """The transfer had not ended in the time given; it goes on, and can be waited for again."""

    code = "still-running"
    title = "The transfer has not ended yet"
