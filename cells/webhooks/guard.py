"""Where a webhook may go: https on the public internet, judged on the very address that is connected to.

A check of the name alone can be answered with one address and the connection with another (DNS rebinding), so
the guard stands where the socket is opened, resolves there, and connects to what it has judged. A sandbox may
allow loopback.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import httpcore

from residency.errors import KovraError

URL_LENGTH_MAX = 2_048

# Public IPv6 prefixes that only wrap an IPv4 address (RFC 6052, RFC 8215): the wrapped one would be the real
# target.
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


# Off the public internet, although `ipaddress` does not say so yet: documentation (RFC 9637), SRv6 (RFC 9602).
_UNROUTED = (ip_network("3fff::/20"), ip_network("5f00::/16"))


class UrlNotAllowed(KovraError):
    code = "webhook-url-not-allowed"
    status = 422
    title = "Webhooks cannot be sent to that URL"


class AddressRefused(Exception):
    """The name leads to an address that webhooks may not be sent to. Not shown to partners beyond its own
    text.
    """


def check_url(url: str, *, allow_loopback: bool) -> str:
    """The URL, if an endpoint may have it. Raises UrlNotAllowed. Says nothing yet about where its name leads."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlNotAllowed("The URL cannot be read.", pointer="/url") from None
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise UrlNotAllowed(f"Use at most {URL_LENGTH_MAX} printable ASCII characters.", pointer="/url")
    if not parts.hostname or port == 0:
        raise UrlNotAllowed("The URL names no host.", pointer="/url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlNotAllowed("Leave out user names, passwords and fragments.", pointer="/url")
    literal = _literal(parts.hostname)
    is_local = parts.hostname == "localhost" or (literal is not None and literal.is_loopback)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local and allow_loopback):
        raise UrlNotAllowed("Use https.", pointer="/url")
    if literal is not None and not address_allowed(literal, allow_loopback=allow_loopback):
        raise UrlNotAllowed("That address is not on the public internet.", pointer="/url")
    return url


def address_allowed(address: IPv4Address | IPv6Address, *, allow_loopback: bool) -> bool:
    """True for a unicast address of the public internet (and loopback, if allowed), wrapped IPv4 addresses
    unwrapped.
    """
    if isinstance(address, IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if wrapped is None and any(address in network for network in _TRANSLATED):
            wrapped = IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return address_allowed(wrapped, allow_loopback=allow_loopback)
    if address.is_loopback:
        return allow_loopback
    if isinstance(address, IPv6Address) and (address.is_site_local or any(address in network for network in _UNROUTED)):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that the guard allows."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect. Raises AddressRefused, or what httpcore raises when nothing answers."""
        addresses = await self._resolve(host, port, timeout)
        # One forbidden answer condemns the name: a partner's own name has no business leading there.
        for address in addresses:
            if not address_allowed(address, allow_loopback=self._allow_loopback):
                raise AddressRefused("the name leads to an address that is not on the public internet")
        failure: Exception = httpcore.ConnectError("the name leads nowhere")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _resolve(self, host: str, port: int, timeout: float | None) -> list[IPv4Address | IPv6Address]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        # Scoped IPv6 addresses (fe80::1%eth0) lose their scope here, and are refused as link-local.
        return list(dict.fromkeys(ip_address(str(sockaddr[0]).split("%")[0]) for *_, sockaddr in found))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
