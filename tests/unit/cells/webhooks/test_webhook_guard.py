"""Where a webhook may go: the URL as given, and every kind of address that must be refused."""

from ipaddress import ip_address

import pytest

from cells.webhooks.guard import AddressRefused, GuardedBackend, UrlNotAllowed, address_allowed, check_url


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
