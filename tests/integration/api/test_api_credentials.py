"""Malformed credentials, before anybody is known: each is told what is wrong, and nothing fails of ours."""

import base64
from collections.abc import AsyncIterator

import pytest

from router.api import auth
from tests.fuzzing.credentials import malformed
from tests.support.api_cell import ApiCell, open_api_cell

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    monkeypatch.setattr(auth, "FAILURES_PER_MINUTE", 10**9)
    monkeypatch.setattr(auth, "FAILURES_PER_KEY_PER_MINUTE", 10**9)
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


async def test_no_malformed_credential_is_a_failure_of_ours(cell: ApiCell) -> None:
    assert not await malformed(cell, seed=1, requests=1_200)


@pytest.mark.parametrize("client_id", ["\x00", "key_eu1_\x00", "é", "key_eu1_" + "0" * 25 + "\x00", "a" * 5_000])
async def test_an_odd_client_is_an_unknown_one(cell: ApiCell, client_id: str) -> None:
    form = {**GRANT, "client_id": client_id, "client_secret": "x"}
    answer = await cell.anyone.post("/v1/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "basic", [b"\xe9", b"Basic \xe9\xe9", b"Basic " + base64.b64encode(b"\xff:\xff"), b"Basic =", b"Basic"]
)
async def test_basic_that_cannot_be_read_is_401(cell: ApiCell, basic: bytes) -> None:
    answer = await cell.anyone.post("/v1/oauth/token", data=GRANT, headers=[(b"authorization", basic)])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_token_nested_without_end_is_401(cell: ApiCell) -> None:
    for part in (
        b"[" * 1_400,
        b'{"alg":' + b"[" * 1_300,
        b"\xff",
        b"[]",
        b"1",
        b"null",
        b'{"alg":"Ed25519","typ":"at+jwt","kid":[]}',
    ):
        text = base64.urlsafe_b64encode(part).decode().rstrip("=")
        answer = await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {text}.e30.AA"})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
