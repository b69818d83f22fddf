"""SNAP's signatures against vectors that others published, and against frozen ones of our own."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cells.rails.snap.signatures import (
    SignatureForm,
    digest,
    is_notification,
    is_token_request,
    minified,
    private_key,
    sign_notification,
    sign_token_request,
    sign_transaction,
    timestamp,
)
from tests.support.growth import cost
from tests.support.snap_keys import PRIVATE_KEY, PUBLIC_KEY

HEX = SignatureForm("hex")
# Midtrans, https://github.com/Midtrans/SNAP-BI-Signature-Demo: the public key of its samples (asymmetricSignatureNotificationVerification).
MIDTRANS_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlWbtlh3eM+bW3n5AFj42
wddC4L7tQqbLiCFbTv8K67yng9iwK5mEn+UMXiRhvB2JVWFafCPPxFamsiVG3Mjn
eGjC0BYgmpmw4qXnAnyO3nCdCuPtmZ3ljhKvSTPdWZxrcLi1Xa9V/+Pzb8hrjb5i
wMn6SZFNeMmZYgFKiSeueo6TPln2PoTqXCzs1HtsM8eUVe8GAsjJe/3dYl992nyX
OpG21GgNu8o5T3WOptPg6GdDTWkTWUu483yRbVVy04Pz4L8DDZTDv+WcsAViDn1r
A/jB1Auj/UGKx2ovGcBH/a/hor5TbABbODU6cPTHT54K3sSZtvZNV4eFDB1f/4wd
fwIDAQAB
-----END PUBLIC KEY-----
"""
# The same, sample-code/b2b-access-token/xSignatureGenerationNode.js.
MIDTRANS_TOKEN_SIGNATURE = (
    "WzW49tYIgKIBmBi/gVBHGLAkhEaZlXM11zcZxAiyHji6TLPjPbwLu3Z45it25AIeG0XDItcdTSkds47zFEMh6IP0PXPIP1+Ey4RmX/o2fuYRF/xBHvfvKnMm"
    "ANMTS1axsXBSW3EHqYpbVrkCcqNnB3u+wu63us9WIhRZaWgxgQ2PJLaiVHIwgu9u7jxkWX7Bg4rerZH3RKdQfIJAAJsSN13efR7VdSAyzU7QaKjgislxrLqm"
    "esYNJkbD03XLjHdo6YWuzAVV7xdZRpLiGkIAkW7luXTBZYBO+4oENZAPQYzrLeN1qRY1Sr7BgLONCA2QA26BB6SYW4R7qofS9+RyOQ=="
)
# The same, sample-code/symmetricSignature/xSignatureGenerationNode.js.
MIDTRANS_BODY = b"""{
  "partnerReferenceNo": "2020102900000000000001",
  "amount": {
    "value": "12345678.00",
    "currency": "IDR"
  },
  "feeAmount": {
    "value": "12345678.00",
    "currency": "IDR"
  },
  "merchantId": "00007100010926",
  "terminalId": "213141251124",
  "validityPeriod": "2009-07-03T12:08:56-07:00"
}"""
MIDTRANS_SIGNATURE = "wmzT7yjg1SxxCsxNsFgCR9SYXiZGGbceF6fV8xe97sAMHxZ+7OEBMIBmvb6Sj6GcksGp3iv77DiomgSbcST3XQ=="
# The same, asymmetricSignatureNotificationVerification/index.html.
NOTIFICATION = (
    b'{"originalPartnerReferenceNo":"GP24043015193402809","originalReferenceNo":"A120240430081940S9vu8gSjaRID",'
    b'"merchantId":"G099333790","amount":{"value":"102800.00","currency":"IDR"},"latestTransactionStatus":"00",'
    b'"transactionStatusDesc":"SUCCESS","additionalInfo":{"refundHistory":[]}}'
)
NOTIFICATION_SIGNATURE = (
    "RoJnP2tH/YiOhHM/lMVBMSAuzRmS8VrWdIy04Qqyb56daV7oWFMFoMMzqnjQ+q0MIUalYgU094GWQnCx2c29xb1kkqHhv2+iJ9xl6NjGmFGYqyvcKvUDAV83"
    "Y1Mw9JnsEcjcupdGw9/MRv/mm2GMrQ+BCZGfc4a46JDyPZbcY294vDGqs5rFBN6iYer5ro4cAQGo9hET2G82Y+j50vCyO/79GFE4vB1rvtu6PK2Bxi+vTYV8"
    "k7P7PS8tOPWM2O+kjiVWjwvLR99Botou+a8sxlQqZaihfWMKcByzV+Lgkr9cptpjys+1NIRWT1ad/sJBSLHyldzC3q2oRn5z5oZmyg=="
)
AT = "2026-11-21T11:20:00+07:00"
# Made with openssl and hashlib: of a token request for "client" at AT, and of a transaction.
TOKEN_START = "Tptl4Xo3NT615Rg9J9qYYAxR02j3c8P1yij5xPdpVfB5"
TRANSACTION_HEX = (
    "15c99320b93d412e8d8d49b3447139e265bca81ab2a9adafb76770ec0ec0405f"
    "42bd1d5edbd5a1a6d28fe5cb6e56b7193832a6eb33cfb5db63b0f4f8c5059bb2"
)


def public_key(pem: str) -> rsa.RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_a_published_token_request_holds() -> None:
    at = "2024-03-01T08:27:49.024Z"
    assert is_token_request(public_key(MIDTRANS_KEY), "G1234325-SNAP", at, MIDTRANS_TOKEN_SIGNATURE)
    assert not is_token_request(public_key(MIDTRANS_KEY), "G1234326-SNAP", at, MIDTRANS_TOKEN_SIGNATURE)


def test_a_published_transaction_is_signed_the_same() -> None:
    found = sign_transaction(
        b"myclientsecret",
        "POST",
        "/v1.0/qr/qr-mpm-generate",
        "myaccesstoken",
        MIDTRANS_BODY,
        "2024-03-05T10:37:16.196Z",
    )
    assert found == MIDTRANS_SIGNATURE


def test_a_published_notification_holds_and_a_changed_one_does_not() -> None:
    key, at = public_key(MIDTRANS_KEY), "2024-05-02T14:43:08+07:00"
    assert is_notification(key, "POST", "/v1.0/debit/notify", NOTIFICATION, at, NOTIFICATION_SIGNATURE)
    changed = NOTIFICATION.replace(b"102800.00", b"102800.01")
    assert not is_notification(key, "POST", "/v1.0/debit/notify", changed, at, NOTIFICATION_SIGNATURE)
    assert not is_notification(key, "POST", "/v1.0/debit/other", NOTIFICATION, at, NOTIFICATION_SIGNATURE)
    assert not is_notification(key, "POST", "/v1.0/debit/notify", NOTIFICATION, at[:-1] + "1", NOTIFICATION_SIGNATURE)


def test_a_frozen_digest_of_a_body() -> None:
    """Made with hashlib over the form without space."""
    loose = b'{\n  "amount": "10000.00",\n\t"note" : "a b"\n}\n'
    expected = "31505dec19d6ac9caadcfd51fb5831dc172cc6f924b70f28442e09f97537fac4"
    assert digest(loose) == digest(b'{"amount":"10000.00","note":"a b"}') == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", b""),
        (b' { "a" : [ 1 , 2 ] } ', b'{"a":[1,2]}'),
        (rb'{"a": "x \" y : z", "b": "\\"}', rb'{"a":"x \" y : z","b":"\\"}'),
        ('{"name": "Søren  Ås"}'.encode(), '{"name":"Søren  Ås"}'.encode()),
    ],
)
def test_only_the_space_between_tokens_goes(body: bytes, expected: bytes) -> None:
    assert minified(body) == expected
    assert minified(expected) == expected


def test_what_we_sign_holds_in_either_form() -> None:
    ours, theirs = private_key(PRIVATE_KEY), public_key(PUBLIC_KEY)
    for form in (SignatureForm(), HEX):
        assert is_token_request(theirs, "client", AT, sign_token_request(ours, "client", AT, form), form)
        signature = sign_notification(ours, "POST", "/notify?a=1", b"{}", AT, form)
        assert is_notification(theirs, "POST", "/notify?a=1", b"{}", AT, signature, form)
        assert not is_notification(public_key(MIDTRANS_KEY), "POST", "/notify?a=1", b"{}", AT, signature, form)
    for nonsense in ("", "§", "zz", "AAAA"):
        assert not is_token_request(theirs, "client", AT, nonsense)
        assert not is_token_request(theirs, "client", AT, nonsense, HEX)


def test_frozen_signatures() -> None:
    key = private_key(PRIVATE_KEY)
    assert sign_token_request(key, "client", AT)[:44] == TOKEN_START
    body = b'{"partnerReferenceNo":"tr-id1-1"}'
    found = sign_transaction(b"secret", "POST", "/v1.0/transfer-interbank", "token", body, AT, HEX)
    assert found == TRANSACTION_HEX


def test_the_query_is_signed_where_the_bank_has_it_so() -> None:
    def signed(path: str, form: SignatureForm) -> str:
        return sign_transaction(b"secret", "GET", path, "token", b"", AT, form)

    without = SignatureForm(signs_query=False)
    assert signed("/v1.0/x?day=1", without) == signed("/v1.0/x", without)
    assert signed("/v1.0/x?day=1", SignatureForm()) != signed("/v1.0/x", SignatureForm())


def test_time_is_jakartas_and_keys_are_rsa() -> None:
    assert timestamp(datetime(2026, 11, 21, 4, 20, 0, 999, tzinfo=UTC)) == AT
    with pytest.raises(ValueError, match=r".+"):
        private_key(b"no key")


@pytest.mark.parametrize(
    "unit", [b'"', b'" ', b'"\\', b'\\"', b'{"a": "b" }', b" ", b'"a\\" ', b"\\"], ids=lambda unit: unit.decode()
)
def test_a_body_that_nobody_signed_costs_no_more_than_its_length(unit: bytes) -> None:
    """Before the signature is known to hold, four times the body may take some four times as long, and not sixteen."""
    short, long = (b'{"a": ' + unit * (size // len(unit)) for size in (64 * 1024, 256 * 1024))
    assert cost(lambda: minified(long)) < 9 * cost(lambda: minified(short))


def test_a_string_without_an_end_runs_to_the_end() -> None:
    assert minified(b'{ "a" : "b c') == b'{"a":"b c'
    assert minified(b'{ "a" : "b \\') == b'{"a":"b \\'
    assert minified(b'{ "a \\" b" : 1 }') == b'{"a \\" b":1}'
