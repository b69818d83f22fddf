"""Which paths the router carries at all, read as the cell will read them: decoded once, in one spelling. Pure.

Sources: RFC 3986 sections 3.3, 5.2.4 and 6.2.2 (what two spellings of one path may differ in). A path that a server further on could
read as another one is refused, never repaired: an encoded slash, a dot segment, an empty segment.
"""

import re
from urllib.parse import quote, unquote_to_bytes

from residency.errors import KovraError

# What a partner may ask for, by the first segment after /v1/. Everything else is not carried: what an operator or a scheme asks of a
# cell is served on listeners of its own. tests/architecture/test_router_paths.py holds this list against the cell's routes, both ways.
NOUNS = frozenset({
    "batches", "events", "fees", "intents", "keys", "limits", "me", "oauth", "payers", "quotes", "rails", "rates", "recipients", "regions",
    "sandbox", "transfers", "wallets", "webhooks",
})  # fmt: skip
# The other words of partners' paths; what is none of them is an id or a code. The same test holds this list, too.
WORDS = frozenset({
    "cancel", "close", "deliveries", "deposits", "events", "keys", "lines", "magic-values", "name-check", "payments", "rejections", "replay",
    "requirements", "resend", "returns", "secret", "settlements", "statement", "sub-wallets", "swagger-ui-bundle.js", "swagger-ui.css", "test",
    "time", "timeline", "token", "transfers", "types",
})  # fmt: skip
# What every cell answers alike, and to anybody: whichever cell is up may say it.
OF_ANY_CELL = ("docs", "redoc", "openapi.json", "problems", "reasons")
_WELL_KNOWN = frozenset({"/.well-known/jwks.json", "/.well-known/oauth-authorization-server"})
# Sub-delims, ":" and "@" may stand in a segment as they are (RFC 3986 section 3.3).
_IN_A_SEGMENT = "/!$&'()*+,;=:@"
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f]")
_BADLY_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(r"%(?:2f|5c)|\\", re.IGNORECASE)


class PathInvalid(KovraError):
    code = "path-invalid"
    status = 400
    title = "That is no path of this API"


class PathUnknown(KovraError):
    """The same code as a cell's answer: the router carries no such path."""

    code = "not-found"
    status = 404
    title = "There is nothing at this address"


def normalised(raw: str) -> str:
    """The path in its one spelling: what needs no percent-encoding has none. `raw` is the path as it came over the wire.

    Raises PathInvalid for what two servers could read in two ways.
    """
    if not raw.startswith("/"):
        raise PathInvalid("A path starts with a slash.")
    if _SLASH.search(raw):
        raise PathInvalid(
            "A path has no encoded slash and no backslash: an id or name that needs one is none of this API's."
        )
    if _BADLY_ENCODED.search(raw):
        raise PathInvalid("A percent sign in a path is followed by two hexadecimal digits.")
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise PathInvalid("A percent-encoded path is UTF-8.") from None
    if _UNPRINTED.search(path):
        raise PathInvalid("A path has no control characters.")
    segments = path.split("/")[1:]
    if "." in segments or ".." in segments:
        raise PathInvalid('A path has no segment "." or "..".')
    if "" in segments[:-1]:
        raise PathInvalid("A path has no empty segment: write one slash where there are two.")
    if segments[-1] == "" and len(segments) > 1:
        raise PathInvalid("A path does not end with a slash: leave the last one out.")
    return quote(path, safe=_IN_A_SEGMENT)


def template(path: str) -> str:
    """`path` (normalised and carried, without the region in front) as a log may show it: only words of ours, `{}` for all else."""
    known = {"", "v1", *NOUNS, *WORDS, *OF_ANY_CELL}
    if path in _WELL_KNOWN:
        return path
    return "/".join(one if one in known else "{}" for one in path.split("/"))


def of_any_cell(path: str) -> bool:
    """Whether any cell may answer `path`, which has no region in front."""
    return path.split("/")[1] in OF_ANY_CELL


def check_carried(path: str) -> None:
    """Raises PathUnknown unless partners may ask for `path` (normalised, without the region in front)."""
    first, _, rest = path[1:].partition("/")
    carried = rest.partition("/")[0] in NOUNS if first == "v1" else of_any_cell(path) or path in _WELL_KNOWN
    if not carried:
        raise PathUnknown(
            "Compare the path with /openapi.json: its paths start with /v1, after the region if you name one."
        )
