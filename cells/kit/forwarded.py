"""Whence a request comes: what the router says of it, and how a cell knows that it is the router who says so. Pure.

Whatever a caller says of itself (`is_claim`) ends at the router, which adds one element of Forwarded (RFC 7239) and `Kovra-Router`:
the time, and an HMAC-SHA-256 over both with a secret that it shares with that one cell. A cell that is shown no such proof, or one that does
not hold, goes by the address of its peer and by the Host header.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

PROOF = "kovra-router"
FORWARDED = "forwarded"
# What the clocks of a router and a cell may be apart.
WINDOW_S = 300
# What proxies and networks write an address, a host or a path into, each in a spelling of its own. Some servers take "_" for "-".
_CLAIMS = frozenset({
    "client-ip", "fastly-client-ip", "fly-client-ip", "forwarded", "real-ip", "true-client-ip", "x-appengine-user-ip", "x-azure-clientip",
    "x-azure-socketip", "x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-envoy-original-path", "x-forwarded",
    "x-host", "x-original-forwarded-for", "x-original-host", "x-original-url", "x-originating-ip", "x-proxyuser-ip", "x-real-ip",
    "x-remote-addr", "x-remote-ip", "x-rewrite-url", "x-true-client-ip",
})  # fmt: skip
_CLAIM_HEADS = ("cf-", "forwarded-", "x-forwarded-", "kovra-router")
_ELEMENT = re.compile(r'for=(?:"\[([0-9a-fA-F:.]+)\]"|([A-Za-z0-9._-]+));host="([^"]*)";proto=([a-z]+)')
_NO_HOST = re.compile(r"[^A-Za-z0-9.:\[\]_-]")
_PROOF = re.compile(r"([0-9]{1,12}) ([0-9a-f]{64})")
_DEFAULT_PORT = re.compile(r":(?:80|443)?$")


class Origin(NamedTuple):
    """`address`: who called, by itself or through the router. `authority`: on what name, as RFC 9421 section 2.2.3 has it signed."""

    address: str
    authority: str


def is_claim(name: str) -> bool:
    """Whether a header of that (lower-case) name says of a request whence it comes, or what it was before a proxy."""
    spelt = name.replace("_", "-")
    return spelt in _CLAIMS or spelt.startswith(_CLAIM_HEADS)


def element(address: str, host: str, scheme: str) -> str:
    """One hop, as RFC 7239 writes it: who called, on what name, over which scheme."""
    written = f'"[{address}]"' if ":" in address else address
    return f'for={written};host="{_NO_HOST.sub("", host)}";proto={scheme}'


def prove(secret: bytes, forwarded: str, now_s: int) -> str:
    """The value of Kovra-Router beside that Forwarded."""
    return f"{now_s} {_mac(secret, forwarded, str(now_s)).hex()}"


def origin(headers: Mapping[str, str], peer: str, secrets: Sequence[bytes], now_s: float) -> tuple[Origin, bool]:
    """Whence a request with `headers` (lower-case names; Host, and the two of a router) comes, and whether what is said of a router holds: false
    only where something is said. `peer`: the address at the other end of the connection. `secrets`: those that a router may prove itself by."""
    direct = Origin(source_of(peer), authority_of(headers.get("host", "")))
    proof, forwarded = headers.get(PROOF), headers.get(FORWARDED, "")
    if proof is None:
        return direct, True
    read, told = _PROOF.fullmatch(proof), _ELEMENT.fullmatch(forwarded)
    if read is None or told is None or abs(now_s - int(read[1])) > WINDOW_S:
        return direct, False
    shown = bytes.fromhex(read[2])
    if not any(hmac.compare_digest(shown, _mac(secret, forwarded, read[1])) for secret in secrets):
        return direct, False
    return Origin(source_of(told[1] or told[2]), authority_of(told[3])), True


def source_of(address: str) -> str:
    """What is counted as one caller: an IPv4 address, however it is written, or the /64 of an IPv6 address, of which one host has all."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def authority_of(host: str) -> str:
    """`@authority` of a request with that Host header: in lower case, without the scheme's own port."""
    return _DEFAULT_PORT.sub("", host.strip().lower())


def _mac(secret: bytes, forwarded: str, at: str) -> bytes:
    return hmac.digest(secret, f"kovra-router\n{at}\n{forwarded}".encode("latin-1"), "sha256")
