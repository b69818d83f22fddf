"""Headers on their way through: what belongs to one connection stays behind, and so does what a caller says of whence it comes; what the
next hop must know is added.

Sources: RFC 9110 section 7.6.1 (hop-by-hop fields), RFC 7239 (Forwarded).
"""

from collections.abc import Iterable, Mapping

from cells.kit.forwarded import element, is_claim
from cells.kit.headers import HeaderRepeated, single_headers
from residency.ids import MalformedId, mint, parse

REQUEST_ID = "kovra-request-id"
REGION = "kovra-region"
# Ids that the router mints carry its own name where others carry their cell's.
_EDGE = "ed-0"

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS_TO_SAY = frozenset({"date", "server"})

Raw = Iterable[tuple[bytes, bytes]]


def looked_at(raw: Raw) -> tuple[dict[str, str], HeaderRepeated | None]:
    """The headers that may be there once, and Signature-Input as one, by lower-case name; and what is wrong where one is not. The cell refuses
    them as well, but two regions, hosts or keys would have to be told apart here."""
    try:
        found = {name.decode(): value.decode("latin-1") for name, value in single_headers(raw).items()}
        signed = [value.decode("latin-1") for name, value in raw if name.lower() == b"signature-input"]
        return found | ({"signature-input": ", ".join(signed)} if signed else {}), None
    except HeaderRepeated as error:
        return {}, error


def request_id(given: str) -> str:
    """The caller's own id for the request when it is a request's id, else a new one: it stands in logs, where no text of the caller's
    belongs, and a cell takes no other."""
    try:
        return parse(given, "req").text
    except MalformedId:
        return mint("req", _EDGE)


def onward(raw: Raw, *, region: str | None, request_id: str, forwarded: str, proof: str) -> list[tuple[str, str]]:
    """A request's headers as the cell gets them. `forwarded` is this hop's element of Forwarded, `proof` that it is the router's."""
    kept = [
        (name, value)
        for name, value in _end_to_end(raw)
        if name not in (REGION, REQUEST_ID, "host") and not is_claim(name)
    ]
    kept += [("Forwarded", forwarded), ("Kovra-Router", proof), ("Kovra-Request-Id", request_id)]
    if region is not None:
        kept.append(("Kovra-Region", region))
    return kept


def back(raw: Raw, request_id: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers as the caller gets them."""
    kept = [(name, value) for name, value in _end_to_end(raw) if name not in _OURS_TO_SAY]
    if all(name != REQUEST_ID for name, _ in kept):
        kept.append((REQUEST_ID, request_id))
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]


def forwarded_element(scope: Mapping[str, object], host: str) -> str:
    """This hop's element of Forwarded."""
    client = scope.get("client")
    address = str(client[0]) if isinstance(client, (tuple, list)) else "unknown"
    return element(address, host, str(scope.get("scheme", "http")))


def _end_to_end(raw: Raw) -> list[tuple[str, str]]:
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]
    named = {one.strip().lower() for name, value in pairs if name == "connection" for one in value.split(",")}
    return [pair for pair in pairs if pair[0] not in _HOP_BY_HOP and pair[0] not in named]
