"""Headers on their way through the router."""

import pytest

from residency.ids import mint, parse
from router.edge import messages


def _onward(*raw: tuple[bytes, bytes], region: str | None = None) -> list[tuple[str, str]]:
    return messages.onward(raw, region=region, request_id="req-1", forwarded="for=10.0.0.1", proof="1 ab")


def test_what_belongs_to_the_connection_stays_behind() -> None:
    sent = dict(
        _onward(
            (b"Connection", b"keep-alive, X-Hop"),
            (b"X-Hop", b"1"),
            (b"Transfer-Encoding", b"chunked"),
            (b"X-End", b"2"),
        )
    )
    assert sent.keys() == {"x-end", "Forwarded", "Kovra-Router", "Kovra-Request-Id"}


def test_repeated_headers_all_arrive_in_order() -> None:
    sent = _onward((b"x-one", b"a"), (b"x-one", b"b"))
    assert [value for name, value in sent if name == "x-one"] == ["a", "b"]


def test_the_region_is_what_the_router_found_and_nothing_else() -> None:
    assert dict(_onward((b"Kovra-Region", b"eu-1"), region="EU"))["Kovra-Region"] == "EU"
    assert "Kovra-Region" not in dict(_onward((b"kovra-region", b"EU")))


@pytest.mark.parametrize(
    "name",
    [
        "Forwarded", "FORWARDED", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X_Forwarded_For", "X-Forwarded", "Forwarded-For",
        "X-Real-IP", "X_REAL_IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6", "cf-visitor", "Fastly-Client-IP", "X-Client-IP",
        "X-Cluster-Client-IP", "X-Original-URL", "X-Rewrite-URL", "X-Original-Forwarded-For", "X-Azure-ClientIP", "X-Envoy-External-Address",
        "Kovra-Router", "kovra_router",
    ],
)  # fmt: skip
def test_what_a_caller_says_of_whence_it_comes_ends_here(name: str) -> None:
    sent = _onward((name.encode(), b"for=192.0.2.1"), (b"x-end", b"2"))
    assert sorted(sent) == sorted(_onward((b"x-end", b"2")))


def test_what_only_looks_like_it_goes_on() -> None:
    sent = dict(_onward((b"x-forward", b"1"), (b"x-hostess", b"2"), (b"cfo", b"3"), (b"real-ipa", b"4")))
    assert {"x-forward", "x-hostess", "cfo", "real-ipa"} <= sent.keys()


def test_forwarded_writes_addresses_as_rfc_7239_does() -> None:
    assert messages.forwarded_element({"client": ("2001:db8::1", 5), "scheme": "https"}, 'a"b.example:1') == (
        'for="[2001:db8::1]";host="ab.example:1";proto=https'
    )


def test_a_requests_id_is_kept_and_any_other_text_replaced() -> None:
    mine = mint("req", "eu-1")
    assert messages.request_id(mine) == mine
    for other in ("", "abc-123", "two words", "x" * 65, mint("tr", "eu-1"), mine + "x", "Astrid.Lindqvist"):
        assert parse(messages.request_id(other), "req").text != other


def test_every_answer_carries_one_request_id() -> None:
    assert messages.back([(b"Date", b"x"), (b"Server", b"x")], "r1") == [(b"kovra-request-id", b"r1")]
    assert messages.back([(b"Kovra-Request-Id", b"r2")], "r1") == [(b"kovra-request-id", b"r2")]
