"""Where a webhook may go: the URL as given, and every kind of address that must be refused."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore
import pytest
from pydantic import ValidationError

from cells.spec import PrivateSettings
from cells.webhooks.guard import AddressRefused, GuardedBackend, UrlNotAllowed, check_url, is_public, may_connect
from tests.support.http_listener import open_listener
from tests.unit.cells.rails.test_snap_settings import whole

NONE: tuple[int, ...] = ()
NAMED = (8099,)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/#part",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com/\r\nHost: other",
        "https://exämple.com/",
        "https://example.com/" + "a" * 2_048,
        "http://127.0.0.1:8080/",
        "https://localhost:6379/",
        # An address that systems read in several ways, or a part of one.
        "https://127.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0/",
        "https://127.0.0.1./",
        "https://8.8.8.010/",
        "https://example.0x/",
        "https://%31%32%37.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://[2606:4700:4700::1111%25eth0]/",
        "https://[::ffff:1.1.1.1]/",
        "https://[v1.fe80]/",
        "https://exa mple.com/",
        "https://a..example.com/",
        # Ports of services that take any bytes for commands.
        "https://example.com:22/",
        "https://example.com:25/",
        "https://example.com:80/",
        "https://example.com:442/",
        "https://example.com:1023/",
    ],
)
def test_urls_that_no_endpoint_may_have(url: str) -> None:
    for ports in (NONE, NAMED):
        with pytest.raises(UrlNotAllowed) as refused:
            check_url(url, ports)
        assert refused.value.detail


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://example.com:443/x", "https://example.com.:1024/", "https://a_b.example:65535/",
     "https://1.1.1.1/", "https://[2606:4700:4700::1111]:8443/hook", "https://4chan.example/"],
)  # fmt: skip
def test_https_on_port_443_or_above_the_well_known_ones(url: str) -> None:
    assert check_url(url, NONE) == url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9", "LOCALHOST"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_sandbox_reaches_those_ports_of_its_own_machine_that_its_operator_named(scheme: str, host: str) -> None:
    url = f"{scheme}://{host}:8099/hook"
    assert check_url(url, NAMED) == url
    for other in (f"{scheme}://{host}/", f"{scheme}://{host}:6379/"):
        with pytest.raises(UrlNotAllowed, match="--webhook-port"):
            check_url(other, NAMED)
    with pytest.raises(UrlNotAllowed):
        check_url("http://example.com:8099/", NAMED)


def test_only_a_sandbox_names_ports_of_its_own_machine() -> None:
    assert PrivateSettings.model_validate(whole(sandbox=True, webhook_loopback_ports=[8099])).webhook_loopback_ports
    for more in (
        {"sandbox": False, "webhook_loopback_ports": [8099]},
        {"sandbox": True, "webhook_loopback_ports": [0]},
    ):
        with pytest.raises(ValidationError):
            PrivateSettings.model_validate(whole(**more))


@pytest.mark.parametrize(
    "address",
    [
        # IPv4, the first and the last address of each kind.
        "0.0.0.0", "0.255.255.255", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.168.0.1", "192.0.2.1", "192.31.196.1", "192.52.193.1",
        "192.88.99.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255",
        # IPv6.
        "::", "::1", "100::1", "100:0:0:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
        "2001:db8::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1",
        "2001:20::1", "2001:30::1", "2620:4f:8000::1", "4000::1", "1fff::1", "2606:4700:4700::1111%eth0",
        # Another address in it, however it is wrapped; a public one as well, since what it leads to is for a gateway to say.
        "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:1.1.1.1", "::127.0.0.1", "::1.1.1.1",
        "::ffff:0:127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::101:101", "64:ff9b:1::a00:1",
        "64:ff9b:1:a00:0:100::", "2002:a00:1::1", "2002:7f00:1::", "2002:101:101::", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2001:0:a00:1::", "fe80::5efe:10.0.0.1",
    ],
)  # fmt: skip
def test_addresses_off_the_public_internet_are_refused_however_they_are_wrapped(address: str) -> None:
    read = ip_address(address)
    assert not is_public(read)
    assert not may_connect(read, 443, NAMED)
    assert may_connect(read, 8099, NAMED) == (address in ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1",
     "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111", "2001:200::1", "2001:db7::1", "2003::1",
     "2620:4f:8001::1", "3ffe::1"],
)  # fmt: skip
def test_public_addresses_are_allowed_on_port_443_or_above_the_well_known_ones(address: str) -> None:
    read = ip_address(address)
    assert is_public(read)
    assert [may_connect(read, port, NONE) for port in (443, 1024, 65535)] == [True] * 3
    assert not any(may_connect(read, port, NAMED) for port in (1, 22, 80, 442, 1023))


async def test_the_guard_judges_what_it_connects_to() -> None:
    with pytest.raises(AddressRefused):
        await GuardedBackend(NAMED).connect_tcp("localhost", 9, timeout=2)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "ip6-localhost", "fe80::1%lo"])
async def test_an_address_that_is_written_otherwise_is_judged_by_what_it_leads_to(host: str) -> None:
    with pytest.raises((AddressRefused, httpcore.ConnectError)):
        await GuardedBackend(NAMED).connect_tcp(host, 9, timeout=2)


class Rebinding(GuardedBackend):
    """A name whose answer changes after it has been looked at once."""

    def __init__(self, *answers: str) -> None:
        super().__init__(range(1, 65_536))
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
        await Mixed(NAMED).connect_tcp("partner.example", 443, timeout=2)
