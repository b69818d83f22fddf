"""Where a webhook may go: https on the public internet, judged on the very address that is connected to.

A check of the name alone can be answered with one address and the connection with another (DNS rebinding), so the guard stands where the
socket is opened, resolves there, and connects to what it has judged. Which addresses are public is data (special_addresses.toml).
An address with another one in it (mapped, NAT64, 6to4, Teredo) is none: what it leads to is for a gateway to say. So a cell has an
IPv4 address of its own, and no DNS64 before its resolver.

A sandbox may send to its own machine, to the ports that its operator named (`loopback_ports`) and no other: what else listens there is
not the partner's.
"""

import asyncio
import re
import socket
import tomllib
from collections.abc import Container, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpcore

from residency.errors import KovraError

URL_LENGTH_MAX = 2_048
_DATA = tomllib.loads(Path(__file__).with_name("special_addresses.toml").read_text())
_IPV6_UNICAST = IPv6Network(_DATA["ipv6_unicast"])
_IPV4_SPECIAL = tuple(IPv4Network(network) for network, _ in _DATA["ipv4"])
_IPV6_SPECIAL = tuple(IPv6Network(network) for network, _ in _DATA["ipv6"])
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Below it are the ports of well-known services, which some take any bytes for commands (RFC 6335 section 6).
_PORT_MIN = 1_024
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
# A name's last label that systems read as a part of an IPv4 address, in any base ("ends in a number", WHATWG URL section 3.5).
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
NO_LOOPBACK: frozenset[int] = frozenset()


class UrlNotAllowed(KovraError):
    code = "webhook-url-not-allowed"
    status = 422
    title = "Webhooks cannot be sent to that URL"


class AddressRefused(Exception):
    """The name leads to an address that webhooks may not be sent to. Not shown to partners beyond its own
    text.
    """


def check_url(url: str, loopback_ports: Container[int]) -> str:
    """The URL, if an endpoint may have it. Raises UrlNotAllowed. Says nothing yet about where its name leads."""
    scheme, host, port = _read(url)
    literal = _literal(host)
    if host == "localhost" or (literal is not None and literal.is_loopback):
        if scheme not in _DEFAULT_PORTS:
            raise _refused("Use https, or http for a sandbox's own machine.")
        if port not in loopback_ports:
            raise _refused(
                "That is not on the public internet. A sandbox calls only the ports of its own machine that were named at its start. "
                f"Start it with `--webhook-port {port}` (`kovra run` or `kovra up --detach`)."
            )
        return url
    if scheme != "https":
        raise _refused("Use https.")
    if port != _DEFAULT_PORTS["https"] and port < _PORT_MIN:
        raise _refused(f"Use port 443, or one from {_PORT_MIN} to 65535.")
    if literal is not None and not is_public(literal):
        raise _refused("That address is not on the public internet.")
    return url


def _read(url: str) -> tuple[str, str, int]:
    """Its scheme, host and port. Raises UrlNotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("The URL cannot be read.") from None
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise _refused(f"Use at most {URL_LENGTH_MAX} printable ASCII characters.")
    if not parts.hostname or ("[" in parts.netloc and ":" not in parts.hostname):
        raise _refused("The URL names no host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("Leave out user names, passwords and fragments.")
    return parts.scheme, parts.hostname, _DEFAULT_PORTS.get(parts.scheme, 0) if port is None else port


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address of the public internet, and only itself: none with another one in it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4_SPECIAL)
    return (
        address.scope_id is None
        and address in _IPV6_UNICAST
        and not any(address in network for network in _IPV6_SPECIAL)
    )


def may_connect(address: IPv4Address | IPv6Address, port: int, loopback_ports: Container[int]) -> bool:
    """Whether a webhook may go to that address and port."""
    if address.is_loopback:
        return port in loopback_ports
    return is_public(address) and (port == _DEFAULT_PORTS["https"] or port >= _PORT_MIN)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that the guard allows."""

    def __init__(self, loopback_ports: Container[int]) -> None:
        self._loopback_ports = loopback_ports
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
            if not may_connect(address, port, self._loopback_ports):
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
        # Scoped IPv6 addresses (fe80::1%eth0) keep their scope, and are refused for it.
        return list(dict.fromkeys(ip_address(str(sockaddr[0])) for *_, sockaddr in found))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that the host of a URL is, None for a name. Raises UrlNotAllowed for what one system takes for a name and another for an
    address."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    if _NAME.fullmatch(host) is None:
        raise _refused("Its host is no name: use letters, digits, hyphens and dots.")
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise _refused("Write an IPv4 address as four decimal numbers.")
    return None


def _refused(detail: str) -> UrlNotAllowed:
    return UrlNotAllowed(detail, pointer="/url")
