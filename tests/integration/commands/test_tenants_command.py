"""`kovra tenants` over three cells' databases: the same tenant and the same keys everywhere, each sealed at home."""

import asyncio
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cells.backends.postgres import open_pool, transaction
from cells.cell import vault_of
from cells.spec import load_spec
from cells.tenants import store_keys
from cells.tenants.issuing import signing_key_of
from cells.tenants.signatures import key_for, read_head, signs, text_to_sign
from cells.tenants.store_keys import KeyHolder
from infra.local.home import Home
from router.cli.main import build
from tests.support.api_cell import write_home
from tests.support.signing import signed

CELLS = {"eu-1": "EU", "uk-1": "UK", "id-1": "ID"}


@pytest.fixture
def home(cell_database, schemes, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    for cell, region in CELLS.items():
        write_home(Home(tmp_path), cell, cell_database(region), schemes)
    return tmp_path


def kovra(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), ["tenants", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def stored(home: Path, key_id: str) -> dict[str, KeyHolder]:
    """A key in each cell that knows it."""

    async def read() -> dict[str, KeyHolder]:
        found = {}
        for cell, region in CELLS.items():
            pool = await open_pool(load_spec(cell, home).settings.postgres.writer, size_max=1, name="test")
            async with transaction(pool) as connection:
                known = await store_keys.find_keys(connection, region, [key_id])
            if key_id in known:
                found[cell] = known[key_id]
            await pool.close()
        return found

    return asyncio.run(read())


def holds(key: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a signed POST /v1/payers holds where that key is kept."""
    found = {name.lower(): value for name, value in headers.items()}
    head = read_head(found["signature-input"], found["signature"], time.time())
    return signs(key, text_to_sign(head, "POST", "/v1/payers", "", found.get), head.signature)


def test_a_partner_and_its_keys_are_the_same_in_every_cell(home: Path) -> None:
    made = kovra("create", "Nusantara Pay", "--tier", "growth")
    tenant_id = made["tenant"]["tenant_id"]
    assert set(made["wallets"]) >= {"EUR", "GBP", "IDR"}
    signing = kovra(
        "keys", "create", tenant_id, "--type", "signature", "--scopes", "transfers,wallets:read", "--label", "erp"
    )
    holders = stored(home, signing["key_id"])
    assert set(holders) == set(CELLS)
    for cell in CELLS:
        spec = load_spec(cell, home)
        kept = signing_key_of(vault_of(spec), holders[cell].key)
        assert kept == key_for(spec.region, signing["secret"])
        # One request, signed for each region in turn, at every cell.
        opened = [
            region
            for region in spec.directory.regions
            if holds(kept, signed(signing["key_id"], signing["secret"], "POST", "/v1/payers", b"{}", region=region))
        ]
        assert opened == [spec.region], "what is signed for one region is good in no other"
        assert not hmac.compare_digest(kept, signing["secret"].encode())
    assert len({holder.key.sealed for holder in holders.values()}) == 3, "each cell seals under its own key"
    client = kovra("keys", "create", tenant_id, "--type", "client", "--expires-days", "30")
    assert client["secret"].startswith("kvsec_")
    assert client["expires_at"] is not None

    rotated = kovra("keys", "rotate", signing["key_id"], "--overlap-hours", "2")
    assert rotated["scopes"] == ["transfers", "wallets:read"]
    assert all(one.key.expires_at is not None for one in stored(home, signing["key_id"]).values())
    assert set(kovra("keys", "revoke", made["key"])["cells"]) == set(CELLS)
    shown = kovra("keys", "list", tenant_id)["keys"]
    assert [one["state"] for one in shown] == ["revoked", "in use", "in use", "in use"]
    assert all(set(one["cells"]) == set(CELLS) for one in shown)
    assert not any(secret in json.dumps(shown) for secret in (made["key"], signing["secret"], client["secret"]))

    assert set(kovra("set-tier", tenant_id, "enterprise")["cells"]) == set(CELLS)
    assert set(kovra("set-return-policy", tenant_id, "original_and_fee")["cells"]) == set(CELLS)
    found = kovra("show", tenant_id)
    assert found["tenant"]["tier"] == "enterprise"
    assert len(found["keys"]) == 4
    rates = {one["name"]: one["requests_per_minute"] for one in kovra("tiers")["tiers"]}
    assert (rates["starter"], rates["growth"], rates["enterprise"]) == (100, 500, 2_000)
    assert "platform" not in rates


def test_the_operators_key_is_of_its_own_tenant(home: Path) -> None:
    made = kovra("keys", "admin", "--label", "operations")
    assert (made["tenant_id"], made["scopes"]) == ("platform", ["admin"])
    assert set(stored(home, made["key_id"])) == set(CELLS)
    assert kovra("list")["tenants"] == [], "it is no partner"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "X", "--tier", "platform"), "no such tier"),
        (("keys", "create", "ten_eu1_" + "0" * 26, "--scopes", "admin"), "allowed"),
        (("keys", "create", "ten_eu1_" + "0" * 26), "no such tenant"),
        (("keys", "revoke", "key_eu1_" + "0" * 26), "no such key"),
        (("keys", "rotate", "key_eu1_" + "0" * 26), "no such key"),
        (("set-tier", "ten_eu1_" + "0" * 26, "growth"), "no such tenant"),
        (("set-return-policy", "ten_eu1_" + "0" * 26, "original"), "no such tenant"),
        (("set-return-policy", "ten_eu1_" + "0" * 26, "all"), "not one of the choices"),
        (("show", "ten_eu1_" + "0" * 26), "no such tenant"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(build(), ["tenants", *arguments])
    assert done.exception is not None
    assert words in getattr(done.exception, "title", "")
