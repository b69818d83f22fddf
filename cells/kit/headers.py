"""Request headers that may be there once.

Whoever reads a header takes one line of it; another reader on the way (a proxy, a log, the sender's own retry) takes another. So each that
a door reads is refused when it comes twice, instead of the first line or the last counting (RFC 9110 section 5.3: only what is defined as
a list may be repeated; RFC 9112 section 3.2 for Host, section 6.3 for Content-Length).
"""

from collections.abc import Iterable

from residency.errors import KovraError

SINGLE = frozenset({
    b"authorization", b"content-encoding", b"content-length", b"content-type", b"host", b"transfer-encoding",
    b"idempotency-key", b"kovra-region", b"kovra-request-id", b"kovra-router", b"last-event-id",
    b"scheme-participant", b"scheme-signature", b"scheme-timestamp",
    b"channel-id", b"x-client-key", b"x-external-id", b"x-partner-id", b"x-signature", b"x-timestamp",
})  # fmt: skip
# Defined as lists (RFC 9421 section 4 has signatures in dictionaries, one by each who signs): all their lines are read, as one.
LISTS = frozenset({b"accept", b"content-digest", b"signature", b"signature-input"})


class HeaderRepeated(KovraError):
    code = "header-repeated"
    status = 400
    title = "A header that may be there once is there twice"


def single_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Those of a request's headers that may be there once, by lower-case name. Raises HeaderRepeated."""
    found: dict[bytes, bytes] = {}
    for name, value in raw:
        if name in SINGLE:
            if name in found:
                raise HeaderRepeated(f"{name.decode().title()} is there more than once; send it once.")
            found[name] = value
    return found
