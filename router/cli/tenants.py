"""`kovra tenants`: partners, provisioned into every cell; their tiers, and (tenant_keys.py) their keys."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape

from cells.kit.money import money
from cells.kit.operator import operator_actor
from cells.returns import store as store_returns
from cells.returns.returned import Policy
from cells.spec import home_path
from cells.tenants import store
from cells.tenants.issuing import issue
from cells.tenants.keys import SCOPES
from cells.tenants.tenant import Environment, Placement, Tenant, UnknownTenant, Wallet, mint_tenant
from cells.tenants.tiers import Tier as Terms
from cells.tenants.tiers import partner_tier, partner_tiers
from residency.directory import load_directory
from residency.ids import parse
from router.cli import tenant_keys
from router.cli.choices import one_of
from router.cli.console import err, out, print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import Provisioned, all_cells, provision
from router.cli.record import changing, reading
from router.cli.tables import Facts, Listing, show_table
from router.cli.tenant_keys import Json

Home = Annotated[
    str,
    typer.Option(
        "--home", help="Its home cell, which serves a request that names no region; the first one by default."
    ),
]
Tier = Annotated[str, typer.Option("--tier", help="Decides rate, limits and prices; `kovra tenants tiers` lists them.")]
Currencies = Annotated[str, typer.Option("--currencies", help="Wallets to open, such as EUR,GBP; all by default.")]
Live = Annotated[bool, typer.Option("--live", help="A live tenant; the default is a sandbox one.")]
Own = Annotated[bool, typer.Option("--own", help="Dedicated wallet actors, whatever its tier.")]

_POLICIES: tuple[Policy, ...] = get_args(Policy)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Partners: create, list, show, tiers, keys.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(list_all)
    group.command("show")(show)
    group.command("set-tier")(set_tier)
    group.command("tiers")(tiers)
    group.command("set-return-policy")(set_return_policy)
    group.add_typer(tenant_keys.group(), name="keys")
    app.add_typer(group, name="tenants")


def create(
    name: Annotated[str, typer.Argument(help="The partner's name.")],
    *,
    home: Home = "",
    tier: Tier = "starter",
    currencies: Currencies = "",
    live: Live = False,
    own: Own = False,
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Provision a partner into every cell, open its wallets, and mint its first API key (shown once)."""
    who, root = acting(operator), home_path()
    directory = load_directory(root)
    entry = directory.cell(home) if home else min(directory.cells.values(), key=lambda cell: cell.number)
    placement: Placement = "own" if own else partner_tier(tier).placement
    wanted = [code.strip().upper() for code in currencies.split(",") if code.strip()] or None
    for code in wanted or ():
        one_of(code, directory.region_of_currency, "currency")
    environment: Environment = "live" if live else "sandbox"
    tenant = mint_tenant(name, entry, tier=tier, placement=placement, environment=environment)
    first = issue(tenant, SCOPES, label="first key")
    done = asyncio.run(
        provision(root, tenant, issued=[first], currencies=wanted, actor=operator_actor(who), action="tenants.create")
    )
    _tell(tenant, first.text, done, json=json)


def _tell(tenant: Tenant, key: str, done: Provisioned, *, json: bool) -> None:
    if json:
        print_json(
            {"tenant": asdict(tenant), "key": key, "wallets": done.wallets, "account_numbers": done.account_numbers}
        )
        return
    facts = {"tenant": tenant.tenant_id, "home": f"{tenant.home_cell} ({tenant.home_region})"}
    facts |= {
        f"wallet {currency}": f"{wallet_id}  {done.account_numbers[currency]}"
        for currency, wallet_id in sorted(done.wallets.items())
    }
    out.print(Facts(list(facts.items())))
    err.print("Its key, which is shown only now:")
    print_plain(key)


def list_all(json: Json = False) -> None:
    """List the partners, with their cells."""
    found: dict[str, dict[str, Any]] = {}

    async def read() -> None:
        for spec in all_cells(home_path()):
            async with reading(spec) as connection:
                for tenant in await store.list_tenants(connection, spec.region):
                    row = found.setdefault(tenant.tenant_id, {**asdict(tenant), "cells": []})
                    row["cells"].append(spec.name)

    asyncio.run(read())
    if json:
        print_json({"tenants": list(found.values())})
        return
    columns = ("tenant_id", "name", "environment", "tier", "placement", "home_cell")
    table = Listing("tenant", "name", "environment", "tier", "placement", "home", "cells")
    for row in found.values():
        table.add_row(*(escape(str(row[column])) for column in columns), " ".join(row["cells"]))
    show_table(table, "There is no partner yet: `kovra tenants create` makes one.")


def show(tenant_id: Annotated[str, typer.Argument(help="ten_…")], json: Json = False) -> None:
    """Show one partner: its terms, its wallets in every cell, and its keys."""
    wanted = parse(tenant_id, "ten").text
    tenant, wallets, cells = asyncio.run(_read(wanted))
    if tenant is None:
        raise UnknownTenant(f"No cell has {wanted}; `kovra tenants list` shows who there is.")
    keys = tenant_keys.keys_of(wanted)
    shown = [
        {"wallet_id": one.wallet_id, "currency": one.currency, "account_number": one.account_number} for one in wallets
    ]
    if json:
        print_json({"tenant": asdict(tenant), "cells": cells, "wallets": shown, "keys": keys})
        return
    rate = partner_tier(tenant.tier).requests_per_minute
    told = {
        "tenant": tenant.tenant_id,
        "name": escape(tenant.name),
        "tier": f"{tenant.tier} ({rate:,} requests a minute)",
    }
    told |= {"home": tenant.home_cell, "environment": tenant.environment, "cells": " ".join(cells)}
    told |= {f"wallet {one['currency']}": f"{one['wallet_id']}  {one['account_number']}" for one in shown}
    out.print(Facts(list(told.items())))
    out.print()
    show_table(tenant_keys.table_of(keys), "It has no key.")


async def _read(tenant_id: str) -> tuple[Tenant | None, list[Wallet], list[str]]:
    tenant: Tenant | None = None
    wallets: list[Wallet] = []
    cells = []
    for spec in all_cells(home_path()):
        async with reading(spec) as connection:
            found = (await store.find_tenants(connection, spec.region, [tenant_id])).get(tenant_id)
            if found is not None:
                tenant = tenant or found
                cells.append(spec.name)
                wallets += await store.list_wallets(connection, spec.region, tenant_id)
    return tenant, wallets, cells


def set_tier(
    tenant_id: Annotated[str, typer.Argument(help="ten_…")],
    tier: Annotated[str, typer.Argument(help="One of `kovra tenants tiers`.")],
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Move a partner to another tier in every cell: its rate within seconds, limits and prices from its next quote on."""
    wanted = parse(tenant_id, "ten").text
    partner_tier(tier)
    changed = asyncio.run(_set_tier(wanted, tier, acting(operator)))
    if not changed:
        raise UnknownTenant(f"No cell has {wanted}; `kovra tenants list` shows who there is.")
    if json:
        print_json({"tenant_id": wanted, "tier": tier, "cells": changed})
    else:
        err.print(f"{wanted} is on {tier} in {', '.join(changed)}.")


async def _set_tier(tenant_id: str, tier: str, who: str) -> list[str]:
    changed = []
    for spec in all_cells(home_path()):
        async with changing(spec, operator_actor(who)) as change:
            if await store.set_tier(change.connection, spec.region, [tenant_id], tier):
                await change.record("tenants.set-tier", tenant_id, tenant_id=tenant_id, outcome=tier)
                changed.append(spec.name)
            else:
                change.unchanged = True
    return changed


def set_return_policy(
    tenant_id: Annotated[str, typer.Argument(help="ten_…")],
    policy: Annotated[str, typer.Argument(help=f"One of {', '.join(_POLICIES)}.")],
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Set what a partner gets back of a returned payment: principal and margin (original), or the fee, too. For later returns."""
    wanted = parse(tenant_id, "ten").text
    one_of(policy, _POLICIES, "return policy")
    chosen: Policy = "original" if policy == "original" else "original_and_fee"
    changed = asyncio.run(_set_return_policy(wanted, chosen, acting(operator)))
    if not changed:
        raise UnknownTenant(f"No cell has {wanted}; `kovra tenants list` shows who there is.")
    if json:
        print_json({"tenant_id": wanted, "return_policy": policy, "cells": changed})
    else:
        err.print(f"{wanted} has the return policy {policy} in {', '.join(changed)}.")


async def _set_return_policy(tenant_id: str, policy: Policy, who: str) -> list[str]:
    changed = []
    for spec in all_cells(home_path()):
        async with changing(spec, operator_actor(who)) as change:
            if await store_returns.set_policy(change.connection, spec.region, tenant_id, policy):
                await change.record("tenants.set-return-policy", tenant_id, tenant_id=tenant_id, outcome=policy)
                changed.append(spec.name)
            else:
                change.unchanged = True
    return changed


def _tier_json(one: Terms) -> dict[str, Any]:
    """A tier, its limits by currency, amounts as the API writes them."""
    limits = {
        currency: {
            name.removesuffix("_minor"): money(most, currency) if name.endswith("_minor") else most
            for name, most in asdict(found).items()
        }
        for currency, found in one.limits.items()
    }
    return asdict(one) | {"limits": limits}


def tiers(json: Json = False) -> None:
    """List the tiers with their rates, limits and prices (cells/tenants/tiers.toml)."""
    known = partner_tiers()
    if json:
        print_json({"tiers": [_tier_json(one) for one in known.values()]})
        return
    right = ("requests/min", "margin bps", "floor bps")
    table = Listing("tier", *right, "placement", right=right)
    for one in known.values():
        table.add_row(
            one.name, f"{one.requests_per_minute:,}", str(one.margin_bps), str(one.margin_floor_bps), one.placement
        )
    out.print(table)
