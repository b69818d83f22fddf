"""The router's own answers, as RFC 9457 problem documents."""

import json
import math
from collections.abc import Sequence

from residency.errors import KovraError

Headers = Sequence[tuple[bytes, bytes]]


class CellAway(KovraError):
    """Nothing was sent."""

    code = "region-unavailable"
    status = 503
    retryable = True
    title = "That region does not answer just now"


class CellBusy(KovraError):
    """The router has no place left in its pool for that region. Nothing was sent."""

    code = "region-busy"
    status = 503
    retryable = True
    title = "Too many requests to that region are under way"


class CellSilent(KovraError):
    """The request was sent and not answered: what became of it is not known. Its idempotency key makes it safe to send again."""

    code = "region-silent"
    status = 504
    retryable = True
    title = "That region took the request and has not answered"


def document(error: KovraError, request_id: str) -> bytes:
    """The problem document; `type` is relative, so that it resolves at whatever address the router has."""
    members = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "retryable": error.retryable,
        "request_id": request_id,
    }
    return json.dumps(members | error.extra, ensure_ascii=False).encode()


def headers(error: KovraError) -> Headers:
    """What the status obliges to say in headers: Retry-After (seconds), WWW-Authenticate."""
    found = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if error.status in (503, 504):
        seconds = max(1, math.ceil(error.extra.get("retry_after_s", 1)))
        found.append((b"retry-after", str(seconds).encode()))
    if error.status == 401:
        found.append((b"www-authenticate", b"Bearer"))
    return found
