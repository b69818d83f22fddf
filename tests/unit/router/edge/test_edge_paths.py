"""Paths at the router: one spelling of each, what two servers could read differently refused, and a closed list of what is carried."""

import pytest

from router.edge.paths import PathInvalid, PathUnknown, check_carried, normalised, of_any_cell


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/v1/quotes", "/v1/quotes"),
        ("/v1/%61dmin/tenants", "/v1/admin/tenants"),
        ("/%65u/v1/quotes", "/eu/v1/quotes"),
        ("/v1/transfers/tr%5Feu1%5F01", "/v1/transfers/tr_eu1_01"),
        ("/v1/%2561dmin", "/v1/%2561dmin"),  # encoded twice: the cell decodes once, and sees no admin
        ("/v1/wallets/a%20b~%7e", "/v1/wallets/a%20b~~"),
        ("/v1/wallets/%C3%A9?", "/v1/wallets/%C3%A9%3F"),
        ("/v1/x;y=1:@!$&'()*+,", "/v1/x;y=1:@!$&'()*+,"),
        ("/", "/"),
    ],
)
def test_a_path_has_one_spelling(raw: str, path: str) -> None:
    assert normalised(raw) == path
    assert normalised(path) == path


@pytest.mark.parametrize(
    "raw",
    [
        "", "v1/quotes", "*", "http://eu/v1/quotes",
        "//v1/quotes", "/v1//admin/tenants", "/eu//v1/quotes", "//", "/v1/quotes/", "/eu/", "/v1/quotes%2f", "/v1/quotes//",
        "/v1/..%2fadmin", "/v1%2Fadmin", "/v1%2fadmin/tenants", "/v1/x%5cadmin", "/v1\\admin", "/v1/%5C",
        "/v1/./admin", "/v1/../metrics", "/v1/%2e%2e/metrics", "/v1/.%2E/metrics", "/%2e/v1/quotes", "/v1/quotes/..", "/v1/quotes/.",
        "/v1/%00", "/v1/a%0d%0ab", "/v1/%7f", "/v1/%ff", "/v1/%c0%af", "/v1/%", "/v1/%4", "/v1/%zz", "/v1/%u0061dmin",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(raw: str) -> None:
    with pytest.raises(PathInvalid):
        normalised(raw)


@pytest.mark.parametrize(
    "path", ["/v1/quotes", "/v1/transfers/tr_eu1_0/events", "/docs", "/docs/swagger-ui.css", "/problems/x", "/openapi.json", "/.well-known/jwks.json"]
)  # fmt: skip
def test_what_partners_ask_for_is_carried(path: str) -> None:
    check_carried(path)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1", "/v2/quotes", "/V1/quotes", "/v1/admin", "/v1/admin/tenants", "/v1/Admin", "/v1/quotesx", "/metrics", "/healthz", "/actors",
        "/rails/bi_fast/inbound", "/rails", "/problemsx", "/docsx", "/.well-known", "/.well-known/security.txt", "/v1/%2561dmin",
    ],
)  # fmt: skip
def test_nothing_else_is_carried(path: str) -> None:
    with pytest.raises(PathUnknown):
        check_carried(path)


def test_only_pages_for_everybody_come_from_any_cell() -> None:
    assert of_any_cell("/docs")
    assert of_any_cell("/problems/quote-expired")
    assert not of_any_cell("/v1/quotes")
    assert not of_any_cell("/")
