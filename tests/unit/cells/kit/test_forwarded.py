"""Whence a request comes, and who is believed about it."""

import pytest

from cells.kit.forwarded import WINDOW_S, Origin, authority_of, element, is_claim, origin, prove, source_of

SECRET = b"s" * 32
NOW = 1_795_245_139


def test_an_authenticated_router_is_believed_and_nobody_else() -> None:
    told = element("2001:db8::7", "API.Example:443", "https")
    proof = prove(SECRET, told, NOW)
    headers = {"host": "cell:7400", "forwarded": told, "kovra-router": proof}
    assert origin(headers, "10.0.0.1", [SECRET], NOW + WINDOW_S) == (Origin("2001:db8::/64", "api.example"), True)
    direct = Origin("10.0.0.1", "cell:7400")
    assert origin({"host": "cell:7400", "forwarded": told}, "10.0.0.1", [SECRET], NOW) == (direct, True)
    for altered in (
        {"forwarded": told.replace("::7", "::8")},
        {"forwarded": f"for=9.9.9.9, {told}"},
        {"forwarded": ""},
        {"kovra-router": proof.replace(str(NOW), str(NOW + 1))},
        {"kovra-router": proof[:-1] + ("0" if proof[-1] != "0" else "1")},
        {"kovra-router": proof.upper()},
        {"kovra-router": f"{proof} "},
        {"kovra-router": ""},
        {"kovra-router": "²" + proof},
    ):
        assert origin({**headers, **altered}, "10.0.0.1", [SECRET], NOW) == (direct, False), altered
    assert origin(headers, "10.0.0.1", [b"t" * 32], NOW) == (direct, False)
    for at in (NOW - WINDOW_S - 1, NOW + WINDOW_S + 1):
        assert origin(headers, "10.0.0.1", [SECRET], at) == (direct, False)


def test_a_host_cannot_write_more_than_a_host_into_what_the_router_says() -> None:
    told = element("192.0.2.1", 'a";for=9.9.9.9;x="', "http")
    assert told == 'for=192.0.2.1;host="afor9.9.9.9x";proto=http'


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_one_host_is_one_source_however_it_writes_itself(address: str, source: str) -> None:
    assert source_of(address) == source


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("A.Example", "a.example"),
        ("a:443", "a"),
        ("a:80", "a"),
        ("a:", "a"),
        ("a:8443", "a:8443"),
        ("[::1]:80", "[::1]"),
    ],
)
def test_an_authority_is_as_the_standard_has_it_signed(host: str, authority: str) -> None:
    assert authority_of(host) == authority


def test_what_is_no_claim_passes() -> None:
    assert is_claim("x-forwarded-for")
    assert not any(is_claim(name) for name in ("host", "accept", "user-agent", "x-request-id", "via", "kovra-region"))


def test_a_router_proves_itself_by_any_secret_that_the_cell_takes_while_one_is_replaced() -> None:
    old, new = b"o" * 32, b"n" * 32
    told = element("198.51.100.7", "api.example", "https")
    for used, taken, holds in ((old, [old], True), (old, [old, new], True), (new, [old, new], True), (new, [new], True),
                               (old, [new], False), (new, [old], False), (b"t" * 32, [old, new], False)):  # fmt: skip
        headers = {"host": "cell:7400", "forwarded": told, "kovra-router": prove(used, told, NOW)}
        assert origin(headers, "10.0.0.1", taken, NOW)[1] == holds
