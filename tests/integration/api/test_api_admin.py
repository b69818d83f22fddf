"""Administration over a running cell: the operator's key does it all, a partner's none of it, and all of it is audited."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from cells.backends.postgres import transaction
from cells.tenants.keys import ADMIN, GRANTABLE
from cells.tenants.tenant import mint_tenant
from residency.directory import load_directory
from residency.ids import mint
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.signing import signed
from tests.support.waiting import until

TENANTS = "/v1/admin/tenants"


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


@pytest.fixture
async def operator(cell: ApiCell) -> httpx.AsyncClient:
    """Speaks with the operator's own key."""
    cell.anyone.headers["Authorization"] = f"Bearer {await cell.operator_key()}"
    return cell.anyone


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_partner_administers_nothing_whatever_its_key_may_do(cell: ApiCell) -> None:
    text, key_id = await cell.key(cell.tenant, GRANTABLE)
    headers = {"Authorization": f"Bearer {text}"}
    one = f"{TENANTS}/{cell.tenant.tenant_id}"
    for method, path, body in (
        ("GET", TENANTS, None), ("POST", TENANTS, {"name": "x"}), ("GET", one, None), ("PUT", f"{one}/tier", {"tier": "growth"}),
        ("GET", f"{one}/keys", None), ("POST", f"{one}/keys", {}), ("DELETE", f"{one}/keys/{key_id}", None),
        ("POST", f"{one}/keys/{key_id}/rotate", {}),
    ):  # fmt: skip
        answer = await cell.anyone.request(method, path, json=body, headers=headers)
        assert code(answer) == (403, "scope-missing"), (method, path)
    with pytest.raises(asyncpg.CheckViolationError):
        await cell.key(cell.tenant, frozenset({ADMIN}))


async def test_the_operators_key_opens_administration_and_nothing_of_a_partners(
    cell: ApiCell, operator: httpx.AsyncClient
) -> None:
    assert code(await operator.get("/v1/wallets")) == (403, "scope-missing")
    listed = (await operator.get(TENANTS)).json()["data"]
    assert {one["id"] for one in listed} == {cell.tenant.tenant_id, cell.stranger.tenant_id}
    [shown] = [one for one in listed if one["id"] == cell.tenant.tenant_id]
    assert (shown["tier"], shown["requests_per_minute"], shown["owner_number"]) == (
        "growth",
        500,
        str(cell.tenant.owner_number),
    )


async def test_a_tenant_from_nothing_to_a_revoked_key(cell: ApiCell, operator: httpx.AsyncClient) -> None:
    once = {"Idempotency-Key": "partner-1"}
    made = await operator.post(TENANTS, json={"name": "Samudra Remit", "tier": "starter"}, headers=once)
    assert made.status_code == 201, made.text
    again = await operator.post(TENANTS, json={"name": "Samudra Remit", "tier": "starter"}, headers=once)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == made.json()
    tenant_id = made.json()["id"]
    one = f"{TENANTS}/{tenant_id}"
    moved = await operator.put(f"{one}/tier", json={"tier": "enterprise"})
    assert moved.json()["requests_per_minute"] == 2_000
    assert code(await operator.put(f"{one}/tier", json={"tier": "platform"})) == (422, "unknown-tier")

    created = await operator.post(f"{one}/keys", json={"scopes": ["wallets:read"], "label": "shop"})
    assert created.status_code == 201, created.text
    key = created.json()
    headers = {"Authorization": f"Bearer {key['secret']}"}
    assert key["secret"].startswith(key["prefix"] + "_")
    answer = await cell.client.get("/v1/wallets", headers=headers)
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert answer.headers["RateLimit-Policy"].startswith('"enterprise"')
    rotated = (await operator.post(f"{one}/keys/{key['id']}/rotate", json={"overlap_hours": 1})).json()
    assert rotated["scopes"] == ["wallets:read"]
    for secret in (key["secret"], rotated["secret"]):
        assert (await cell.client.get("/v1/wallets", headers={"Authorization": f"Bearer {secret}"})).status_code == 200
    listed = (await operator.get(f"{one}/keys")).json()["data"]
    assert [row["state"] for row in listed] == ["in_use", "in_use"]
    assert [row["expires_at"] is None for row in listed] == [False, True]
    assert "secret" not in listed[0]

    assert (await operator.delete(f"{one}/keys/{key['id']}")).status_code == 204

    async def refused() -> bool:
        return (await cell.client.get("/v1/wallets", headers=headers)).status_code == 401

    await until(refused)
    assert code(await operator.post(f"{one}/keys/{key['id']}/rotate", json={})) == (404, "unknown-key")
    async with transaction(cell.parts.writer) as connection:
        rows = await connection.fetch(
            "select action, resource_id, tenant_id from audit_log where action like '%/v1/admin/%'"
        )
    assert {row["tenant_id"] for row in rows} == {"platform"}
    assert {tenant_id, key["id"], rotated["id"]} <= {row["resource_id"] for row in rows}


async def test_keys_of_all_three_ways_are_made_here(cell: ApiCell, operator: httpx.AsyncClient) -> None:
    keys = f"{TENANTS}/{cell.tenant.tenant_id}/keys"
    signing = (await operator.post(keys, json={"credential_type": "signature"})).json()
    headers = signed(signing["id"], signing["secret"], "GET", "/v1/wallets")
    del cell.client.headers["Authorization"]
    assert (await cell.client.get("/v1/wallets", headers=headers)).status_code == 200
    client = (await operator.post(keys, json={"credential_type": "client", "scopes": ["read"]})).json()
    form = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    assert (await cell.client.post("/v1/oauth/token", data=form)).json()["scope"] == "read"
    for wrong, status, kind in (
        ({"scopes": ["admin"]}, 422, "unknown-scope"), ({"scopes": []}, 422, "invalid-request"),
        ({"credential_type": "password"}, 422, "invalid-request"),
    ):  # fmt: skip
        assert code(await operator.post(keys, json=wrong)) == (status, kind)


async def test_what_is_not_here_is_not_found(cell: ApiCell, operator: httpx.AsyncClient) -> None:
    _, theirs = await cell.key(cell.stranger)
    ours = f"{TENANTS}/{cell.tenant.tenant_id}"
    unknown = f"{TENANTS}/{mint('ten', 'eu-1')}"
    for method, path in (
        ("GET", unknown), ("GET", f"{unknown}/keys"), ("POST", f"{unknown}/keys"), ("PUT", f"{unknown}/tier"),
        ("GET", f"{TENANTS}/platform"), ("GET", f"{TENANTS}/cell:id-1/keys"), ("POST", f"{TENANTS}/platform/keys"),
    ):  # fmt: skip
        body = {"tier": "growth"} if method == "PUT" else {}
        answer = await operator.request(method, path, json=None if method == "GET" else body)
        assert code(answer) == (404, "unknown-tenant"), path
    assert code(await operator.delete(f"{ours}/keys/{theirs}")) == (404, "unknown-key")
    assert code(await operator.post(f"{ours}/keys/{theirs}/rotate", json={})) == (404, "unknown-key")


async def test_a_tenant_at_home_elsewhere_is_made_the_same_here(cell: ApiCell, operator: httpx.AsyncClient) -> None:
    elsewhere = mint_tenant("Samudra Remit", load_directory().cell("id-1"), tier="growth")
    body = {
        "name": "Samudra Remit",
        "tier": "growth",
        "id": elsewhere.tenant_id,
        "owner_number": str(elsewhere.owner_number),
    }
    made = await operator.post(TENANTS, json=body)
    assert made.status_code == 201, made.text
    assert made.json()["home_cell"] == "id-1"
    assert (await operator.get(f"{TENANTS}/{elsewhere.tenant_id}")).json() == made.json()
    assert (await operator.get(f"{TENANTS}/{elsewhere.tenant_id}/keys")).json() == {"data": []}
    alone = {"name": "Samudra Remit", "id": elsewhere.tenant_id}
    assert code(await operator.post(TENANTS, json=alone)) == (422, "invalid-request")
