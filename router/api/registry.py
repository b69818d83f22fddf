"""The registry of problem kinds: one entry for each code that the API or the router answers with.

An entry joins the failure's class, which knows title, status and whether a retry may help, to `problems.toml`, which says what it
means and what to do. What is not in that file has no page.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BaseModel

from residency.classes import Public
from residency.errors import KovraError
from router.api.errors import UnknownProblem

EXAMPLE_REQUEST_ID = "req_eu1_06l2r0k8q5o7t3v1a9c4e6g8io"


class ProblemKind(BaseModel):
    """One kind of problem. `example`: the least that a problem document of this kind says."""

    code: Annotated[str, Public]
    type: Annotated[str, Public]
    title: Annotated[str, Public]
    status: Annotated[int, Public]
    retryable: Annotated[bool, Public]
    meaning: Annotated[str, Public]
    remedy: Annotated[str, Public]
    example: Annotated[dict[str, Any], Public]


class ProblemKinds(BaseModel):
    """All of them, by code."""

    data: Annotated[list[ProblemKind], Public]


def kinds() -> dict[str, type[KovraError]]:
    """Every kind of failure that this process knows, by code. Of two with one code, either speaks for both."""
    found: dict[str, type[KovraError]] = {KovraError.code: KovraError}
    waiting = list(KovraError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        found.setdefault(kind.code, kind)
    return dict(sorted(found.items()))


@cache
def written() -> dict[str, Mapping[str, Any]]:
    """What `problems.toml` says, by code."""
    return tomllib.loads(files("router.api").joinpath("problems.toml").read_text("utf-8"))


@cache
def registry() -> dict[str, ProblemKind]:
    """Every entry, by code. Made once, when every room that raises them has been imported."""
    known = kinds()
    found: dict[str, ProblemKind] = {}
    for code, entry in sorted(written().items()):
        kind = known.get(code)
        if kind is None or "title" in entry:  # the router's own: a cell does not import it
            title, status, retryable = entry["title"], entry["status"], entry["retryable"]
        else:
            title, status, retryable = kind.title, kind.status, kind.retryable
        example = document(code, title, status, retryable)
        found[code] = ProblemKind(
            code=code, type=example["type"], title=title, status=status, retryable=retryable,
            meaning=entry["meaning"], remedy=entry["remedy"], example=example,
        )  # fmt: skip
    return found


def entry_of(code: str) -> ProblemKind:
    """Raises UnknownProblem."""
    found = registry().get(code)
    if found is None:
        raise UnknownProblem("The index at /problems lists them all.")
    return found


def detail_of(code: str, title: str, detail: str) -> str:
    """What to do, where a failure has nothing of its own to say but its title again."""
    return written()[code]["remedy"] if detail == title and code in written() else detail


def document(code: str, title: str, status: int, retryable: bool) -> dict[str, Any]:
    """What a failure of that kind looks like at least."""
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail_of(code, title, title),
        "code": code,
        "retryable": retryable,
        "request_id": EXAMPLE_REQUEST_ID,
    }
