"""One log line for each request that was answered, by the API and by the router alike. Never a person, a query or a path as called."""

import logging
import time
from dataclasses import dataclass
from typing import Annotated

from residency.classes import Confidential, Public
from residency.log import Line, facts

_log = logging.getLogger("kovra.requests")
# What machines ask every few seconds.
_PROBES = frozenset({"/healthz", "/metrics"})
_OURS_FAILED = 500


@dataclass(frozen=True, slots=True)
class Answered(Line):
    """`route`: the template that the path matched, "" for none. `region`: of the cell. `code`: of the problem, "" for none. `status` 0:
    whoever asked hung up before there was an answer."""

    request_id: Annotated[str, Public]
    method: Annotated[str, Public]
    route: Annotated[str, Public]
    status: Annotated[int, Public]
    duration_ms: Annotated[float, Public]
    tenant_id: Annotated[str, Confidential] = ""
    key_id: Annotated[str, Confidential] = ""
    resource_id: Annotated[str, Confidential] = ""
    region: Annotated[str, Public] = ""
    code: Annotated[str, Public] = ""


def milliseconds_since(started_at: float) -> float:
    """Since a time of time.perf_counter()."""
    return round((time.perf_counter() - started_at) * 1000, 2)


def log_answered(line: Answered) -> None:
    """A failure of ours as a warning, what probes ask as debugging, and all else as information."""
    level = logging.WARNING if line.status >= _OURS_FAILED else logging.INFO
    if line.route in _PROBES:
        level = logging.DEBUG
    facts(_log, level, "answered", (line,))
