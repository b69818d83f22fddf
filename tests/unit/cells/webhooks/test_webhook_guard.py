"""Where a webhook may go: the URL as given, and every kind of address that must be refused."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore
import pytest

from cells.webhooks.guard import AddressRefused, GuardedBackend, UrlNotAllowed, address_allowed, check_url
from tests.integration.http_listener import open_listener


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com/#part",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://example.com:99999/",
        "https://example.com/\r\nHost: other",
        "https://exämple.com/",
        "https://example.com/" + "a" * 2_048,
        "http://127.0.0.1:8080/",
    ],
)
def test_urls_that_no_endpoint_may_have(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url, allow_loopback=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/hook", "http://localhost/", "https://example.com"])
def test_a_sandbox_may_use_plain_http_on_loopback_and_nowhere_else(url: str) -> None:
    assert check_url(url, allow_loopback=True) == url
    with pytest.raises(UrlNotAllowed):
        check_url("http://example.com/", allow_loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:0.0.0.0",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fec0::1",
        "3fff::1",
    ],
)
def test_addresses_off_the_public_internet_are_refused_however_they_are_wrapped(address: str) -> None:
    assert not address_allowed(ip_address(address), allow_loopback=False)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert address_allowed(ip_address(address), allow_loopback=False)


def test_allowing_loopback_allows_nothing_else() -> None:
    assert address_allowed(ip_address("127.0.0.1"), allow_loopback=True)
    assert address_allowed(ip_address("::ffff:127.0.0.1"), allow_loopback=True)
    assert not address_allowed(ip_address("10.0.0.1"), allow_loopback=True)
    assert not address_allowed(ip_address("0.0.0.0"), allow_loopback=True)


async def test_the_guard_judges_what_it_connects_to() -> None:
    with pytest.raises(AddressRefused):
        await GuardedBackend(allow_loopback=False).connect_tcp("localhost", 9, timeout=2)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "ip6-localhost"])
async def test_an_address_that_is_written_otherwise_is_judged_by_what_it_leads_to(host: str) -> None:
    check_url(f"https://{host}/", allow_loopback=False)
    with pytest.raises((AddressRefused, httpcore.ConnectError)):
        await GuardedBackend(allow_loopback=False).connect_tcp(host, 9, timeout=2)


class Rebinding(GuardedBackend):
    """A name whose answer changes after it has been looked at once."""

    def __init__(self, *answers: str) -> None:
        super().__init__(allow_loopback=True)
        self._answers = list(answers)
        self.asked = 0

    async def _resolve(self, host: str, port: int, timeout: float | None) -> list[IPv4Address | IPv6Address]:
        self.asked += 1
        return [ip_address(self._answers.pop(0))]


async def test_a_name_that_is_rebound_is_judged_again_at_each_connection_and_resolved_once_for_each() -> None:
    async with open_listener() as listener:
        port = int(listener.url.rpartition(":")[2])
        backend = Rebinding("127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")
        opened = await backend.connect_tcp("partner.example", port, timeout=2)
        assert opened.get_extra_info("server_addr")[0] == "127.0.0.1", "the address that was judged, and no other"
        await opened.aclose()
        for _ in range(2):
            with pytest.raises(AddressRefused):
                await backend.connect_tcp("partner.example", port, timeout=2)
    assert backend.asked == 3


async def test_one_forbidden_address_among_good_ones_condemns_the_name() -> None:
    class Mixed(GuardedBackend):
        async def _resolve(self, host: str, port: int, timeout: float | None) -> list[IPv4Address | IPv6Address]:
            return [ip_address("93.184.215.14"), ip_address("10.0.0.1")]

    with pytest.raises(AddressRefused):
        await Mixed(allow_loopback=False).connect_tcp("partner.example", 443, timeout=2)
