"""A fuzzer of request targets at the router: one path in its many spellings, and what is no path at all. Drawn by a seed.

What is expected, whatever was sent: an answer that is no failure of ours (never a 5xx) and no redirect; and what reaches a cell is a
path of the closed list, in one spelling that no second reading makes another path of.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from random import Random
from urllib.parse import unquote_to_bytes

from router.edge.paths import NOUNS, OF_ANY_CELL
from tests.support.edge_cells import World

# Stated apart from router.edge.paths: what a cell may be asked, as bytes on the wire.
_SEGMENT = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-F]{2})+"
_CARRIED = re.compile(
    rf"/v1/(?:{'|'.join(sorted(NOUNS))})(?:/{_SEGMENT})*"
    rf"|/(?:{'|'.join(map(re.escape, OF_ANY_CELL))})(?:/{_SEGMENT})*"
    r"|/\.well-known/(?:jwks\.json|oauth-authorization-server)"
)
_ANSWERED_WITHIN_S = 30.0
_BEGINNINGS = (
    "/v1/quotes", "/v1/wallets", "/v1/transfers", "/v1/transfers/tr_eu1_0", "/v1/me", "/v1/fees", "/v1/webhooks", "/v1/oauth/token", "/docs",
    "/openapi.json", "/problems/quote-expired", "/reasons", "/.well-known/jwks.json", "/v1", "/",
    # What no partner may reach.
    "/v1/admin/tenants", "/v1/admin", "/metrics", "/healthz", "/rails/sepa_instant/inbound", "/actors", "/rails/bi_fast/v1.0/transfer-va/payment",
)  # fmt: skip
_REGIONS = (
    "",
    "",
    "/eu",
    "/EU",
    "/eU",
    "/Eu",
    "/uk",
    "/eu-1",
    "/eu1",
    "/EU-1",
    "/xx",
    "/eu1/eu1",
    "/%65u",
    "/e%55",
    "/eu%2d1",
    "/eu;a",
)
_SLASHES = (
    "//", "/./", "/../", "/.;/", "/..;/", "/%2f", "%2F", "%2f/", "/%252f", "%25%32%66", "%5c", "%5C", "\\", "/\\", "\\/", "%255c", "/..%2f", "/%2e%2e/",
    "/%2e./", "/.%2E/", "/%2e/", "/%252e%252e/", "/%c0%af", "%c0%af", "/%e0%80%af", "%c0%ae%c0%ae/", "/%c0%2e%c0%2e/", "%f0%80%80%af", "%uff0f", "%ef%bc%8f",
    "／", "∕", "/ /", "/%20/", "/%09/", "/%0d%0a/", "/;a=b/", ";a=b/", ";/", "/..%00/", "/...../", "/~/", "/%7e/",
)  # fmt: skip
_ENDS = (
    "/", "//", ".", "..", "/.", "/..", "%2f", "%2F", "%2e", "/%2e", "%00", "\x00", "%00.json", ".json", ";", ";a", ";jsessionid=1", "%3b", "%3f", "%23", "?", "?a=%2f..",
    "#x", "%", "%%", "%2", "%zz", "%u0061", " ", "%20", "\t", "%09", "%0a", "%0d%0aX-A:1", "é", "%e9", "%c3%a9", "\xff", "%ff", "%ed%a0%80", "%f4%90%80%80", "\u202e", "%E2%80%AE",
    "*", "@", ":80", ":", "&", "~", "\x7f", "\x01", "\\", "|", "^", "{}", "<>", '"', "`",
)  # fmt: skip
_NO_PATHS = (
    "*", "", "eu/v1/wallets", "127.0.0.1:80", "eu.example:443", "http:", "http:/v1/wallets", "http:///v1/wallets", "//", "///", "http://", "?", "#", "%2fv1/wallets",
    "javascript:alert(1)", "file:///etc/passwd", ".", "..", "/..", "../v1/wallets", "\\v1\\wallets", "[::1]", "http://[::1", "http://[::1]/v1/wallets", "@", ":", ":80/v1",
)  # fmt: skip
_AUTHORITIES = (
    "http://127.0.0.1", "http://eu.kovra.example", "HTTP://EU", "https://127.0.0.1:1", "http://user:password@eu", "http://127.0.0.1\\@eu", "ftp://eu", "http://eu:99999",
    "http://é", "http://uk.kovra.example",
)  # fmt: skip
_METHODS = ("GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "CONNECT", "TRACE")


async def searched(world: World, seed: int, requests: int, authorization: str) -> list[str]:
    """What so many targets found; every third is asked with the key `authorization`."""
    random, found = Random(seed), list[str]()
    for number in range(requests):
        method, target = random.choice(_METHODS), drawn(random)
        before = {name: len(cell.heard) for name, cell in world.cells.items()}
        status, head = await _asked(world, method, target, authorization if number % 3 == 0 else "")
        reached = [(name, one.target) for name, cell in world.cells.items() for one in cell.heard[before[name] :]]
        for fault in _faults(status, head, reached):
            found.append(f"{method} {target[:200]!r}: {fault}")
    return found


def drawn(random: Random) -> bytes:
    """One target, as it goes over the wire."""
    if random.random() < 0.08:
        return _wire(random.choice(_NO_PATHS))
    text = random.choice(_REGIONS) + random.choice(_BEGINNINGS)
    for change in random.choices(_CHANGES, k=random.choice((0, 1, 1, 2, 3))):
        text = change(text, random)
    if random.random() < 0.15:
        text = random.choice(_AUTHORITIES) + text
    return _wire(text)


def _wire(text: str) -> bytes:
    """Text above U+00FF as UTF-8, bytes below as they are."""
    return b"".join(one.encode("latin-1") if ord(one) < 0x100 else one.encode() for one in text)


def _encoded(text: str, random: Random) -> str:
    """Some of its characters percent-encoded, once or twice, in either case."""
    share, percent = random.choice((0.1, 0.5, 1.0)), random.choice(("%", "%", "%25"))
    form: Callable[[str], str] = random.choice((str.upper, str.lower))
    return "".join(
        percent + form(f"{ord(one):02x}") if ord(one) < 0x80 and random.random() < share else one for one in text
    )


def _slashed(text: str, random: Random) -> str:
    places = [number for number, one in enumerate(text) if one == "/"]
    if not places:
        return text
    at = random.choice(places)
    return text[:at] + random.choice(_SLASHES) + text[at + 1 :]


def _ended(text: str, random: Random) -> str:
    return text + random.choice(_ENDS)


def _cased(text: str, random: Random) -> str:
    return "".join(random.choice((str.upper, str.lower))(one) for one in text)


def _lengthened(text: str, random: Random) -> str:
    return text + random.choice(("/", "a", "/a", "%61", "../", "é", "%2561")) * random.choice((300, 4_000, 30_000))


_CHANGES: Sequence[Callable[[str, Random], str]] = (
    _encoded, _encoded, _slashed, _slashed, _ended, _ended, _cased, _lengthened,
)  # fmt: skip


async def _asked(world: World, method: str, target: bytes, authorization: str) -> tuple[int, str]:
    """(the status, 0 for no answer; the head of the answer)."""
    head = f"Host: 127.0.0.1:{world.port}\r\nConnection: close\r\nContent-Length: 0\r\n"
    if authorization:
        head += f"Authorization: {authorization}\r\n"
    async with asyncio.timeout(_ANSWERED_WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        try:
            writer.write(method.encode() + b" " + target + b" HTTP/1.1\r\n" + head.encode() + b"\r\n")
            raw = await reader.read()
        finally:
            writer.close()
    told, _, _ = raw.partition(b"\r\n\r\n")
    return int(told.split(b" ")[1]) if told else 0, told.decode("latin-1").lower()


def _faults(status: int, head: str, reached: Sequence[tuple[str, str]]) -> list[str]:
    found = []
    if status == 0 or status >= 500:
        found.append(f"answered with {status or 'nothing'}")
    if 300 <= status < 400 or "\nlocation:" in head:
        found.append(f"redirected: {head}")
    for cell, target in reached:
        path = target.partition("?")[0]
        if not _CARRIED.fullmatch(path):
            found.append(f"{cell} was asked {target[:200]!r}")
        segments = unquote_to_bytes(path).split(b"/")
        if any(one in (b"", b".", b"..") for one in segments[1:]) or re.search(
            rb"[\x00-\x1f\x7f\\]", unquote_to_bytes(path)
        ):
            found.append(f"{cell} was asked what reads as another path: {target[:200]!r}")
        if b"%" in path.encode().split(b"/")[2 if path.startswith("/v1/") else 1]:
            found.append(f"{cell} was asked for an encoded noun: {target[:200]!r}")
    return found
