"""`kovra tenants`: partners, provisioned into every cell, and their API keys."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from cells.spec import home_path
from cells.tenants import store, store_keys
from cells.tenants.keys import SCOPES, mint_key
from cells.tenants.tenant import ApiKey, Environment, Placement, Tenant, UnknownTenant, mint_tenant
from cells.tenants.tiers import tiers
from residency.directory import load_directory
from residency.errors import KovraError
from residency.ids import parse
from router.cli.console import err, listing, out, print_json, print_plain
from router.cli.provisioning import Provisioned, all_cells, provision, writing

_ALL_SCOPES = ",".join(sorted(SCOPES))

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Home = Annotated[
    str,
    typer.Option(
        "--home", help="Its home cell, where its key leads when no region is named; the first one by default."
    ),
]
Tier = Annotated[str, typer.Option("--tier", help="Its limits and prices (cells/tenants/tiers.toml).")]
Currencies = Annotated[str, typer.Option("--currencies", help="Wallets to open, such as EUR,GBP; all by default.")]
Live = Annotated[bool, typer.Option("--live", help="A live tenant; the default is a sandbox one.")]
Own = Annotated[bool, typer.Option("--own", help="Wallet actors of its own, whatever its tier says.")]
Scopes = Annotated[str, typer.Option("--scopes", help="What the key may do, separated by commas.")]
Label = Annotated[str, typer.Option("--label", help="What the key is for.")]


class UnknownChoice(KovraError):
    code = "unknown-choice"
    status = 422
    title = "That is not one of the choices"


class UnknownKey(KovraError):
    code = "unknown-key"
    status = 404
    title = "No cell has that key, or it was revoked before"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Partners: create, list, keys.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(show)
    keys = typer.Typer(help="API keys of partners.", no_args_is_help=True)
    keys.command("create")(create_key)
    keys.command("revoke")(revoke_key)
    group.add_typer(keys, name="keys")
    app.add_typer(group, name="tenants")


def create(
    name: Annotated[str, typer.Argument(help="The partner's name.")],
    *,
    home: Home = "",
    tier: Tier = "starter",
    currencies: Currencies = "",
    live: Live = False,
    own: Own = False,
    json: Json = False,
) -> None:
    """Provision a partner into every cell, open its wallets, and mint its first API key (shown once)."""
    root = home_path()
    directory = load_directory(root)
    entry = directory.cell(home) if home else min(directory.cells.values(), key=lambda cell: cell.number)
    _one_of(tier, tiers(), "tier")
    wanted = [code.strip().upper() for code in currencies.split(",") if code.strip()] or None
    for code in wanted or ():
        _one_of(code, directory.region_of_currency, "currency")
    placement: Placement = "own" if own else tiers()[tier].placement
    environment: Environment = "live" if live else "sandbox"
    tenant = mint_tenant(name, entry, tier=tier, placement=placement, environment=environment)
    minted, key = _mint(tenant, SCOPES, "first key")
    done = asyncio.run(provision(root, tenant, keys=[key], currencies=wanted))
    _tell(tenant, minted, done, json=json)


def _tell(tenant: Tenant, key: str, done: Provisioned, *, json: bool) -> None:
    if json:
        print_json(
            {"tenant": asdict(tenant), "key": key, "wallets": done.wallets, "account_numbers": done.account_numbers}
        )
        return
    table = Table.grid(padding=(0, 2))
    table.add_row("tenant", tenant.tenant_id)
    table.add_row("home", f"{tenant.home_cell} ({tenant.home_region})")
    for currency, wallet_id in sorted(done.wallets.items()):
        table.add_row(f"wallet {currency}", f"{wallet_id}  {done.account_numbers[currency]}")
    out.print(table)
    err.print("Its key, which is shown only now:")
    print_plain(key)


def show(json: Json = False) -> None:
    """The partners, and which cells know them."""
    found: dict[str, dict[str, Any]] = {}

    async def read() -> None:
        for spec in all_cells(home_path()):
            async with writing(spec) as connection:
                for tenant in await store.list_tenants(connection, spec.region):
                    row = found.setdefault(tenant.tenant_id, {**asdict(tenant), "cells": []})
                    row["cells"].append(spec.name)

    asyncio.run(read())
    if json:
        print_json({"tenants": list(found.values())})
        return
    columns = ("tenant_id", "name", "environment", "tier", "placement", "home_cell")
    table = listing("tenant", "name", "environment", "tier", "placement", "home", "cells")
    for row in found.values():
        table.add_row(*(str(row[column]) for column in columns), " ".join(row["cells"]))
    out.print(table)


def create_key(
    tenant_id: Annotated[str, typer.Argument(help="ten_…")],
    scopes: Scopes = _ALL_SCOPES,
    label: Label = "",
    json: Json = False,
) -> None:
    """Mint another API key of a partner, good in every cell. It is shown once."""
    chosen = frozenset(one.strip() for one in scopes.split(",") if one.strip())
    for one in chosen:
        _one_of(one, SCOPES, "scope")
    minted, key = asyncio.run(_add_key(parse(tenant_id, "ten").text, chosen, label))
    if json:
        print_json({"key_id": key.key_id, "tenant_id": key.tenant_id, "scopes": sorted(key.scopes), "key": minted})
    else:
        err.print(f"{key.key_id}; the key itself is shown only now:")
        print_plain(minted)


async def _add_key(tenant_id: str, scopes: frozenset[str], label: str) -> tuple[str, ApiKey]:
    specs = all_cells(home_path())
    home = next((spec for spec in specs if spec.name == parse(tenant_id).cell), specs[0])
    async with writing(home) as connection:
        tenant = (await store.find_tenants(connection, home.region, [tenant_id])).get(tenant_id)
    if tenant is None:
        raise UnknownTenant(f"{home.name} has no tenant {tenant_id}; `kovra tenants list` shows who there is.")
    minted, key = _mint(tenant, scopes, label)
    # The other cells may have missed the tenant: a key without it could not be stored there.
    await provision(home_path(), tenant, keys=[key], currencies=[])
    return minted, key


def revoke_key(key_id: Annotated[str, typer.Argument(help="key_… (or the key itself)")], json: Json = False) -> None:
    """Revoke an API key in every cell. Within seconds it opens nothing."""
    if key_id.startswith("kv_"):
        _, _, cell, public, _ = (*key_id.split("_"), "", "", "", "")[:5]
        key_id = f"key_{cell}_{public}"
    revoked = asyncio.run(_revoke(parse(key_id, "key").text))
    if not revoked:
        raise UnknownKey(f"{key_id} was not in use.")
    if json:
        print_json({"key_id": key_id, "cells": revoked})
    else:
        err.print(f"{key_id} is revoked in {', '.join(revoked)}.")


async def _revoke(key_id: str) -> list[str]:
    revoked = []
    for spec in all_cells(home_path()):
        async with writing(spec) as connection:
            if await store_keys.revoke_keys(connection, spec.region, [key_id]):
                revoked.append(spec.name)
    return revoked


def _mint(tenant: Tenant, scopes: frozenset[str], label: str) -> tuple[str, ApiKey]:
    minted = mint_key(tenant.home_cell, tenant.environment)
    return minted.text, ApiKey(minted.key_id, tenant.tenant_id, minted.secret_sha256, scopes, label)


def _one_of(value: str, known: Any, what: str) -> None:
    if value not in known:
        raise UnknownChoice(f"There is no {what} {value!r}; use one of {', '.join(sorted(known))}.")
