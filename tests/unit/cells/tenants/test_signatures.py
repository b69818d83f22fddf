"""The profile of RFC 9421: what another library signs opens, and whatever is altered on the way does not."""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

from cells.tenants.signatures import (
    WINDOW_S,
    SignatureExpired,
    SignatureInvalid,
    check_body,
    key_for,
    read_head,
    signs,
    text_to_sign,
)
from tests.support.signing import signed

SECRET = "kvsig_" + "a" * 52
KEY = "key_eu1_06l2r0k8q5o7t3v1a9c4e6g8io"
BODY = b'{"quote_id": "qt_eu1_1"}'


class Secrets(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return key_for("EU", SECRET)

    resolve_private_key = resolve_public_key


@dataclass
class Message:
    method: str
    url: str
    headers: dict[str, str]


def opens(method: str, target: str, headers: Mapping[str, str], body: bytes, now_s: float | None = None) -> bool:
    """As the API does it. Raises SignatureInvalid, SignatureExpired."""
    found = {name.lower(): value for name, value in headers.items()}
    head = read_head(found["signature-input"], found["signature"], time.time() if now_s is None else now_s)
    path, _, query = target.partition("?")
    text = text_to_sign(head, method, path, query, found.get, "api.example")
    if not signs(key_for("EU", SECRET), text, head.signature):
        return False
    check_body(head, found.get("content-digest"), body)
    return head.key_id == KEY


@pytest.mark.parametrize("target", ["/v1/transfers", "/v1/transfers?limit=2&cursor=a%20b", "/v1/wallets/wal_eu1_x?"])
def test_what_a_library_for_the_standard_signs_opens(target: str) -> None:
    message = Message("POST", f"https://api.example{target}", {"Idempotency-Key": "order 1"})
    HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Secrets()).sign(
        message, key_id=KEY, nonce="n-1", created=datetime.now(UTC), body=BODY, label="anything",
        covered_component_ids=("@method", "@path", "@query", "@authority", "idempotency-key"),
    )  # fmt: skip
    assert opens("POST", target, message.headers, BODY)


def test_a_library_for_the_standard_verifies_what_we_show_partners() -> None:
    headers = dict(signed(KEY, SECRET, "POST", "/v1/transfers?x=1", BODY, idempotency_key="k"))
    message = Message("POST", "https://api.example/v1/transfers?x=1", headers)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Secrets())
    [found] = verifier.verify(message, body=BODY)
    assert found.parameters["keyid"] == KEY


def test_whatever_is_altered_on_the_way_does_not_open() -> None:
    headers = signed(KEY, SECRET, "POST", "/v1/transfers?x=1", BODY, idempotency_key="k")
    assert opens("POST", "/v1/transfers?x=1", headers, BODY)
    assert not opens("PUT", "/v1/transfers?x=1", headers, BODY)
    assert not opens("POST", "/v1/transfer?x=1", headers, BODY)
    assert not opens("POST", "/v1/transfers?x=2", headers, BODY)
    assert not opens("POST", "/v1/transfers", headers, BODY)
    assert not opens("POST", "/v1/transfers?x=1", {**headers, "Idempotency-Key": "other"}, BODY)
    later = headers["Signature-Input"].replace("created=", "created=9")
    with pytest.raises(SignatureExpired):
        opens("POST", "/v1/transfers?x=1", {**headers, "Signature-Input": later}, BODY)
    other = headers["Signature-Input"].replace('nonce="', 'nonce="x')
    assert not opens("POST", "/v1/transfers?x=1", {**headers, "Signature-Input": other}, BODY)
    with pytest.raises(SignatureInvalid, match="SHA-256"):
        opens("POST", "/v1/transfers?x=1", headers, BODY + b" ")
    with pytest.raises(SignatureInvalid, match="cover content-digest"):
        opens("GET", "/v1/wallets", signed(KEY, SECRET, "GET", "/v1/wallets"), BODY)


@pytest.mark.parametrize(
    ("age_s", "good"), [(0, True), (WINDOW_S, True), (-WINDOW_S, True), (301, False), (-301, False)]
)
def test_the_window_is_five_minutes_either_way(age_s: int, good: bool) -> None:
    now = 1_795_245_139
    headers = signed(KEY, SECRET, "GET", "/v1/wallets", created=now - age_s)
    if good:
        assert opens("GET", "/v1/wallets", headers, b"", now)
    else:
        with pytest.raises(SignatureExpired):
            opens("GET", "/v1/wallets", headers, b"", now)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "sig1=()",
        f'sig1=("@method" "@path");created=1;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}"',
        'sig1=("@method" "@path" "@query");created=1;nonce="n"',
        f'sig1=("@method" "@path" "@query");keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created="1";keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;expires="x";keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;expires="9";keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce=1',
        'sig1=("@method" "@path" "@query");created=1;keyid=1;nonce="n"',
        'sig1=("@method" "@path" "@query");created=1;keyid="key_eu1_1";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=-1;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1.5;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created={"9" * 5000};keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=²;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce="n";nonce="m"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce="é"',
        f'sig1=("@method" "@path" "@query");created=1;created=2;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query" "@path");created=1;keyid="{KEY}";nonce="n"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce="n";alg="ed25519"',
        f'sig1=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce="n"\n',
        f'sig1=("@method";req "@path" "@query");created=1;keyid="{KEY}";nonce="n"',
    ],
)
def test_what_does_not_have_the_form_is_refused_in_words(told: str) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        read_head(told, "sig1=:" + "A" * 43 + "=:", 1.0)
    assert refused.value.detail


def test_what_is_covered_must_be_there() -> None:
    head = read_head(
        f's=("@method" "@path" "@query" "x-other");created=1;keyid="{KEY}";nonce="n"', f"s=:{'A' * 43}=:", 1.0
    )
    with pytest.raises(SignatureInvalid, match="x-other"):
        text_to_sign(head, "GET", "/", "", lambda name: None)
    for wrong in ("", "s=", "t=:" + "A" * 43 + "=:", "s=:" + "*" * 44 + ":"):
        with pytest.raises(SignatureInvalid):
            read_head(f's=("@method" "@path" "@query");created=1;keyid="{KEY}";nonce="n"', wrong, 1.0)


OTHERS = (
    'proxy=("@method" "@authority");created=1;keyid="key, of a proxy";alg="ed25519"',
    'odd=("x-a";sf "x-b";key="a, \\"b");created=1;keyid="proxy \\"1\\""',
)


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("gap", [",", ", ", " ,\t"])
def test_of_several_signatures_ours_is_taken(before: int, gap: str) -> None:
    headers = dict(signed(KEY, SECRET, "GET", "/v1/wallets"))
    inputs = [*OTHERS[:before], headers["Signature-Input"], *OTHERS[before:]]
    values = [f"proxy=:{'A' * 86}==:", headers["Signature"], "odd=:AA==:"]
    several = {"Signature-Input": gap.join(inputs), "Signature": gap.join(values)}
    assert opens("GET", "/v1/wallets", several, b"")
    altered = several["Signature"].replace(headers["Signature"], f"sig1=:{'A' * 43}=:")
    assert not opens("GET", "/v1/wallets", {**several, "Signature": altered}, b"")


def test_two_signatures_of_ours_or_two_of_a_name_are_refused() -> None:
    headers = dict(signed(KEY, SECRET, "GET", "/v1/wallets"))
    again = headers["Signature-Input"].replace("sig1=", "sig2=")
    for inputs, values in (
        (f"{headers['Signature-Input']}, {again}", headers["Signature"]),
        (f"{headers['Signature-Input']}, {headers['Signature-Input']}", headers["Signature"]),
        (headers["Signature-Input"], f"{headers['Signature']}, {headers['Signature']}"),
        (", ".join(OTHERS), headers["Signature"]),
        (f'{headers["Signature-Input"]}, "', f"{headers['Signature']}, {again}"),
    ):
        with pytest.raises(SignatureInvalid):
            opens("GET", "/v1/wallets", {"Signature-Input": f"{inputs}, {again}", "Signature": values}, b"")


def test_a_signature_may_cover_the_authority() -> None:
    headers = signed(KEY, SECRET, "GET", "/v1/wallets", authority="api.example")
    assert opens("GET", "/v1/wallets", headers, b"")
    assert not opens("GET", "/v1/wallets", signed(KEY, SECRET, "GET", "/v1/wallets", authority="evil.example"), b"")


@pytest.mark.parametrize("region", ["ID", "UK", "eu", ""])
def test_what_is_signed_for_one_region_is_good_in_no_other(region: str) -> None:
    assert not opens("GET", "/v1/wallets", signed(KEY, SECRET, "GET", "/v1/wallets", region=region), b"")


@pytest.mark.parametrize("value", ["é" * 44, "A" * 43 + "é", "=" * 44, "\xff" * 44, " " * 44, "A" * 44])
def test_a_signature_that_is_no_base64_is_refused(value: str) -> None:
    headers = {**signed(KEY, SECRET, "GET", "/v1/wallets"), "Signature": f"sig1=:{value}:"}
    with contextlib.suppress(SignatureInvalid):
        assert not opens("GET", "/v1/wallets", headers, b"")


@pytest.mark.parametrize("text", ['"', '"\\', ',"', '"\\"', "a=", ",", 'a="\\" ', '\\"'])
def test_what_does_not_end_costs_what_it_is_long(text: str) -> None:
    for size in (1, 2, 20_000):
        with pytest.raises(SignatureInvalid):
            read_head(text * size, "", 1.0)
