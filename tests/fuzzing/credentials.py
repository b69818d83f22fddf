"""Credentials that are wrong, in all three ways: whoever sends them is told so, and nothing fails of ours. Drawn by a seed."""

import base64
import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from tests.support.api_cell import ApiCell
from tests.support.signing import signed

_TEXTS = (
    "", " ", "\x00", "é", "ÿ" * 50, "²", "９", "a" * 3_000, "\t", ":", "::", ",", "=", '"', "\\", "%00", "%ff", "%", "key_eu1_", "kv_", "null", "-1",
    "key_eu1_" + "0" * 26, "key_zz9999_" + "v" * 26, "key_eu1_" + "0" * 25 + "\x00", "kv_sandbox_eu1_" + "0" * 26 + "_" + "0" * 52,
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**400, "x", "", "\x00", "\ud800", [], {}, [[]], {"a": 1}, ["EdDSA"], "none", "HS256", "Ed25519", "at+jwt", "9" * 5_000,
)  # fmt: skip
_NUMBERS = ("x", '"x"', '"9"', "9" * 12, "9" * 5_000, "-1", "1.5", "?1", ":AA==:", "", "(1 2)", '"\\"', "²", "1e400")


async def malformed(cell: ApiCell, seed: int, requests: int) -> list[str]:
    """What was answered otherwise than with 400, 401 or 429."""
    random, found = Random(seed), []
    secret, key_id = await cell.issue(cell.tenant, "signature")
    ways: list[Callable[[], list[tuple[bytes, bytes]]]] = [
        lambda: _bearer(random),
        lambda: _token(random),
        lambda: _signature(random, key_id, secret),
    ]
    for number in range(requests):
        if number % 4 == 3:
            answer, sent = await _client(cell, random)
        else:
            sent = random.choice(ways)()
            answer = await cell.anyone.get("/v1/wallets", headers=sent)
        if answer.status_code not in (400, 401, 415, 429):
            found.append(f"{answer.status_code} {answer.text[:200]}: {sent!r}")
    return found


def _bearer(random: Random) -> list[tuple[bytes, bytes]]:
    scheme = random.choice(["Bearer ", "bearer  ", "Basic ", "", "Bearer\t", "Digest ", "Bearer"])
    return [(b"authorization", _bytes(scheme + "".join(random.choices(_TEXTS, k=random.randint(1, 3)))))]


def _token(random: Random) -> list[tuple[bytes, bytes]]:
    """A JWT with odd members, nested without end, not of UTF-8, or no JWT."""
    nested = b"[" * random.choice([10, 1_000, 1_500])
    head = {"alg": "Ed25519", "typ": "at+jwt", "kid": "eu1-signing-20261120-1"}
    for name in random.sample(["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "zip", "enc"], random.randint(0, 3)):
        head[name] = random.choice(_VALUES)
    parts = [
        random.choice([nested, b"{}", b"\xff\xfe", b"[]", b"null", b"", b"1" * 1_000, json.dumps(head).encode(), json.dumps(head).encode()])
        for _ in range(3)
    ]  # fmt: skip
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    if random.random() < 0.2:
        text = random.choice(_TEXTS) + "." + text.partition(".")[2]
    return [(b"authorization", _bytes(f"Bearer {text}"))]


def _signature(random: Random, key_id: str, secret: str) -> list[tuple[bytes, bytes]]:
    """A good one, with one thing changed."""
    headers = dict(signed(key_id, secret, "GET", "/v1/wallets"))
    told, value = headers["Signature-Input"], headers["Signature"]
    odd = random.choice(_NUMBERS)
    match random.randrange(7):
        case 0:
            told += f";expires={odd}"
        case 1:
            told = told.replace(f"created={int(time.time())}", f"created={odd}").replace(
                ";keyid=", f";tag={odd};keyid="
            )
        case 2:
            told = told.replace(key_id, random.choice(_TEXTS))
        case 3:
            value = f"sig1=:{random.choice(['é' * 44, chr(255) * 44, '=' * 44, 'A' * 44, ' ' * 44])}:"
        case 4:
            told = told.replace(
                '"@query"', random.choice(['"@query" "x-none"', '"@status"', '"@query" "@target-uri"', '"é"', "@query"])
            )
        case 5:
            told = random.choice([told + ", " + told, "", '"' * 4_000, "," * 4_000, 'a="\\' * 1_000])
        case _:
            value = random.choice([value + ", " + value, "", "sig1", "sig1=", "sig1=::", random.choice(_TEXTS)])
    return [(b"signature-input", _bytes(told)), (b"signature", _bytes(value))]


async def _client(cell: ApiCell, random: Random) -> tuple[httpx.Response, Any]:
    basic = random.choice(
        [base64.b64encode(random.choice(_TEXTS).encode("utf-8", "replace") + b":\xff").decode(), *_TEXTS]
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": random.choice(_TEXTS),
        "client_secret": random.choice(_TEXTS),
    }
    if random.random() < 0.5:
        sent = [(b"authorization", _bytes(f"Basic {basic}")), (b"content-type", b"application/x-www-form-urlencoded")]
        body = random.choice(
            [b"grant_type=client_credentials", b"grant_type=\xff", b"grant_type=client_credentials&client_id=%00"]
        )
        return await cell.anyone.post("/v1/oauth/token", content=body, headers=sent), (sent, body)
    return await cell.anyone.post("/v1/oauth/token", data=form), form


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
