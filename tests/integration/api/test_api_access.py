"""Three ways in, over a running cell: each opens what its scopes say, and nothing opens what was revoked, altered or replayed."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from cells.backends.postgres import transaction
from cells.tenants import store_keys
from cells.tenants.tokens import LIFETIME_S, TYPE
from residency.ids import mint
from router.api import auth
from tests.support.api_cell import REMEMBERED_S, ApiCell, open_api_cell
from tests.support.signing import signed
from tests.support.waiting import until

QUOTE = {"source": {"value": "100.00", "currency": "EUR"}, "target_currency": "IDR"}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def send_signed(
    cell: ApiCell, key_id: str, secret: str, method: str, target: str, body: bytes = b"", **more
) -> httpx.Response:
    headers = {"Content-Type": "application/json", **signed(key_id, secret, method, target, body, **more)}
    return await cell.anyone.request(method, target, content=body, headers=headers)


async def token_for(cell: ApiCell, client_id: str, secret: str, **more: str) -> httpx.Response:
    return await cell.anyone.post("/v1/oauth/token", data={**GRANT, **more}, auth=(client_id, secret))


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def revoked(cell: ApiCell, key_id: str) -> None:
    async with transaction(cell.parts.writer) as connection:
        assert await store_keys.revoke_keys(connection, "EU", [key_id]) == [key_id]


async def test_a_signed_request_opens_as_its_tenant_and_is_audited(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    answer = await send_signed(cell, key_id, secret, "GET", "/v1/wallets")
    assert answer.status_code == 200, answer.text
    assert {one["currency"] for one in answer.json()["data"]} == {"EUR", "SEK"}
    made = await send_signed(cell, key_id, secret, "POST", "/v1/quotes", orjson.dumps(QUOTE))
    assert made.status_code == 201, made.text
    page = await send_signed(cell, key_id, secret, "GET", "/v1/transfers?limit=5")
    assert page.status_code == 200, page.text
    async with transaction(cell.parts.writer) as connection:
        actor = await connection.fetchval("select actor from audit_log where action = 'POST /v1/quotes'")
    assert actor == key_id


async def test_the_hot_path_takes_a_signature_and_pays_once(cell: ApiCell) -> None:
    await cell.fund()
    secret, key_id = await cell.issue(cell.tenant, "signature")
    quote = (await cell.quote())["id"]
    body = orjson.dumps({"quote_id": quote, "recipient_id": await cell.recipient(), "payer_id": await cell.payer()})
    first = await send_signed(cell, key_id, secret, "POST", "/v1/transfers", body, idempotency_key="order-1")
    assert first.status_code == 202, first.text
    again = await send_signed(cell, key_id, secret, "POST", "/v1/transfers", body, idempotency_key="order-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    bare = dict(signed(key_id, secret, "POST", "/v1/transfers", body))
    answer = await cell.anyone.post("/v1/transfers", content=body, headers={**bare, "Idempotency-Key": "another"})
    refused(answer, 401, "signature-invalid")


async def test_what_was_altered_replayed_or_kept_too_long_is_refused(cell: ApiCell) -> None:
    secret, key_id = await cell.issue(cell.tenant, "signature")
    body = orjson.dumps(QUOTE)
    headers = {"Content-Type": "application/json", **signed(key_id, secret, "POST", "/v1/quotes", body)}
    refused(await cell.anyone.post("/v1/quotes", content=body + b" ", headers=headers), 401, "signature-invalid")
    refused(await cell.anyone.post("/v1/quotes?x=1", content=body, headers=headers), 401, "signature-invalid")
    refused(await cell.anyone.post("/v1/webhooks", content=body, headers=headers), 401, "signature-invalid")
    assert (await cell.anyone.post("/v1/quotes", content=body, headers=headers)).status_code == 201
    refused(await cell.anyone.post("/v1/quotes", content=body, headers=headers), 401, "nonce-replayed")
    for late in (-301, 301):
        answer = await send_signed(cell, key_id, secret, "GET", "/v1/wallets", created=int(time.time()) + late)
        refused(answer, 401, "signature-expired")
    refused(await send_signed(cell, key_id, "kvsig_wrong", "GET", "/v1/wallets"), 401, "signature-invalid")
    refused(await send_signed(cell, mint("key", "eu-1"), secret, "GET", "/v1/wallets"), 401, "signature-invalid")
    refused(await cell.anyone.get("/v1/wallets", headers={"Signature-Input": "nonsense"}), 401, "signature-invalid")


async def test_a_key_opens_its_own_way_only(cell: ApiCell) -> None:
    sent, sent_id = await cell.issue(cell.tenant, "key")
    signing, signing_id = await cell.issue(cell.tenant, "signature")
    asking, asking_id = await cell.issue(cell.tenant, "client")
    refused(await send_signed(cell, sent_id, sent.rsplit("_", 1)[1], "GET", "/v1/wallets"), 401, "signature-invalid")
    refused(await send_signed(cell, asking_id, asking, "GET", "/v1/wallets"), 401, "signature-invalid")
    for key_id, secret in ((sent_id, sent), (signing_id, signing), (sent_id, sent.rsplit("_", 1)[1])):
        refused(await token_for(cell, key_id, secret), 401, "client-invalid")
    head = sent.rsplit("_", 1)[0].replace(sent_id.rsplit("_", 1)[1], signing_id.rsplit("_", 1)[1])
    forged = {"Authorization": f"Bearer {head}_{signing.removeprefix('kvsig_')}"}
    refused(await cell.anyone.get("/v1/wallets", headers=forged), 401, "invalid-api-key")
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch(
            "select credential_type, secret_sealed from api_keys where tenant_id = $1", cell.tenant.tenant_id
        )
        stored = str(await connection.fetch("select * from api_keys"))
    assert {row["credential_type"] for row in rows if row["secret_sealed"] is not None} == {"signature"}
    assert not any(secret in stored for secret in (sent, signing, asking))


async def test_a_key_says_its_environment_truly_and_opens_no_live_cell(cell: ApiCell) -> None:
    text, _ = await cell.key(cell.tenant)
    as_live = {"Authorization": f"Bearer {text.replace('kv_sandbox_', 'kv_live_')}"}
    refused(await cell.anyone.get("/v1/wallets", headers=as_live), 401, "invalid-api-key")
    cell.parts.keys._sandbox = False
    refused(await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {text}"}), 403, "live-only")


async def test_a_client_gets_a_token_for_what_it_may_do(cell: ApiCell) -> None:
    secret, client_id = await cell.issue(cell.tenant, "client", frozenset({"quotes", "wallets:read"}))
    answer = await token_for(cell, client_id, secret)
    shown = answer.json()
    assert (shown["token_type"], shown["expires_in"], shown["scope"]) == ("Bearer", LIFETIME_S, "quotes wallets:read")
    assert answer.headers["Cache-Control"] == "no-store"
    assert LIFETIME_S <= 900
    headers = bearer(answer)
    assert (await cell.anyone.post("/v1/quotes", json=QUOTE, headers=headers)).status_code == 201
    assert (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == 200
    refused(await cell.anyone.get("/v1/transfers", headers=headers), 403, "scope-missing")
    narrow = bearer(await token_for(cell, client_id, secret, scope="wallets:read"))
    refused(await cell.anyone.post("/v1/quotes", json=QUOTE, headers=narrow), 403, "scope-missing")
    # Who may change what a noun names may ask to read it, and no more.
    reading = bearer(await token_for(cell, client_id, secret, scope="quotes:read"))
    assert (await cell.anyone.get("/v1/quotes", headers=reading)).status_code == 200
    refused(await cell.anyone.post("/v1/quotes", json=QUOTE, headers=reading), 403, "scope-missing")
    assert (await token_for(cell, client_id, secret, scope="wallets")).json()["error"] == "invalid_scope"
    in_form = {**GRANT, "client_id": client_id, "client_secret": secret}
    assert (await cell.anyone.post("/v1/oauth/token", data=in_form)).status_code == 200
    keys = KeySet.import_key_set((await cell.anyone.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(shown["access_token"], keys, algorithms=["Ed25519"]).claims
    server = (await cell.anyone.get("/.well-known/oauth-authorization-server")).json()
    assert claims["iss"] == claims["aud"] == server["issuer"]
    assert claims["sub"] == client_id
    assert server["token_endpoint"].endswith("/v1/oauth/token")


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"scope": "quotes transfers"}, 400, "invalid_scope"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"client_secret": "kvsec_wrong"}, 401, "invalid_client"),
        ({"client_id": "key_eu1_00000000000000000000000000"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
    ],
)
async def test_a_refused_token_says_why_in_the_words_of_the_standard(
    cell: ApiCell, change: dict[str, str | None], status: int, error: str
) -> None:
    secret, client_id = await cell.issue(cell.tenant, "client", frozenset({"quotes"}))
    form = {**GRANT, "client_id": client_id, "client_secret": secret, **change}
    answer = await cell.anyone.post("/v1/oauth/token", data={name: value for name, value in form.items() if value})
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["request_id"] == answer.headers["Kovra-Request-Id"]
    twice = await cell.anyone.post("/v1/oauth/token", data=form, auth=(client_id, secret))
    assert twice.status_code in (400, 401)
    as_json = await cell.anyone.post("/v1/oauth/token", json=GRANT, auth=(client_id, secret))
    assert as_json.json()["error"] == "invalid_request"


async def test_a_token_that_is_not_this_cells_for_this_cell_and_now_is_refused(cell: ApiCell) -> None:
    _, client_id = await cell.issue(cell.tenant, "client")
    institution, now = cell.parts.institution, int(time.time())
    kid, private = institution.keys.signer(cell.spec.directory, datetime.now(UTC))
    issuer = (await cell.anyone.get("/.well-known/oauth-authorization-server")).json()["issuer"]
    good = {"iss": issuer, "aud": issuer, "sub": client_id, "scope": "wallets", "iat": now, "exp": now + 60, "jti": "1"}

    async def sent(header: dict[str, str], claims: dict[str, object], key: OKPKey) -> httpx.Response:
        text = jwt.encode({"alg": "Ed25519", "typ": TYPE, "kid": kid, **header}, claims, key, algorithms=["Ed25519"])
        return await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {text}"})

    ours = OKPKey.import_key(private)
    assert (await sent({}, good, ours)).status_code == 200
    refused(await sent({}, {**good, "exp": now - 1}, ours), 401, "token-expired")
    refused(await sent({}, good, OKPKey.generate_key("Ed25519")), 401, "invalid-token")
    for wrong in (
        {"aud": "http://id-1"},
        {"iss": "http://id-1"},
        {"sub": "key_eu1_00000000000000000000000000"},
        {"jti": None},
    ):
        claims = {name: value for name, value in {**good, **wrong}.items() if value is not None}
        refused(await sent({}, claims, ours), 401, "invalid-token")
    refused(await sent({"kid": "id1-signing-20261120-1"}, good, ours), 401, "invalid-token")
    refused(await sent({"typ": "JWT"}, good, ours), 401, "invalid-token")
    for text in ("a.b.c", "e30.e30.", "." * 2):
        refused(await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {text}"}), 401, "invalid-token")


async def test_a_revoked_key_is_refused_within_its_memory_whichever_way_it_opens(cell: ApiCell) -> None:
    assert auth.REMEMBERED_S <= 5, "the bound that the API documents"
    sent, sent_id = await cell.issue(cell.tenant, "key")
    signing, signing_id = await cell.issue(cell.tenant, "signature")
    asking, asking_id = await cell.issue(cell.tenant, "client")
    token = bearer(await token_for(cell, asking_id, asking))

    async def statuses() -> list[int]:
        return [
            (await cell.anyone.get("/v1/wallets", headers={"Authorization": f"Bearer {sent}"})).status_code,
            (await send_signed(cell, signing_id, signing, "GET", "/v1/wallets")).status_code,
            (await cell.anyone.get("/v1/wallets", headers=token)).status_code,
        ]

    assert await statuses() == [200] * 3
    for key_id in (sent_id, signing_id, asking_id):
        await revoked(cell, key_id)
    began = time.monotonic()

    async def all_refused() -> bool:
        return await statuses() == [401] * 3

    await until(all_refused)
    assert time.monotonic() - began < REMEMBERED_S + 2
    refused(await token_for(cell, asking_id, asking), 401, "client-invalid")


async def test_a_key_that_ends_opens_until_then(cell: ApiCell) -> None:
    text, key_id = await cell.issue(cell.tenant, "key", expires_at=datetime.now(UTC) + timedelta(seconds=1))
    headers = {"Authorization": f"Bearer {text}"}
    assert (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == 200

    async def ended() -> bool:
        return (await cell.anyone.get("/v1/wallets", headers=headers)).status_code == 401

    await until(ended)
    await cell.parts.keys.note_used(cell.parts.writer)
    async with transaction(cell.parts.writer) as connection:
        [key] = [
            one for one in await store_keys.list_keys(connection, "EU", [cell.tenant.tenant_id]) if one.key_id == key_id
        ]
    assert key.last_used_at is not None
    assert key.created_at is not None
    assert key.created_at <= key.last_used_at
